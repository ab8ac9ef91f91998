//! The outbox: the newest wish about each thing that GitHub shows, until GitHub has it.

use model::RepositoryName;
use model::comment::command::Reaction;
use model::status::deployment::{DeploymentState, Lasting};
use model::status::{Status, StatusState};
use sqlx::{PgConnection, PgPool};
use store::outbox::{
    self, CommentWish, DeploymentWish, OutboxRow, ReactionWish, Retire, StatusWish, Urgency, Want,
    Wish,
};

use crate::support::{at, id, sha};

async fn want(conn: &mut PgConnection, context: &str, state: StatusState, now: i64) -> bool {
    let status = Status { context: context.into(), state, description: "restapi".into() };
    want_of_build(conn, 1, &status, now).await
}

async fn want_of_build(conn: &mut PgConnection, build: i64, status: &Status, now: i64) -> bool {
    let target_url = format!("http://x/{build}");
    let wish = Wish::Status(StatusWish { commit: sha('a'), status: status.clone(), target_url });
    wished(conn, build, &wish, Urgency::Now, now).await
}

fn repository() -> RepositoryName {
    "acme/workshop".parse().unwrap()
}

async fn wished(
    conn: &mut PgConnection,
    build: i64,
    wish: &Wish,
    urgency: Urgency,
    now: i64,
) -> bool {
    let wishes = std::slice::from_ref(wish);
    let want = Want { repository: &repository(), build, wishes, urgency };
    outbox::want(conn, &id, &want, at(now)).await.unwrap()
}

async fn want_all(conn: &mut PgConnection, wishes: &[Wish], now: i64) -> bool {
    let want = Want { repository: &repository(), build: 1, wishes, urgency: Urgency::Now };
    outbox::want(conn, &id, &want, at(now)).await.unwrap()
}

fn status(row: &OutboxRow) -> &StatusWish {
    match &row.wish {
        Wish::Status(wish) => wish,
        other => panic!("{other:?}"),
    }
}

fn comment(body: &str) -> Wish {
    let marker = "<!-- marker -->".to_owned();
    Wish::Comment(CommentWish { pull_request: 7, marker, body: body.to_owned() })
}

fn deployment(build: i64, environment: &str, state: DeploymentState) -> Wish {
    Wish::Deployment(DeploymentWish {
        build,
        commit: sha('a'),
        environment: environment.to_owned(),
        lasting: Lasting::Transient,
        state,
        description: "running".to_owned(),
        environment_url: Some("https://preview.example".to_owned()),
        log_url: format!("http://x/{build}"),
    })
}

/// The states of all deployments, by environment and build.
async fn deployments(conn: &mut PgConnection) -> Vec<(String, i64, DeploymentState)> {
    let mut found: Vec<_> = outbox::due(conn, at(1_000_000), 100)
        .await
        .unwrap()
        .into_iter()
        .filter_map(|row| match row.wish {
            Wish::Deployment(wish) => Some((wish.environment, wish.build, wish.state)),
            Wish::Status(_) | Wish::Comment(_) | Wish::Reaction(_) => None,
        })
        .collect();
    found.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
    found
}

async fn due(conn: &mut PgConnection, now: i64) -> Vec<OutboxRow> {
    outbox::due(conn, at(now), 10).await.unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_comment_gets_each_reaction_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let reaction = |content| Wish::Reaction(ReactionWish { comment: 11, pull_request: 7, content });
    let (yes, no) = (reaction(Reaction::PlusOne), reaction(Reaction::MinusOne));
    assert!(wished(&mut conn, 0, &yes, Urgency::Now, 1).await);
    assert!(!wished(&mut conn, 0, &yes, Urgency::Now, 2).await);
    assert!(wished(&mut conn, 0, &no, Urgency::Now, 3).await);
    let rows = due(&mut conn, 10).await;
    let kept: Vec<_> = rows.iter().map(|row| (&row.wish, row.wish.what())).collect();
    let what = |content: &str| format!("reaction {content} to a comment");
    assert_eq!(kept, [(&yes, what("+1")), (&no, what("-1"))]);
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
        .map(|row| (status(row).status.context.as_str(), status(row).status.state))
        .collect();
    assert_eq!(
        seen,
        [("greenroom", StatusState::Pending), ("greenroom/test", StatusState::Success)]
    );
    assert_eq!(rows[1].version, 2);
    assert_eq!(status(&rows[0]).target_url, "http://x/1");
    assert_eq!(outbox::next_due(&mut conn).await.unwrap(), Some(at(1)));
    assert_eq!(outbox::pending(&mut conn).await.unwrap(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_a_build_wants_at_once_is_written_as_far_as_it_is_news(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let wish = |context: &str, state| {
        let status = Status { context: context.into(), state, description: "restapi".into() };
        let target_url = "http://x/1".into();
        Wish::Status(StatusWish { commit: sha('a'), status, target_url })
    };
    let mut wishes = ["greenroom", "greenroom/a/test", "greenroom/b/test"]
        .map(|context| wish(context, StatusState::Pending));
    assert!(want_all(&mut conn, &wishes, 1).await);
    wishes[1] = wish("greenroom/a/test", StatusState::Success);
    assert!(want_all(&mut conn, &wishes, 2).await);
    let versions: Vec<_> = due(&mut conn, 10)
        .await
        .iter()
        .map(|row| (status(row).status.context.clone(), row.version))
        .collect();
    let expected = [("greenroom", 1), ("greenroom/a/test", 2), ("greenroom/b/test", 1)];
    assert_eq!(versions.len(), expected.len());
    for (context, version) in expected {
        assert!(versions.contains(&(context.to_owned(), version)), "{context} in {versions:?}");
    }
    let twice = [wish("greenroom", StatusState::Pending), wish("greenroom", StatusState::Error)];
    assert!(want_all(&mut conn, &twice, 3).await, "of two about one thing the last counts");
    assert!(due(&mut conn, 10).await.iter().any(|row| status(row).status == *last(&twice)));
}

fn last(wishes: &[Wish]) -> &Status {
    match wishes.last() {
        Some(Wish::Status(wish)) => &wish.status,
        other => panic!("{other:?}"),
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_wanted_already_is_not_even_locked(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    want(&mut conn, "greenroom", StatusState::Pending, 1).await;
    let mut holder = pool.begin().await.unwrap();
    let held = due(&mut holder, 10).await;
    assert_eq!(held.len(), 1, "its row is locked");
    sqlx::query("set lock_timeout = '2s'").execute(&mut *conn).await.unwrap();
    assert!(!want(&mut conn, "greenroom", StatusState::Pending, 2).await);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_wish_that_changes_while_it_is_sent_is_sent_again(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    want(&mut conn, "greenroom", StatusState::Pending, 1).await;
    let row = due(&mut conn, 1).await.remove(0);
    want(&mut conn, "greenroom", StatusState::Success, 2).await;
    outbox::sent(&mut conn, row.id, row.version).await.unwrap();
    let newer = due(&mut conn, 2).await.remove(0);
    assert_eq!((newer.version, status(&newer).status.state), (2, StatusState::Success));
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
    assert_eq!((later.attempts, status(&later).status.state), (1, StatusState::Success));
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
    let said = |state| Status { context: "greenroom".into(), state, description: "x".into() };
    assert!(want_of_build(&mut conn, 2, &said(StatusState::Success), 1).await);
    assert!(!want_of_build(&mut conn, 1, &said(StatusState::Error), 2).await);
    assert_eq!(status(&due(&mut conn, 3).await[0]).status.state, StatusState::Success);
    assert!(want_of_build(&mut conn, 3, &said(StatusState::Pending), 4).await);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_github_made_of_a_wish_is_remembered_for_the_next(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    assert!(wished(&mut conn, 1, &comment("queued"), Urgency::Now, 1).await);
    let row = due(&mut conn, 1).await.remove(0);
    assert_eq!(row.github_id, None);
    outbox::remember(&mut conn, row.id, Some(4711)).await.unwrap();
    outbox::sent(&mut conn, row.id, row.version).await.unwrap();
    assert!(wished(&mut conn, 2, &comment("deployed"), Urgency::Now, 2).await);
    let row = due(&mut conn, 2).await.remove(0);
    assert_eq!((row.github_id, row.version), (Some(4711), 2));
    outbox::remember(&mut conn, row.id, None).await.unwrap();
    assert_eq!(due(&mut conn, 2).await[0].github_id, None, "a person has deleted it");
    let app = crate::support::app(&mut conn).await;
    assert!(outbox::is_told(&mut conn, app, &repository(), 7).await.unwrap());
    assert!(!outbox::is_told(&mut conn, app, &repository(), 8).await.unwrap());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn steps_on_the_way_are_sent_together_and_an_end_at_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    wished(&mut conn, 1, &comment("queued"), Urgency::Now, 0).await;
    let row = due(&mut conn, 0).await.remove(0);
    outbox::sent(&mut conn, row.id, row.version).await.unwrap();
    for (now, step) in [(1, "packaging"), (2, "deploying"), (3, "still deploying")] {
        wished(&mut conn, 1, &comment(step), Urgency::Soon, now).await;
    }
    assert!(due(&mut conn, 3).await.is_empty());
    let row = due(&mut conn, 4).await.remove(0);
    assert_eq!(row.wish, comment("still deploying"), "later steps do not put it off");
    wished(&mut conn, 1, &comment("deployed"), Urgency::Now, 3).await;
    assert_eq!(due(&mut conn, 3).await[0].wish, comment("deployed"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_github_that_wants_to_be_left_alone_is_left_alone_for_every_repository_of_the_owner(
    pool: PgPool,
) {
    let mut conn = pool.acquire().await.unwrap();
    want(&mut conn, "greenroom", StatusState::Pending, 1).await;
    wished(&mut conn, 1, &comment("queued"), Urgency::Now, 1).await;
    let other: RepositoryName = "other/workshop".parse().unwrap();
    let wishes = [comment("queued")];
    let wanted = Want { repository: &other, build: 1, wishes: &wishes, urgency: Urgency::Now };
    outbox::want(&mut conn, &id, &wanted, at(1)).await.unwrap();
    outbox::hold(&mut conn, &"ACME/shop".parse().unwrap(), at(60)).await.unwrap();
    let left = due(&mut conn, 59).await;
    assert_eq!(left.iter().map(|row| &row.repository).collect::<Vec<_>>(), [&other]);
    assert_eq!(due(&mut conn, 60).await.len(), 3);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_deployment_ends_the_older_ones_of_its_environment_and_no_other(pool: PgPool) {
    use DeploymentState as S;
    let mut conn = pool.acquire().await.unwrap();
    for (build, environment, state) in [
        (1, "preview/a", S::Success),
        (2, "preview/a", S::Failure),
        (3, "preview/a", S::Success),
        (2, "preview/b", S::Success),
    ] {
        let wish = deployment(build, environment, state);
        assert!(wished(&mut conn, build, &wish, Urgency::Now, 1).await);
    }
    let retire = async |conn: &mut PgConnection, which| {
        outbox::retire(conn, &repository(), "preview/a", which, "replaced", at(2)).await.unwrap()
    };
    assert!(retire(&mut conn, Retire::OlderThan(3)).await);
    assert!(!retire(&mut conn, Retire::OlderThan(3)).await, "they have ended");
    let all = |states: [S; 4]| -> Vec<(String, i64, S)> {
        let places = [("preview/a", 1), ("preview/a", 2), ("preview/a", 3), ("preview/b", 2)];
        let named = places.into_iter().zip(states);
        named.map(|((name, build), state)| (name.to_owned(), build, state)).collect()
    };
    let expected = all([S::Inactive, S::Failure, S::Success, S::Success]);
    assert_eq!(deployments(&mut conn).await, expected);

    let late = deployment(1, "preview/a", S::Success);
    assert!(!wished(&mut conn, 1, &late, Urgency::Now, 3).await, "what has ended stays ended");
    assert_eq!(deployments(&mut conn).await, expected);

    assert!(retire(&mut conn, Retire::AllUpTo(3)).await);
    let expected = all([S::Inactive, S::Inactive, S::Inactive, S::Success]);
    assert_eq!(deployments(&mut conn).await, expected);
    assert!(!retire(&mut conn, Retire::Only(9)).await, "there is no such build");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_made_on_github_is_still_known_under_the_repository_s_new_name(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    wished(&mut conn, 1, &comment("queued"), Urgency::Now, 1).await;
    let row = due(&mut conn, 1).await.remove(0);
    outbox::remember(&mut conn, row.id, Some(4711)).await.unwrap();
    let renamed: RepositoryName = "acme/shop".parse().unwrap();
    outbox::rename(&mut conn, &repository(), &renamed).await.unwrap();
    let row = due(&mut conn, 1).await.remove(0);
    assert_eq!((row.repository, row.github_id), (renamed, Some(4711)));
}
