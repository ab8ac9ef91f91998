//! Who may read what others publish.

use std::collections::BTreeMap;

use model::app::Settings;
use model::deployment::InstanceState;
use model::job::JobKind;
use model::output::Scope;
use model::pipeline::Service;
use model::stage::{StageKind, StageState};
use model::worker_api::DeployedStack;
use model::{AppId, ArtifactId, StageId};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use store::instance::{self, Success};
use store::{app, output, stage};

use crate::support::{at, build, id, instance_in, new_stage, region, service, sha};

const HERE: &str = "111111111111";
const ELSEWHERE: &str = "222222222222";

/// An app whose stages dev and twin lie in one account, and prod in another; `env` names dev.
fn settings(name: &str, account: &str) -> Settings {
    let profile = |account: &str| {
        json!({
            "role_arn": format!("arn:aws:iam::{account}:role/greenroom-deploy"),
            "region": "us-east-1",
            "parameters": { "env": "dev" },
        })
    };
    serde_json::from_value(json!({
        "app": name,
        "repository": format!("acme/{name}"),
        "default_profile": "development",
        "profiles": { "development": profile(account), "production": profile("333333333333") },
        "stages": {
            "dev": { "profile": "development" },
            "twin": { "profile": "development" },
            "prod": { "profile": "production" },
        },
        "rules": [],
    }))
    .unwrap()
}

async fn a_stage(conn: &mut PgConnection, app: AppId, name: &str, kind: StageKind) -> StageId {
    let mut new = new_stage(app, name, kind);
    if name == "prod" {
        new.profile = "production".parse().unwrap();
    }
    stage::insert(conn, &new).await.unwrap();
    new.id
}

/// Deploys the database there.
async fn publish(conn: &mut PgConnection, app: AppId, stage: StageId, value: &str) {
    let spec = Service { published_as: Some("fullstack-database".into()), ..service("database") };
    let target = instance_in(conn, stage, "database", "us-east-1").await;
    let build = build(conn, app, stage).await;
    crate::support::job(conn, build, JobKind::Package, None).await;
    let stack = DeployedStack {
        stacks: vec!["database".into()],
        left_at: BTreeMap::new(),
        outputs: BTreeMap::from([("table".to_owned(), value.to_owned())]),
        endpoints: Vec::new(),
    };
    let success = Success {
        commit: &sha('a'),
        build_number: 1,
        artifact: ArtifactId(id()),
        spec: &spec,
        stack: &stack,
        read_at: None,
        parameters_digest: None,
        outputs_changed: true,
    };
    instance::deployed(conn, target, &success, at(1)).await.unwrap();
}

async fn apply(conn: &mut PgConnection, name: &str, account: &str) -> AppId {
    app::put(conn, AppId(id()), &settings(name, account), at(0)).await.unwrap()
}

async fn scope(conn: &mut PgConnection, app: AppId, of: StageId) -> Scope {
    let (app, of) = (app::get(conn, app).await.unwrap(), stage::get(conn, of).await.unwrap());
    output::scope(conn, &app, &of, &region("us-east-1")).await.unwrap()
}

fn tables(scope: &Scope) -> Vec<&str> {
    scope.published.iter().map(|published| published.outputs["table"].as_str()).collect()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_job_reads_its_own_stage_and_long_lived_ones_of_its_account(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = apply(&mut conn, "workshop", HERE).await;
    let neighbour = apply(&mut conn, "neighbour", HERE).await;
    let stranger = apply(&mut conn, "stranger", ELSEWHERE).await;
    let long_lived = StageKind::LongLived;
    let own = a_stage(&mut conn, app, "feature-x", StageKind::Preview).await;
    let places = [
        (app, own, "own"),
        (app, a_stage(&mut conn, app, "dev", long_lived).await, "dev"),
        (app, a_stage(&mut conn, app, "prod", long_lived).await, "another account"),
        (app, a_stage(&mut conn, app, "feature-y", StageKind::Preview).await, "another preview"),
        (app, a_stage(&mut conn, app, "alice", StageKind::Personal).await, "a personal stage"),
        (neighbour, a_stage(&mut conn, neighbour, "dev", long_lived).await, "neighbour"),
        (neighbour, a_stage(&mut conn, neighbour, "x", StageKind::Preview).await, "its preview"),
        (stranger, a_stage(&mut conn, stranger, "dev", long_lived).await, "a stranger"),
    ];
    for (app, stage, value) in places {
        publish(&mut conn, app, stage, value).await;
    }
    let found = scope(&mut conn, app, own).await;
    assert_eq!(tables(&found), ["own", "dev", "neighbour"]);
    assert_eq!(found.published[0].published_as.as_deref(), Some("fullstack-database"));
    assert_eq!(found.fallback_stage, Some("dev".parse().unwrap()));
    assert_eq!(tables(&scope(&mut conn, app, places[2].1).await), ["another account"]);

    let (rows, of) = (app::get(&mut conn, app).await.unwrap(), stage::get(&mut conn, own).await);
    let nothing = output::nothing(&rows, &of.unwrap(), &region("us-east-1"));
    assert_eq!((nothing.published.len(), nothing.fallback_stage), (0, None));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_published_stays_until_the_instance_is_removed(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = apply(&mut conn, "workshop", HERE).await;
    let dev = a_stage(&mut conn, app, "dev", StageKind::LongLived).await;
    instance_in(&mut conn, dev, "restapi", "us-east-1").await;
    assert!(tables(&scope(&mut conn, app, dev).await).is_empty(), "it was never deployed");
    publish(&mut conn, app, dev, "v1").await;
    let id = instance_in(&mut conn, dev, "database", "us-east-1").await;
    instance::set_running(&mut conn, id, InstanceState::Deploying, at(2)).await.unwrap();
    assert_eq!(tables(&scope(&mut conn, app, dev).await), ["v1"]);
    instance::failed(&mut conn, id, "rolled back", at(3)).await.unwrap();
    assert_eq!(tables(&scope(&mut conn, app, dev).await), ["v1"]);
    instance::set_running(&mut conn, id, InstanceState::Removing, at(4)).await.unwrap();
    assert_eq!(tables(&scope(&mut conn, app, dev).await), ["v1"], "others are removed before it");
    instance::removed(&mut conn, id, at(5)).await.unwrap();
    assert!(tables(&scope(&mut conn, app, dev).await).is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_that_is_closed_publishes_nothing(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = apply(&mut conn, "workshop", HERE).await;
    let dev = a_stage(&mut conn, app, "dev", StageKind::LongLived).await;
    let twin = a_stage(&mut conn, app, "twin", StageKind::LongLived).await;
    publish(&mut conn, app, dev, "dev").await;
    assert_eq!(tables(&scope(&mut conn, app, twin).await), ["dev"]);
    stage::set_state(&mut conn, dev, StageState::Closed, at(2)).await.unwrap();
    assert!(tables(&scope(&mut conn, app, twin).await).is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn only_previews_and_personal_stages_have_a_stage_to_fall_back_to(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = apply(&mut conn, "workshop", HERE).await;
    for (name, kind, expected) in [
        ("twin", StageKind::LongLived, None),
        ("feature-x", StageKind::Preview, Some("dev")),
        ("alice", StageKind::Personal, Some("dev")),
    ] {
        let of = a_stage(&mut conn, app, name, kind).await;
        let found = scope(&mut conn, app, of).await.fallback_stage;
        assert_eq!(found, expected.map(|name| name.parse().unwrap()), "{name}");
    }
    // a preview of another account than dev's cannot read what is there
    let mut kept = new_stage(app, "feature-y", StageKind::Preview);
    kept.profile = "production".parse().unwrap();
    stage::insert(&mut conn, &kept).await.unwrap();
    assert_eq!(scope(&mut conn, app, kept.id).await.fallback_stage, None);
}
