//! Deploys that wait: what a build's page says of it, the dialog in which somebody decides, and what
//! comes of that.

use model::StageId;
use model::approval::Ask;
use model::change_set::{Effect, ResourceChange, StackChange, StackChangeKind};
use model::job::{JobEvent, JobKind, Outcome};
use model::permission::Role;
use model::stage::StageKind;
use model::worker_api::{JobResult, Packaged, StoredArtifact};
use model::{ArtifactId, BuildId};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::artifact::NewArtifact;
use store::gate::Gates;

use crate::page_scene::{Scene, Wanted, id, planned, run, service, shown};
use crate::support::{COMMIT, Server, workshop};

const BUILD: &str = "/apps/workshop/builds/1";
const STAGING: &str = "/apps/workshop/stages/staging";

/// The workshop whose staging asks somebody.
pub(crate) fn settings() -> Value {
    let mut file = workshop();
    file["stages"]["staging"]["approvers"] = json!(["ann"]);
    file
}

fn resource(name: &str, kind: &str, effect: Effect) -> ResourceChange {
    ResourceChange {
        logical_id: name.into(),
        physical_id: None,
        resource_type: kind.into(),
        effect,
        because: Vec::new(),
    }
}

/// A build of staging whose deploy is packaged and waits, as the engine leaves it; the digest of its
/// artifact.
pub(crate) async fn waiting(scene: &Scene<'_>) -> (BuildId, StageId, String) {
    let stage = scene.stage("staging", StageKind::LongLived).await;
    let plan = [planned(&service("restapi"), "us-east-1", run("it changed"))];
    let build = scene.build(&stage, None, &plan).await;
    let (digest, key_id) = scene.server.keep("an artifact".to_owned()).await;
    let change = vec![StackChange {
        stack: "restapi-staging".into(),
        kind: StackChangeKind::Update,
        changes: vec![
            resource("Table", "AWS::DynamoDB::Table", Effect::Replaced),
            resource("Role", "AWS::IAM::Role", Effect::Changed),
        ],
        note: None,
    }];
    let package = Packaged {
        artifact: StoredArtifact { digest: digest.clone(), size_bytes: 1 },
        stage: stage.name.clone(),
        region: "us-east-1".parse().unwrap(),
        change,
        findings: Vec::new(),
        found: [].into(),
    };
    let result = Some(JobResult::Packaged { package });
    let package = Wanted::of(JobKind::Package, "restapi");
    let package = scene.ended(build, package, Outcome::Succeeded, result).await;
    let deploy = Wanted::of(JobKind::Deploy, "restapi").needs(&[package]);
    let deploy = scene.blocked(build, deploy).await;

    let now = scene.server.now();
    let mut conn = scene.server.db.acquire().await.unwrap();
    let artifact = NewArtifact {
        id: ArtifactId(id()),
        job_id: package,
        build_id: build,
        service: "restapi".parse().unwrap(),
        stage_id: stage.id,
        region: "us-east-1".parse().unwrap(),
        digest: digest.clone(),
        size_bytes: 1,
        key_id,
        parameters_digest: None,
        created_at: now,
    };
    store::artifact::insert(&mut conn, &artifact).await.unwrap();
    store::job::transition(&mut conn, deploy, &JobEvent::Held, now).await.unwrap();
    store::build::set_standing(&mut conn, build, true, None).await.unwrap();
    let row = store::build::get(&mut conn, build).await.unwrap();
    let jobs = store::job::list(&mut conn, build).await.unwrap();
    let gates = Gates::load(&mut conn, &scene.app, &row, now).await.unwrap().unwrap();
    let ask: Option<Ask> = gates.ask(&jobs);
    store::approval::ask(&mut conn, id(), build, &ask.unwrap(), gates.expiry(), now).await.unwrap();
    (build, stage.id, digest)
}

/// The value of a hidden field.
fn field<'a>(page: &'a str, name: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
    rest.split('"').next().unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn whoever_approves_sees_the_change_the_artifact_and_where_it_goes(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &settings()).await;
    let (_, _, digest) = waiting(&scene).await;

    let page = shown(&server, BUILD).await;
    for part in [
        "waiting</span>",
        "<strong>Waits:</strong> for an approval, until",
        "May be approved by ann, or an admin.",
        "href=\"/apps/workshop/builds/1/approve\">Review and decide…</a>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let board = shown(&server, "/").await;
    assert!(board.contains("</svg>waiting</span>"), "{board}");

    let dialog = shown(&server, &format!("{BUILD}/approve")).await;
    for part in [
        "<code class=\"account\">222222222222</code>",
        "<code>arn:aws:iam::222222222222:role/greenroom-deploy</code>",
        "<code>restapi-staging</code>",
        &digest,
        COMMIT,
        "holds data",
    ] {
        assert!(dialog.contains(part), "{part}: {dialog}");
    }
    let (permissions, others) = dialog.split_once("1 replaced, 1 changed").unwrap();
    assert!(permissions.contains("who may do what") && permissions.contains("<code>Role</code>"));
    assert!(others.contains("<code>Table</code>") && !others.contains("<code>Role</code>"));
    let state = shown(&server, BUILD).await;
    assert!(state.contains("<strong>Waits:</strong>"), "to look decides nothing: {state}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_approval_is_for_what_was_shown_and_by_those_who_may(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &settings()).await;
    waiting(&scene).await;
    let approve = format!("{BUILD}/approve");
    let dialog = shown(&server, &approve).await;
    let (commit, bound_to) = (field(&dialog, "commit"), field(&dialog, "bound_to"));
    for role in [Role::Viewer, Role::Deployer] {
        let token = server.token(role).await;
        let looked = server.get(&approve).bearer_auth(&token).send().await.unwrap();
        assert_eq!(looked.status(), StatusCode::FORBIDDEN, "{role:?}");
        let form = [("commit", commit), ("bound_to", bound_to)];
        let done = server.post(&approve).bearer_auth(&token).form(&form).send().await.unwrap();
        assert_eq!(done.status(), StatusCode::FORBIDDEN, "{role:?}");
    }
    let form = [("commit", commit), ("bound_to", "0000")];
    let other = server.post(&approve).form(&form).send().await.unwrap();
    assert_eq!(other.status(), StatusCode::CONFLICT, "something else than was shown");

    let form = [("commit", commit), ("bound_to", bound_to)];
    let done = server.post(&approve).form(&form).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let page = shown(&server, BUILD).await;
    assert!(page.contains("approved</span> by someone on this machine"), "{page}");
    let again = server.get(&approve).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::CONFLICT, "it is decided");
    assert!(shown(&server, "/audit").await.contains("approved a deploy"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_deploy_is_rejected_with_a_reason(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &settings()).await;
    waiting(&scene).await;
    let form = [("reason", "not before <Monday>")];
    let done = server.post(&format!("{BUILD}/reject")).form(&form).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let page = shown(&server, BUILD).await;
    assert!(page.contains("rejected</span> by someone on this machine"), "{page}");
    assert!(page.contains("not before &#60;Monday&#62;"), "{page}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_frozen_stage_is_overridden_by_its_own_tick_alone(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &settings()).await;
    waiting(&scene).await;
    let freeze = [("reason", "the sales weekend")];
    let frozen = server.post(&format!("{STAGING}/freeze")).form(&freeze).send().await.unwrap();
    assert_eq!(frozen.status(), StatusCode::SEE_OTHER);
    let approve = format!("{BUILD}/approve");
    let dialog = shown(&server, &approve).await;
    assert!(dialog.contains("type=\"checkbox\" name=\"override_freeze\""), "{dialog}");
    assert!(dialog.contains("the sales weekend"), "{dialog}");
    let form = [("commit", field(&dialog, "commit")), ("bound_to", field(&dialog, "bound_to"))];
    server.post(&approve).form(&form).send().await.unwrap();
    let page = shown(&server, BUILD).await;
    assert!(page.contains("<strong>Waits:</strong> the stage is frozen by"), "{page}");
    assert!(page.contains("Deploy in spite of the freeze…"), "{page}");

    // approved, and only the freeze holds it: nothing else is left to decide
    let dialog = shown(&server, &approve).await;
    assert!(dialog.contains("name=\"override_freeze\" value=\"true\""), "{dialog}");
    assert!(!dialog.contains("Reject"), "{dialog}");
    let form = [
        ("commit", field(&dialog, "commit")),
        ("bound_to", field(&dialog, "bound_to")),
        ("override_freeze", "true"),
    ];
    let done = server.post(&approve).form(&form).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let page = shown(&server, BUILD).await;
    assert!(page.contains("through the freeze, by someone on this machine"), "{page}");
    assert!(shown(&server, "/audit").await.contains("let a deploy through a freeze"));
}
