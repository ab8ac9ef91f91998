//! Stacks that say they are ours, held against what the rows know.

use model::deployment::InstanceState;
use model::stage::{StageKind, StageState};
use model::sweep::{Place, TaggedStack, Verdict, judge};
use model::worker_api::DeployedStack;
use model::{AppId, ArtifactId, InstanceId, OrphanId, ProfileName, StageId};
use sqlx::{PgConnection, PgPool};
use store::instance::Success;
use store::orphan::{self, Look, Orphan};
use store::{instance, stage};

use crate::support::{app, at, id, new_stage, region, service, sha};

const ACCOUNT: &str = "111111111111";

fn stack(name: &str, stage: Option<&str>, service: Option<&str>) -> TaggedStack {
    TaggedStack {
        name: name.into(),
        id: format!("arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/{name}/1"),
        region: region("us-east-1"),
        app: "workshop".into(),
        stage: stage.map(Into::into),
        service: service.map(Into::into),
        build: Some(7),
        status: "CREATE_COMPLETE".into(),
        created_at: Some(at(1)),
        changed_at: None,
    }
}

fn profile() -> ProfileName {
    "development".parse().unwrap()
}

async fn deploy(conn: &mut PgConnection, stage: StageId, stacks: &[&str]) -> InstanceId {
    let target = crate::support::instance(conn, stage, "restapi").await;
    let deployed = DeployedStack {
        stacks: stacks.iter().map(|name| (*name).to_owned()).collect(),
        left_at: [].into(),
        outputs: [].into(),
        endpoints: Vec::new(),
    };
    let success = Success {
        commit: &sha('a'),
        build_number: 7,
        artifact: ArtifactId(id()),
        spec: &service("restapi"),
        stack: &deployed,
        read_at: None,
        parameters_digest: None,
        outputs_changed: false,
    };
    instance::deployed(conn, target, &success, at(2)).await.unwrap();
    target
}

/// What a worker's list comes to, as the end of a sweep writes it.
async fn sweep(conn: &mut PgConnection, app: AppId, found: &[TaggedStack], seconds: i64) {
    let profile = profile();
    let look = Look { app, profile: &profile, account: ACCOUNT, now: at(seconds) };
    let places = orphan::places(conn, found).await.unwrap();
    let mut known = Vec::new();
    for (stack, place) in found.iter().zip(&places) {
        match judge(stack, place, at(seconds)) {
            Verdict::Known => known.push(stack.id.as_str()),
            Verdict::Unsure => {}
            Verdict::Orphan(why) => {
                orphan::seen(conn, OrphanId(id()), stack, &why, look).await.unwrap();
            }
        }
    }
    orphan::settle(conn, &[region("us-east-1")], found, &known, look).await.unwrap();
}

async fn names(conn: &mut PgConnection) -> Vec<String> {
    let found: Vec<Orphan> = orphan::list(conn).await.unwrap();
    found.into_iter().map(|orphan| orphan.name).collect()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn each_place_that_tags_can_name_is_told_apart(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let staging = crate::support::stage(&mut conn, app, "staging").await;
    deploy(&mut conn, staging, &["restapi-staging"]).await;
    let old = new_stage(app, "old", StageKind::Preview);
    stage::insert(&mut conn, &old).await.unwrap();
    stage::set_state(&mut conn, old.id, StageState::Closed, at(5)).await.unwrap();
    let foreign = TaggedStack { app: "other".into(), ..stack("x", Some("staging"), None) };
    let elsewhere = TaggedStack {
        region: region("eu-west-1"),
        ..stack("restapi-staging", Some("staging"), Some("restapi"))
    };
    let found = [
        stack("restapi-staging", Some("STAGING"), Some("restapi")),
        foreign,
        stack("a", None, Some("restapi")),
        stack("b", Some("never"), Some("restapi")),
        stack("c", Some("old"), Some("restapi")),
        stack("d", Some("staging"), Some("gone")),
        stack("e", Some("staging"), None),
        elsewhere,
    ];
    let instance = Place::Instance {
        state: InstanceState::Deployed,
        stacks: vec!["restapi-staging".into()],
        updated_at: at(2),
    };
    assert_eq!(
        orphan::places(&mut conn, &found).await.unwrap(),
        [
            instance,
            Place::NoApp,
            Place::NoStage,
            Place::NoStage,
            Place::Closed { at: at(5) },
            Place::NoInstance,
            Place::NoInstance,
            Place::NoInstance,
        ]
    );
    assert_eq!(orphan::places(&mut conn, &[]).await.unwrap(), []);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_orphan_is_there_until_a_sweep_does_not_see_it(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let lost = stack("lost", Some("never"), None);
    sweep(&mut conn, app, std::slice::from_ref(&lost), 10).await;
    sweep(&mut conn, app, std::slice::from_ref(&lost), 20).await;
    let found = orphan::list(&mut conn).await.unwrap();
    let [orphan] = &found[..] else { panic!("one row of it: {found:?}") };
    assert_eq!((orphan.first_seen_at, orphan.last_seen_at), (at(10), at(20)));
    assert_eq!(orphan.tagged(), lost);
    assert!(orphan.why.starts_with("workshop never had a stage never"), "{}", orphan.why);

    sweep(&mut conn, app, &[], 30).await;
    assert_eq!(names(&mut conn).await, [""; 0]);
    let gone = orphan::get(&mut conn, orphan.id).await.unwrap();
    assert_eq!(gone.gone_at, Some(at(30)));
    sweep(&mut conn, app, &[lost], 40).await;
    assert_eq!(names(&mut conn).await, ["lost"], "the same stack again keeps its row");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stack_that_a_stage_came_to_know_is_no_orphan_any_more(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let found = [stack("restapi-staging", Some("staging"), Some("restapi"))];
    sweep(&mut conn, app, &found, 10).await;
    assert_eq!(names(&mut conn).await, ["restapi-staging"]);
    let staging = crate::support::stage(&mut conn, app, "staging").await;
    deploy(&mut conn, staging, &["restapi-staging"]).await;
    sweep(&mut conn, app, &found, 20).await;
    assert_eq!(names(&mut conn).await, [""; 0]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_keeps_an_orphan_is_told_until_its_removal_is_asked_for_again(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, _, build) = crate::support::world(&mut conn).await;
    sweep(&mut conn, app, &[stack("lost", None, None)], 10).await;
    let orphan = orphan::list(&mut conn).await.unwrap().remove(0).id;
    orphan::set_removal(&mut conn, orphan, build).await.unwrap();
    orphan::kept(&mut conn, orphan, "it is protected").await.unwrap();
    let kept = orphan::get(&mut conn, orphan).await.unwrap();
    assert_eq!(kept.kept_because.as_deref(), Some("it is protected"));
    orphan::set_removal(&mut conn, orphan, build).await.unwrap();
    assert_eq!(orphan::get(&mut conn, orphan).await.unwrap().kept_because, None);
    orphan::removed(&mut conn, orphan, at(20)).await.unwrap();
    assert_eq!(orphan::get(&mut conn, orphan).await.unwrap().gone_at, Some(at(20)));
    let missing = orphan::set_removal(&mut conn, OrphanId(id()), build).await;
    assert!(matches!(missing, Err(store::Error::NotFound { .. })));
}
