//! What a build's page shows of what came of it, and what its buttons tell.

use model::job::{Failure, FailureKind, JobKind, Outcome};
use model::stage::StageKind;
use model::worker_api::{DeployedStack, JobResult};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::page_scene::{Scene, Wanted, planned, run, service, shown};
use crate::support::{COMMIT, Server, workshop};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn outputs_and_addresses_are_shown_and_secrets_are_not(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let stage = scene.stage("staging", StageKind::LongLived).await;
    let plan = [planned(&service("restapi"), "us-east-1", run("it changed"))];
    let build = scene.build(&stage, None, &plan).await;
    let outputs = [
        ("Table", "notes<1>"),
        ("Url", "https://x.example.com/dev"),
        ("ApiToken", "abc"),
        ("Hidden", "it says s3cr3t-value here"),
    ];
    let result = JobResult::Deployed {
        deployed: DeployedStack {
            stacks: vec!["restapi-staging".into()],
            left_at: [].into(),
            outputs: outputs.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            endpoints: vec!["https://api.example.com".into()],
        },
        changed_outputs: vec!["Table".into()],
    };
    let deploy = Wanted::of(JobKind::Deploy, "restapi");
    scene.ended(build, deploy, Outcome::Succeeded, Some(result)).await;

    let page = shown(&server, "/apps/workshop/builds/1").await;
    let (_, made) = page.split_once("What was deployed").unwrap();
    for part in [
        "<code>restapi-staging</code>",
        "<a href=\"https://api.example.com\" rel=\"noreferrer\">",
        "changed</span></th><td><code>notes&#60;1&#62;</code>",
        "<a href=\"https://x.example.com/dev\" rel=\"noreferrer\">",
    ] {
        assert!(made.contains(part), "{part}: {made}");
    }
    assert_eq!(made.matches("hidden: it is or looks like a secret").count(), 2, "{made}");
    assert!(!page.contains("s3cr3t-value") && !page.contains(">abc<"), "{page}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_artifact_is_named_by_its_digest(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let stage = scene.stage("staging", StageKind::LongLived).await;
    scene.past(&stage, "restapi", COMMIT).await;
    let page = shown(&server, "/apps/workshop/builds/1").await;
    let (_, artifacts) = page.split_once("Artifacts").unwrap();
    assert!(artifacts.contains("<td class=\"main\">restapi</td>"), "{artifacts}");
    assert!(artifacts.contains("<td class=\"time\">1 byte</td>"), "{artifacts}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn each_button_tells_what_it_will_do(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let stage = scene.stage("staging", StageKind::LongLived).await;
    let build = scene.build(&stage, None, &[]).await;
    let page = shown(&server, "/apps/workshop/builds/1").await;
    assert!(page.contains("aria-describedby=\"deed-1\">Cancel</button>"), "{page}");
    assert!(page.contains("a change of a stack that has begun goes on to its own end"), "{page}");

    let failure = Failure { kind: FailureKind::Step, message: "no".into() };
    let test = Wanted::of(JobKind::Test, "restapi");
    scene.ended(build, test, Outcome::Failed(failure), None).await;
    let mut conn = server.db.acquire().await.unwrap();
    let outcome = model::build::BuildOutcome::Failed;
    store::build::finish(&mut conn, build, outcome, None, server.now()).await.unwrap();
    drop(conn);
    let page = shown(&server, "/apps/workshop/builds/1").await;
    for part in [
        "name=\"failed_only\" value=\"true\"><button class=\"primary\"",
        ">Rerun failed</button>",
        "a new build of 1111111 for staging, and leaves alone what is as it should be",
        ">Rerun all</button>",
        "a new build of 1111111 for staging: every service of it, changed or not",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains(">Cancel</button>"), "{page}");
}
