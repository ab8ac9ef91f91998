//! Pull requests: what was heard last counts, whatever comes when.

use model::stage::StageKind;
use model::{AppId, BranchName};
use sqlx::{PgConnection, PgPool};
use store::pull_request::{self, Heard, News, PullRequestState};

use crate::support::{app, at, new_stage, sha};

fn heard(number: i64, seconds: i64) -> Heard {
    Heard {
        number,
        branch: "feature/x".parse().unwrap(),
        base: "master".parse().unwrap(),
        commit: sha('a'),
        title: "Say hello".into(),
        author: "ann".into(),
        draft: false,
        state: PullRequestState::Open,
        changed_at: at(seconds),
    }
}

async fn state(conn: &mut PgConnection, app: AppId, number: i64) -> PullRequestState {
    pull_request::find(conn, app, number).await.unwrap().unwrap().state
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_event_that_comes_late_changes_nothing(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let closed = Heard { state: PullRequestState::Closed, ..heard(7, 20) };
    assert_eq!(pull_request::note(&mut conn, app, &closed).await.unwrap(), News::Fresh);
    assert_eq!(pull_request::note(&mut conn, app, &heard(7, 10)).await.unwrap(), News::Stale);
    assert_eq!(state(&mut conn, app, 7).await, PullRequestState::Closed);

    // of two within one second the one that comes last counts
    let again = Heard { commit: sha('b'), draft: true, ..heard(7, 20) };
    assert_eq!(pull_request::note(&mut conn, app, &again).await.unwrap(), News::Fresh);
    let known = pull_request::find(&mut conn, app, 7).await.unwrap().unwrap();
    assert_eq!((known.state, known.commit, known.draft), (PullRequestState::Open, sha('b'), true));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn it_is_known_since_when_the_head_is_what_it_is(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let mut since = Vec::new();
    for (commit, seconds) in [('a', 10), ('a', 20), ('b', 30), ('b', 31), ('a', 40)] {
        let heard = Heard { commit: sha(commit), ..heard(7, seconds) };
        pull_request::note(&mut conn, app, &heard).await.unwrap();
        let known = pull_request::find(&mut conn, app, 7).await.unwrap().unwrap();
        since.push(known.head_since);
    }
    assert_eq!(since, [10, 10, 30, 30, 40].map(at));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_branch_that_is_gone_takes_its_pull_requests_with_it_until_they_are_heard_of_again(
    pool: PgPool,
) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let stage = new_stage(app, "x", StageKind::Preview);
    store::stage::insert(&mut conn, &stage).await.unwrap();
    for number in [7, 8] {
        pull_request::note(&mut conn, app, &heard(number, 10)).await.unwrap();
        pull_request::set_stage(&mut conn, app, number, Some(stage.id)).await.unwrap();
    }
    let closed = Heard { state: PullRequestState::Closed, ..heard(8, 11) };
    pull_request::note(&mut conn, app, &closed).await.unwrap();
    let shown = pull_request::shown_in(&mut conn, stage.id).await.unwrap();
    assert_eq!(shown.iter().map(|one| one.number).collect::<Vec<_>>(), [7, 8]);

    let branch: BranchName = "feature/x".parse().unwrap();
    pull_request::branch_gone(&mut conn, app, &branch).await.unwrap();
    assert!(pull_request::shown_in(&mut conn, stage.id).await.unwrap().is_empty());
    assert!(pull_request::open_of(&mut conn, app, &branch).await.unwrap().is_empty());

    // GitHub closes what had the branch as its head, and may tell of that later
    let closed = Heard { state: PullRequestState::Closed, ..heard(7, 20) };
    pull_request::note(&mut conn, app, &closed).await.unwrap();
    assert_eq!(state(&mut conn, app, 7).await, PullRequestState::Gone);
    assert!(pull_request::shown_in(&mut conn, stage.id).await.unwrap().is_empty());

    pull_request::note(&mut conn, app, &heard(7, 30)).await.unwrap();
    let open = pull_request::open_of(&mut conn, app, &branch).await.unwrap();
    assert_eq!(open.iter().map(|one| one.number).collect::<Vec<_>>(), [7]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn whoever_waits_for_longest_is_first_and_a_closed_one_waits_no_more(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    assert!(pull_request::waiting_apps(&mut conn).await.unwrap().is_empty());
    for (number, since) in [(7, 30), (8, 20)] {
        pull_request::note(&mut conn, app, &heard(number, 10)).await.unwrap();
        pull_request::wait(&mut conn, app, number, at(since)).await.unwrap();
    }
    // a newer push does not send it to the end
    pull_request::note(&mut conn, app, &heard(8, 40)).await.unwrap();
    pull_request::wait(&mut conn, app, 8, at(40)).await.unwrap();
    assert_eq!(pull_request::waiting_apps(&mut conn).await.unwrap(), [app]);
    let first = pull_request::first_waiting(&mut conn, app).await.unwrap().unwrap();
    assert_eq!((first.number, first.waiting_since), (8, Some(at(20))));

    let closed = Heard { state: PullRequestState::Closed, ..heard(8, 50) };
    pull_request::note(&mut conn, app, &closed).await.unwrap();
    assert_eq!(pull_request::first_waiting(&mut conn, app).await.unwrap().unwrap().number, 7);
    pull_request::set_stage(&mut conn, app, 7, None).await.unwrap();
    assert!(pull_request::waiting_apps(&mut conn).await.unwrap().is_empty());
    assert!(pull_request::wait(&mut conn, app, 8, at(60)).await.is_err(), "it is closed");
}
