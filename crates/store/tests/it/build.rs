//! Builds: one per delivery, settled when marked, superseded by newer ones, paged by key.

use std::collections::BTreeSet;

use model::ServiceName;
use model::build::{BuildOutcome, Purpose};
use model::job::{JobKind, Outcome};
use model::plan::{Decision, PlannedService};
use model::worker_api::Register;
use sqlx::PgPool;
use store::build::{self, Before, BuildFilter, BuildState, NewBuild, Wait};
use store::{Error, job};

use crate::support::{at, claim, new_build, service, settle, sha, stage, world};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_build_reads_back_with_its_names(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, stage, id) = world(&mut conn).await;
    let found = build::get(&mut conn, id).await.unwrap();
    assert_eq!(
        (found.app.as_str(), found.stage.as_ref().unwrap().as_str()),
        ("workshop", "staging")
    );
    assert_eq!((found.number, found.state, found.stage_id), (1, BuildState::Running, Some(stage)));
    assert_eq!(build::find(&mut conn, app, 1).await.unwrap(), Some(found.clone()));
    assert_eq!(build::find(&mut conn, app, 2).await.unwrap(), None);
    let planned = vec![PlannedService {
        region: Some("us-east-1".parse().unwrap()),
        service: service("restapi"),
        decision: Decision::Run { reason: "never deployed".into() },
    }];
    build::set_planned(&mut conn, id, &planned).await.unwrap();
    assert_eq!(build::get(&mut conn, id).await.unwrap().planned, Some(planned));
    assert_eq!(build::unfinished_on(&mut conn, stage).await.unwrap().len(), 1);
    let branch = "master".parse().unwrap();
    assert_eq!(build::latest_for_branch(&mut conn, app, &branch).await.unwrap().unwrap().id, id);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn one_delivery_makes_one_build_of_a_purpose_for_each_stage(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, stage, _) = world(&mut conn).await;
    let guid = Some("delivery-1".to_owned());
    let first = NewBuild { delivery_guid: guid.clone(), ..new_build(&mut conn, app, stage).await };
    build::insert(&mut conn, &first).await.unwrap();
    let again = NewBuild { delivery_guid: guid.clone(), ..new_build(&mut conn, app, stage).await };
    let known = build::insert(&mut conn, &again).await.unwrap_err();
    assert_eq!(known.constraint(), Some("build_delivery_key"));
    let other = NewBuild {
        purpose: Purpose::Remove,
        delivery_guid: guid,
        ..new_build(&mut conn, app, stage).await
    };
    build::insert(&mut conn, &other).await.unwrap();
    let elsewhere = crate::support::stage(&mut conn, app, "prod").await;
    let guid = Some("delivery-1".to_owned());
    let beside = NewBuild { delivery_guid: guid, ..new_build(&mut conn, app, elsewhere).await };
    build::insert(&mut conn, &beside).await.unwrap();
    // builds by hand have no delivery to share
    for _ in 0..2 {
        let by_hand = new_build(&mut conn, app, stage).await;
        build::insert(&mut conn, &by_hand).await.unwrap();
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_build_starts_with_its_first_claim_and_ends_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, id) = world(&mut conn).await;
    crate::support::job(&mut conn, id, JobKind::Plan, None).await;
    assert_eq!(build::get(&mut conn, id).await.unwrap().started_at, None);
    let held = claim(&mut conn).await.unwrap();
    assert_eq!(build::get(&mut conn, id).await.unwrap().started_at, Some(at(10)));
    job::finish(&mut conn, held.id, 1, &Outcome::Succeeded, None, at(20)).await.unwrap();
    build::finish(&mut conn, id, BuildOutcome::Skipped, Some("nothing to do"), at(30))
        .await
        .unwrap();
    let ended = build::get(&mut conn, id).await.unwrap();
    assert_eq!((ended.state, ended.outcome), (BuildState::Finished, Some(BuildOutcome::Skipped)));
    assert_eq!((ended.started_at, ended.finished_at), (Some(at(10)), Some(at(30))));
    let again = build::finish(&mut conn, id, BuildOutcome::Failed, None, at(40)).await;
    assert!(matches!(again, Err(Error::NotFound { .. })));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_newer_build_supersedes_the_unfinished_older_ones_of_its_stage(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, first) = world(&mut conn).await;
    let second = crate::support::build(&mut conn, app, staging).await;
    let elsewhere = stage(&mut conn, app, "prod").await;
    let other = crate::support::build(&mut conn, app, elsewhere).await;
    let newest = crate::support::build(&mut conn, app, staging).await;
    build::request_cancel(&mut conn, first, "asked to", at(1)).await.unwrap();
    settle(&mut conn).await;
    let superseded = build::supersede(&mut conn, staging, 4, 4, None, at(2)).await.unwrap();
    assert_eq!(superseded, [second]);
    assert_eq!(settle(&mut conn).await, [second]);
    let found = build::get(&mut conn, second).await.unwrap();
    assert_eq!(found.superseded_by, Some(4));
    assert_eq!(found.cancel_reason.as_deref(), Some("superseded by build 4"));
    assert_eq!(found.cancel_requested_at, Some(at(2)));
    for untouched in [other, newest] {
        assert_eq!(build::get(&mut conn, untouched).await.unwrap().cancel_requested_at, None);
    }
    let asked = build::get(&mut conn, first).await.unwrap();
    assert_eq!(asked.cancel_reason.as_deref(), Some("asked to"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_build_for_some_services_supersedes_no_work_on_others(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, all) = world(&mut conn).await;
    let services = |names: &[&str]| -> BTreeSet<ServiceName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    };
    let mut made = Vec::new();
    for names in [&["restapi"][..], &["restapi", "tasks"], &["tasks"]] {
        let wanted = Some(services(names));
        let new = NewBuild { services: wanted, ..new_build(&mut conn, app, staging).await };
        build::insert(&mut conn, &new).await.unwrap();
        made.push(new.id);
    }
    let newer = services(&["database", "restapi"]);
    let ended = build::supersede(&mut conn, staging, 9, 9, Some(&newer), at(1)).await.unwrap();
    assert_eq!(ended, [made[0]]);
    for kept in [all, made[1], made[2]] {
        assert_eq!(build::get(&mut conn, kept).await.unwrap().cancel_requested_at, None);
    }
    let ended = build::supersede(&mut conn, staging, 9, 9, None, at(2)).await.unwrap();
    assert_eq!(ended.len(), 3);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn asking_to_cancel_marks_the_build_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, id) = world(&mut conn).await;
    settle(&mut conn).await;
    build::request_cancel(&mut conn, id, "asked to", at(1)).await.unwrap();
    assert_eq!(settle(&mut conn).await, [id]);
    build::request_cancel(&mut conn, id, "asked twice", at(2)).await.unwrap();
    assert!(settle(&mut conn).await.is_empty());
    assert_eq!(build::get(&mut conn, id).await.unwrap().cancel_reason.as_deref(), Some("asked to"));
    let missing =
        build::request_cancel(&mut conn, model::BuildId(crate::support::id()), "x", at(2)).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_change_during_a_pass_is_not_overlooked(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, id) = world(&mut conn).await;
    crate::support::job(&mut conn, id, JobKind::Plan, None).await;
    let mut pass = pool.begin().await.unwrap();
    assert_eq!(settle(&mut pass).await, [id]);
    // while the pass holds the build, a worker claims: it neither waits nor is forgotten
    assert!(claim(&mut conn).await.is_some());
    assert!(settle(&mut conn).await.is_empty(), "the pass still holds the build");
    pass.commit().await.unwrap();
    assert_eq!(settle(&mut conn).await, [id]);
    assert!(settle(&mut conn).await.is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_pass_that_dies_leaves_its_marks(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, id) = world(&mut conn).await;
    let mut pass = pool.begin().await.unwrap();
    assert_eq!(settle(&mut pass).await, [id]);
    pass.rollback().await.unwrap();
    assert_eq!(settle(&mut conn).await, [id]);
    build::mark_dirty(&mut conn, id).await.unwrap();
    assert_eq!(settle(&mut conn).await, [id]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn lists_are_filtered_and_paged_newest_first(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, first) = world(&mut conn).await;
    let prod = stage(&mut conn, app, "prod").await;
    let mut second = new_build(&mut conn, app, prod).await;
    second.source.commit = sha('b');
    second.source.branch = Some("prod".parse().unwrap());
    build::insert(&mut conn, &second).await.unwrap();
    let third = crate::support::build(&mut conn, app, staging).await;
    build::finish(&mut conn, third, BuildOutcome::Succeeded, None, at(1)).await.unwrap();

    let page = BuildFilter { limit: 2, ..BuildFilter::default() };
    let cases = [
        (BuildFilter { ..page.clone() }, vec![third, second.id]),
        (BuildFilter { before: Some(Before::Id(second.id)), ..page.clone() }, vec![first]),
        (BuildFilter { app: Some(app), ..page.clone() }, vec![third, second.id]),
        (
            BuildFilter { app: Some(app), before: Some(Before::Number(2)), ..page.clone() },
            vec![first],
        ),
        (BuildFilter { stage: Some(prod), ..page.clone() }, vec![second.id]),
        (
            BuildFilter { app: Some(app), branch: Some("prod".parse().unwrap()), ..page.clone() },
            vec![second.id],
        ),
        (BuildFilter { app: Some(app), commit: Some(sha('b')), ..page.clone() }, vec![second.id]),
        (BuildFilter { state: Some(BuildState::Running), ..page.clone() }, vec![second.id, first]),
        (BuildFilter { state: Some(BuildState::Waiting), ..page.clone() }, vec![]),
        (BuildFilter { state: Some(BuildState::Finished), ..page.clone() }, vec![third]),
    ];
    for (filter, expected) in cases {
        let found = build::list(&mut conn, &filter).await.unwrap();
        assert_eq!(found.iter().map(|build| build.id).collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_search_finds_commits_titles_branches_and_authors(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, first) = world(&mut conn).await;
    let mut second = new_build(&mut conn, app, staging).await;
    second.source.commit = sha('b');
    second.source.branch = Some("feature/100%_sure".parse().unwrap());
    second.source.title = "Write the Table again".into();
    second.source.author = "grace".into();
    build::insert(&mut conn, &second).await.unwrap();
    let page = BuildFilter { limit: 10, ..BuildFilter::default() };
    for (text, hit) in [
        ("bbbbbb", true),
        ("BBBB", true),
        ("the table", true),
        ("100%_s", true),
        ("100%x", false),
        ("Grace", true),
        ("nothing like that", false),
        ("'; drop table build; --", false),
    ] {
        let found = build::search(&mut conn, &page, text).await.unwrap();
        let ids: Vec<_> = found.builds.iter().map(|build| build.id).collect();
        assert_eq!(ids.contains(&second.id), hit, "{text}: {ids:?}");
        assert!(!ids.contains(&first), "{text}");
        assert_eq!(found.looked_to, None, "there is nothing older to look at");
    }
    let elsewhere = BuildFilter { apps: Some(Vec::new()), ..page };
    let found = build::search(&mut conn, &elsewhere, "grace").await.unwrap();
    assert!(found.builds.is_empty(), "of an app that nobody asked for");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_unfinished_build_says_what_it_waits_for(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, first) = world(&mut conn).await;
    crate::support::job(&mut conn, first, JobKind::Plan, None).await;
    let second = crate::support::build(&mut conn, app, staging).await;
    crate::support::job(&mut conn, second, JobKind::Plan, None).await;
    let both = [first, second];
    let waits = build::waits(&mut conn, &both, at(1_000_000)).await.unwrap();
    assert_eq!(waits.get(&first), Some(&Wait::NoWorker));
    let hello = Register {
        name: "embedded".into(),
        incarnation: uuid::Uuid::from_u128(1),
        slots: 1,
        version: "0.1.0".into(),
        executor: "bubblewrap".into(),
    };
    let id = model::WorkerId(crate::support::id());
    store::worker::register(&mut conn, id, &hello, at(0)).await.unwrap();
    assert!(claim(&mut conn).await.is_some());
    let waits = build::waits(&mut conn, &both, at(-100)).await.unwrap();
    assert_eq!(waits.get(&first), None, "it runs");
    assert_eq!(waits.get(&second), Some(&Wait::Queued(0)));
}
