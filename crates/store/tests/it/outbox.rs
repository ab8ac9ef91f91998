//! The outbox: the newest wish per commit and context, until GitHub has it.

use model::status::{Status, StatusState};
use sqlx::{PgConnection, PgPool};
use store::outbox::{self, OutboxRow, Want};

use crate::support::{at, id, sha};

async fn want(conn: &mut PgConnection, context: &str, state: StatusState, now: i64) -> bool {
    let status = Status { context: context.into(), state, description: "restapi".into() };
    want_of_build(conn, 1, &status, now).await
}

async fn want_of_build(conn: &mut PgConnection, build: i64, status: &Status, now: i64) -> bool {
    let want = Want {
        repository: &"acme/workshop".parse().unwrap(),
        commit: &sha('a'),
        build,
        status,
        target_url: &format!("http://x/{build}"),
    };
    outbox::want(conn, id(), &want, at(now)).await.unwrap()
}

async fn due(conn: &mut PgConnection, now: i64) -> Vec<OutboxRow> {
    outbox::due(conn, at(now), 10).await.unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn wishes_for_one_context_become_one_and_the_oldest_row_is_first(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    assert!(want(&mut conn, "greenroom", StatusState::Pending, 1).await);
    assert!(want(&mut conn, "greenroom/test", StatusState::Pending, 2).await);
    assert!(!want(&mut conn, "greenroom", StatusState::Pending, 3).await, "it is wanted already");
    assert!(want(&mut conn, "greenroom/test", StatusState::Success, 4).await);
    let rows = due(&mut conn, 10).await;
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.wanted.status.context.as_str(), row.wanted.status.state))
        .collect();
    assert_eq!(
        seen,
        [("greenroom", StatusState::Pending), ("greenroom/test", StatusState::Success)]
    );
    assert_eq!(rows[1].version, 2);
    assert_eq!(rows[0].wanted.target_url, "http://x/1");
    assert_eq!(outbox::next_due(&mut conn).await.unwrap(), Some(at(1)));
    assert_eq!(outbox::pending(&mut conn).await.unwrap(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_wish_that_changes_while_it_is_sent_is_sent_again(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    want(&mut conn, "greenroom", StatusState::Pending, 1).await;
    let row = due(&mut conn, 1).await.remove(0);
    want(&mut conn, "greenroom", StatusState::Success, 2).await;
    outbox::sent(&mut conn, row.id, row.version).await.unwrap();
    let newer = due(&mut conn, 2).await.remove(0);
    assert_eq!((newer.version, newer.wanted.status.state), (2, StatusState::Success));
    outbox::sent(&mut conn, newer.id, newer.version).await.unwrap();
    outbox::sent(&mut conn, row.id, row.version).await.unwrap();
    assert!(due(&mut conn, 100).await.is_empty());
    assert_eq!(outbox::pending(&mut conn).await.unwrap(), 0);
    assert!(outbox::sent(&mut conn, row.id, 9).await.is_err(), "a version that was never wanted");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_newer_wish_does_not_cut_short_the_wait_that_github_asked_for(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    want(&mut conn, "greenroom", StatusState::Pending, 1).await;
    let row = due(&mut conn, 1).await.remove(0);
    outbox::retry(&mut conn, row.id, "403, retry after 60 s", at(60)).await.unwrap();
    want(&mut conn, "greenroom", StatusState::Success, 5).await;
    assert!(due(&mut conn, 59).await.is_empty());
    let later = due(&mut conn, 60).await.remove(0);
    assert_eq!((later.attempts, later.wanted.status.state), (1, StatusState::Success));
    assert_eq!(later.last_error.as_deref(), Some("403, retry after 60 s"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_given_up_is_tried_anew_when_something_else_is_wanted(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    want(&mut conn, "greenroom", StatusState::Pending, 1).await;
    let row = due(&mut conn, 1).await.remove(0);
    outbox::reject(&mut conn, row.id, "422 no such commit", at(2)).await.unwrap();
    assert!(due(&mut conn, 100).await.is_empty());
    assert_eq!(outbox::pending(&mut conn).await.unwrap(), 0);
    let troubled = outbox::troubled(&mut conn, 10).await.unwrap();
    assert_eq!(troubled[0].rejected_at, Some(at(2)));
    want(&mut conn, "greenroom", StatusState::Success, 3).await;
    assert_eq!(due(&mut conn, 3).await.len(), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_older_build_of_the_same_commit_has_no_say_any_more(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let status = |state| Status { context: "greenroom".into(), state, description: "x".into() };
    assert!(want_of_build(&mut conn, 2, &status(StatusState::Success), 1).await);
    assert!(!want_of_build(&mut conn, 1, &status(StatusState::Error), 2).await);
    assert_eq!(due(&mut conn, 3).await[0].wanted.status.state, StatusState::Success);
    assert!(want_of_build(&mut conn, 3, &status(StatusState::Pending), 4).await);
}
