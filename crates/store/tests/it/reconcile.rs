//! What reconciling remembers, and what it asks of builds.

use chrono::{DateTime, Utc};
use model::build::{BuildEvent, Purpose};
use model::reconcile::Part;
use model::{AppId, StageId};
use sqlx::{PgConnection, PgPool};
use store::{build, reconcile};

use crate::support::{at, new_build, sha, world};

async fn built(
    conn: &mut PgConnection,
    (app, stage): (AppId, StageId),
    event: BuildEvent,
    commit: char,
    when: DateTime<Utc>,
) -> i64 {
    let mut new = new_build(conn, app, stage).await;
    new.event = event;
    new.source.commit = sha(commit);
    new.source.pull_request = (event == BuildEvent::PullRequest).then_some(12);
    new.created_at = when;
    build::insert(conn, &new).await.unwrap();
    new.number
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn how_a_part_fares_is_one_row_of_its_last_looks(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, ..) = world(&mut conn).await;
    let part = Part::Branches;
    assert_eq!(reconcile::succeeded_at(&mut conn, part, Some(app)).await.unwrap(), None);
    reconcile::went_well(&mut conn, part, Some(app), at(10)).await.unwrap();
    reconcile::failed(&mut conn, part, Some(app), "GitHub is away", at(20)).await.unwrap();
    let fares = reconcile::list(&mut conn).await.unwrap();
    let [fare] = &fares[..] else { panic!("one row: {fares:?}") };
    assert_eq!((fare.succeeded_at, fare.failed_at), (Some(at(10)), Some(at(20))));
    assert_eq!(fare.reason.as_deref(), Some("GitHub is away"));
    assert_eq!(fare.app.as_ref().unwrap().as_str(), "workshop");
    let since = reconcile::succeeded_at(&mut conn, part, Some(app)).await.unwrap();
    assert_eq!(since, Some(at(10)));
    reconcile::went_well(&mut conn, part, Some(app), at(30)).await.unwrap();
    let fare = reconcile::list(&mut conn).await.unwrap().remove(0);
    assert_eq!((fare.succeeded_at, fare.reason), (Some(at(30)), None));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_part_that_is_off_says_why_until_it_is_on_again(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    reconcile::set_off(&mut conn, Part::Deliveries, None, "no identity", at(1)).await.unwrap();
    reconcile::set_off(&mut conn, Part::Deliveries, None, "no identity", at(2)).await.unwrap();
    let fares = reconcile::list(&mut conn).await.unwrap();
    assert_eq!((fares.len(), fares[0].off), (1, true));
    reconcile::set_on(&mut conn).await.unwrap();
    assert!(reconcile::list(&mut conn).await.unwrap().is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_app_that_waits_for_longest_is_looked_at_first(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (first, ..) = world(&mut conn).await;
    let settings = crate::support::settings("second", "acme/second");
    let second = AppId(crate::support::id());
    store::app::put(&mut conn, second, &settings, at(0)).await.unwrap();
    reconcile::went_well(&mut conn, Part::Branches, Some(first), at(10)).await.unwrap();
    let mut next = async || {
        let apps = reconcile::next_apps(&mut conn, 10).await.unwrap();
        apps.into_iter().map(|app| app.id).collect::<Vec<_>>()
    };
    assert_eq!(next().await, [second, first]);
    reconcile::failed(&mut conn, Part::Branches, Some(second), "x", at(20)).await.unwrap();
    let apps = reconcile::next_apps(&mut conn, 1).await.unwrap();
    assert_eq!(apps[0].id, first);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_newest_build_by_rule_says_what_was_built_of_a_branch(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, _) = world(&mut conn).await;
    let place = (app, staging);
    let (stage, branch) = ("Staging".parse().unwrap(), "master".parse().unwrap());
    built(&mut conn, place, BuildEvent::Push, 'b', at(5)).await;
    let by_hand = built(&mut conn, place, BuildEvent::Manual, 'c', at(6)).await;
    let mut newest = async |head| {
        let head = sha(head);
        let found = reconcile::built_of_branch(&mut conn, app, &stage, &branch, &head);
        found.await.unwrap().map(|built| (built.number, built.commit, built.created_at))
    };
    assert_eq!(newest('d').await, Some((by_hand - 1, sha('b'), at(5))));
    assert_eq!(newest('c').await, Some((by_hand, sha('c'), at(6))), "somebody built the head");
    let (other, head) = ("other".parse().unwrap(), sha('b'));
    let none = reconcile::built_of_branch(&mut conn, app, &stage, &other, &head).await.unwrap();
    assert_eq!(none, None);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_newest_build_of_a_pull_request_and_of_its_stage_are_found(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, _) = world(&mut conn).await;
    let number = built(&mut conn, (app, staging), BuildEvent::PullRequest, 'b', at(5)).await;
    let found = reconcile::built_of_pull_request(&mut conn, app, 12, &sha('c')).await.unwrap();
    assert_eq!(found.map(|built| built.number), Some(number));
    let none = reconcile::built_of_pull_request(&mut conn, app, 13, &sha('c')).await.unwrap();
    assert_eq!(none, None);
    let latest = reconcile::latest_on(&mut conn, staging).await.unwrap().unwrap();
    assert_eq!((latest.number, latest.purpose), (number, Purpose::Deploy));
}
