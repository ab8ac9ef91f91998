//! Comments that ask for something: taken once, acted upon in order, answered once.

use chrono::{DateTime, Utc};
use model::AppId;
use model::comment::command::{Answer, Line, read};
use model::permission::Role;
use sqlx::{PgConnection, PgPool};
use store::issue_comment::{self, NewComment, Taken};

use crate::support::{app, at, sha};

fn comment(app: AppId, github_id: i64, seconds: i64, body: &str) -> NewComment {
    NewComment {
        app_id: app,
        github_id,
        pull_request: 7,
        author: "ada".parse().unwrap(),
        author_id: 1_815,
        written_at: at(seconds),
        head: Some(sha('a')),
        lines: read(body),
    }
}

fn done(what: &str) -> Answer {
    Answer::Done { what: what.into() }
}

async fn take(conn: &mut PgConnection, new: &NewComment) -> Taken {
    issue_comment::take(conn, new, new.written_at).await.unwrap()
}

async fn due(conn: &mut PgConnection, now: DateTime<Utc>) -> Option<i64> {
    issue_comment::due(conn, now).await.unwrap().map(|comment| comment.github_id)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_comment_is_taken_once_and_answered_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let new = comment(app, 11, 1, "/greenroom deploy api\n/greenroom dance");
    assert_eq!(take(&mut conn, &new).await, Taken::New);
    let other = NewComment { head: None, ..comment(app, 11, 5, "/greenroom remove") };
    assert_eq!(take(&mut conn, &other).await, Taken::Known);

    let waiting = issue_comment::due(&mut conn, at(1)).await.unwrap().unwrap();
    assert_eq!((waiting.lines.len(), &waiting.head), (2, &Some(sha('a'))));
    assert!(matches!(&waiting.lines[1], Line::NotUnderstood { .. }));
    assert_eq!(issue_comment::lock(&mut conn, app, 11).await.unwrap(), Some(waiting));
    assert!(issue_comment::told(&mut conn, app, 7, 9).await.unwrap().is_empty());

    let answers = [done("build 1"), Answer::NotUnderstood { why: "no dance".into() }];
    let role = Some(Role::Deployer);
    issue_comment::answer(&mut conn, app, 11, &answers, role, at(2)).await.unwrap();
    assert_eq!(due(&mut conn, at(100)).await, None);
    assert_eq!(issue_comment::lock(&mut conn, app, 11).await.unwrap(), None);
    assert!(issue_comment::answer(&mut conn, app, 11, &answers, role, at(3)).await.is_err());
    let told = issue_comment::told(&mut conn, app, 7, 9).await.unwrap();
    let lines: Vec<_> =
        told.iter().map(|one| (one.said.as_str(), one.answer.sentence(), one.at)).collect();
    assert_eq!(lines, [("dance", "no dance", at(1)), ("deploy api", "build 1", at(1))]);
    assert_eq!(told[0].by.as_str(), "ada");
    assert!(issue_comment::told(&mut conn, app, 8, 9).await.unwrap().is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_nobody_asks_is_not_told(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    for (id, role) in [(11, Some(Role::Viewer)), (12, None), (13, Some(Role::Admin))] {
        take(&mut conn, &comment(app, id, id, "/greenroom help")).await;
        let answers = [done(&format!("answer {id}"))];
        issue_comment::answer(&mut conn, app, id, &answers, role, at(20)).await.unwrap();
    }
    let told = issue_comment::told(&mut conn, app, 7, 9).await.unwrap();
    let said: Vec<_> = told.iter().map(|one| one.answer.sentence()).collect();
    assert_eq!(said, ["answer 13", "answer 11"]);
    assert_eq!(issue_comment::told(&mut conn, app, 7, 1).await.unwrap().len(), 1);
    let repository = "acme/workshop".parse().unwrap();
    assert!(store::outbox::is_told(&mut conn, app, &repository, 7).await.unwrap());
    assert!(!store::outbox::is_told(&mut conn, app, &repository, 8).await.unwrap());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn who_waits_for_github_is_waited_for_on_the_same_pull_request(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    take(&mut conn, &comment(app, 12, 2, "/greenroom remove")).await;
    take(&mut conn, &comment(app, 11, 1, "/greenroom deploy")).await;
    let elsewhere = NewComment { pull_request: 8, ..comment(app, 13, 3, "/greenroom deploy") };
    take(&mut conn, &elsewhere).await;
    assert_eq!(due(&mut conn, at(10)).await, Some(11));
    assert!(issue_comment::troubled(&mut conn, 9).await.unwrap().is_empty());

    issue_comment::put_off(&mut conn, app, 11, "it answers 502", at(60)).await.unwrap();
    assert_eq!(due(&mut conn, at(10)).await, Some(13), "12 waits for 11");
    let troubled = issue_comment::troubled(&mut conn, 9).await.unwrap();
    assert_eq!(troubled.len(), 1);
    assert_eq!((troubled[0].error.as_str(), troubled[0].taken_at), ("it answers 502", at(1)));
    assert_eq!(issue_comment::due(&mut conn, at(60)).await.unwrap().unwrap().attempts, 0);
    issue_comment::answer(&mut conn, app, 13, &[done("")], None, at(11)).await.unwrap();
    let again = issue_comment::due(&mut conn, at(60)).await.unwrap().unwrap();
    assert_eq!((again.github_id, again.attempts), (11, 1));
    issue_comment::answer(&mut conn, app, 11, &[done("")], None, at(61)).await.unwrap();
    assert_eq!(due(&mut conn, at(61)).await, Some(12));
    assert!(issue_comment::troubled(&mut conn, 9).await.unwrap().is_empty());
    let gone = issue_comment::put_off(&mut conn, app, 11, "late", at(70)).await;
    assert!(gone.is_err(), "it has its answer");
}
