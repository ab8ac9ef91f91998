//! The page of a stage: what is there, what it is deployed with, what it reads from elsewhere; and
//! the line of a service on the board.

use model::job::JobKind;
use model::stage::StageKind;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::page_scene::{Deployed, Scene, Wanted, planned, run, service, shown};
use crate::support::{COMMIT, Server, workshop};

const STAGING: &str = "/apps/workshop/stages/staging";

fn deployed<'a>(service: &'a str, outputs: &'a [(&'a str, &'a str)]) -> Deployed<'a> {
    Deployed { service, region: "us-east-1", outputs, digest: None }
}

/// The workshop with everything a stage page tells of its settings.
fn settings() -> Value {
    let mut file = workshop();
    file["profiles"]["staging"]["safeguards"] =
        json!([{ "policy": "allowed-regions", "level": "error", "config": ["us-east-1"] }]);
    file["stages"]["staging"]["parameters"] = json!({
        "env": "staging",
        "token": { "ssm": "/workshop/staging/token" },
    });
    file["services"] = json!({ "restapi": { "regions": ["us-east-1", "eu-west-1"] } });
    file["rules"][1]["services"] = json!(["restapi"]);
    file
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn outputs_come_with_the_references_that_read_them(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let stage = scene.stage("staging", StageKind::LongLived).await;
    let outputs = [("table_name", "staging-<table>"), ("odd key", "x")];
    scene.deployed(&stage, 1, &deployed("database", &outputs)).await;

    let text = shown(&server, STAGING).await;
    for part in [
        "<code>staging-&#60;table&#62;</code>",
        "<code class=\"copy\">${output:database.table_name}</code>",
        "<code class=\"copy\">${output:workshop:staging:us-east-1:database.table_name}</code>",
        "as those of <code>fullstack-database</code> too",
        "<code>database-staging</code></a>, <a ",
        "cloudformation/home?region=us-east-1#/stacks?filteringText=database-staging-more\"",
        "2 outputs",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("database.odd key"), "no reference can name it: {text}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_settings_of_a_stage_are_shown_without_any_secret(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &settings()).await;
    scene.stage("staging", StageKind::LongLived).await;
    let text = shown(&server, STAGING).await;
    for part in [
        "branch master<br>tag v*, only restapi, by hand",
        "restapi: us-east-1, eu-west-1",
        "<code>staging</code></td><td>stage staging</td>",
        "secret, stored</span></td><td>profile staging</td>",
        "ssm:/workshop/staging/token, read when a job runs",
        "allowed-regions</td><td><code>[&#34;us-east-1&#34;]</code>",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("s3cr3t-value"), "{text}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_runs_with_old_parameters_is_deployed_again_by_a_button(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let stage = scene.stage("staging", StageKind::LongLived).await;
    let plan = [
        planned(&service("database"), "us-east-1", run("it changed")),
        planned(&service("restapi"), "us-east-1", run("it changed")),
    ];
    let build = scene.build(&stage, None, &plan).await;
    scene.end(build).await;
    let digest = scene.digest(&stage).await;
    let current = Deployed { digest: Some(&digest), ..deployed("database", &[]) };
    scene.deployed(&stage, 1, &current).await;
    assert!(!shown(&server, STAGING).await.contains("arameters changed"), "nothing changed");

    let old = Deployed { digest: Some("of older parameters"), ..deployed("restapi", &[]) };
    scene.deployed(&stage, 1, &old).await;
    let text = shown(&server, STAGING).await;
    assert!(text.contains("Parameters changed since the last deploy of restapi."), "{text}");
    assert_eq!(text.matches("</svg>parameters changed</span>").count(), 1);
    for part in
        ["Redeploy to 222222222222</button>", "in the account 222222222222, as arn:aws:iam:"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }

    let answer = server.post(&format!("{STAGING}/redeploy")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()["location"], "/apps/workshop/builds/2");
    let build = shown(&server, "/apps/workshop/builds/2").await;
    assert!(build.contains("<dt>Builds only</dt><dd>restapi</dd>"), "{build}");
    assert!(build.contains("<dt>Forced</dt>"), "{build}");
    assert!(build.contains(COMMIT), "the deployed commit: {build}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_tells_what_it_reads_from_another_stage(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let mut file = workshop();
    file["stages"]["dev"] = json!({ "profile": "development" });
    let scene = Scene::of(&server, &file).await;
    let dev = scene.stage("dev", StageKind::LongLived).await;
    let preview = scene.stage("feature-x", StageKind::Preview).await;
    scene.deployed(&dev, 1, &deployed("database", &[])).await;
    scene.deployed(&dev, 1, &deployed("restapi", &[])).await;
    scene.deployed(&preview, 2, &deployed("restapi", &[])).await;
    // what follows a service is planned here, and not deployed if it turns out not to be needed
    let build = scene.build(&preview, None, &[]).await;
    scene.blocked(build, Wanted::of(JobKind::Deploy, "database")).await;

    let text = shown(&server, "/apps/workshop/stages/feature-x").await;
    let (own, read) =
        text.split_once("Read from <a href=\"/apps/workshop/stages/dev\">dev</a>").unwrap();
    assert!(own.contains("<h3>restapi</h3>") && !own.contains("<h3>database</h3>"), "{own}");
    assert!(read.contains("<td class=\"main\">database</td><td>us-east-1</td>"), "{read}");
    assert!(!read.contains("<td class=\"main\">restapi</td>"), "{read}");
    let dev = shown(&server, "/apps/workshop/stages/dev").await;
    assert!(!dev.contains("Read from"), "a long-lived stage has its own: {dev}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_is_built_by_hand_from_its_page_even_for_the_first_time(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    Scene::of(&server, &settings()).await;
    let board = shown(&server, "/").await;
    assert!(board.contains("never built"), "{board}");
    let text = shown(&server, STAGING).await;
    assert!(text.contains("never built") && text.contains("name=\"branch\" value=\"master\""));

    let post = |form: &'static [(&str, &str)]| server.post(&format!("{STAGING}/build")).form(form);
    let wrong = post(&[("commit", "no-commit")]).send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let foreign = post(&[("commit", COMMIT)]).header("sec-fetch-site", "cross-site");
    assert_eq!(foreign.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let form =
        [("branch", " "), ("commit", COMMIT), ("services", "restapi, tasks"), ("force", "true")];
    let built = server.post(&format!("{STAGING}/build")).form(&form).send().await.unwrap();
    assert_eq!(built.status(), StatusCode::SEE_OTHER);
    assert_eq!(built.headers()["location"], "/apps/workshop/builds/1");
    let build = shown(&server, "/apps/workshop/builds/1").await;
    assert!(build.contains("<dd>restapi, tasks</dd>") && build.contains("<dt>Forced</dt>"));
    assert!(!shown(&server, "/").await.contains("never built"), "it has a card now");
    assert!(!shown(&server, STAGING).await.contains("never built"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_service_in_two_regions_is_one_line_of_the_board(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &settings()).await;
    let stage = scene.stage("staging", StageKind::LongLived).await;
    for region in ["us-east-1", "eu-west-1"] {
        scene.deployed(&stage, 1, &Deployed { region, ..deployed("restapi", &[]) }).await;
    }
    let mut conn = server.db.acquire().await.unwrap();
    let instances = store::instance::list(&mut conn, stage.id).await.unwrap();
    let abroad = instances.iter().find(|one| one.region.as_str() == "eu-west-1").unwrap();
    store::instance::failed(&mut conn, abroad.id, "no quota", server.now()).await.unwrap();

    let text = shown(&server, "/").await;
    assert_eq!(text.matches("restapi <span class=\"sub\">2 regions</span>").count(), 1, "{text}");
    let line = "<li title=\"eu-west-1 failed, us-east-1 deployed\">";
    assert!(text.contains(line), "{text}");
}
