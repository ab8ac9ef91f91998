//! A server on which every address has something to show, written by somebody who means harm: the
//! texts that come from outside (branches, authors, titles, logs, outputs, reasons, tags of stacks)
//! try to become markup.

use std::collections::BTreeMap;

use model::app::PreviewDeploy;
use model::build::{BuildEvent, Purpose, Source};
use model::drift::{DriftStatus, DriftedResource, PropertyDifference, ResourceDrift, StackDrift};
use model::freeze::Frozen;
use model::job::{Failure, FailureKind, JobEvent, JobKind, Outcome};
use model::notification::{Event, Message, Volume};
use model::permission::Role;
use model::reconcile::Part;
use model::stage::StageKind;
use model::sweep::{TaggedStack, Why};
use model::{BuildId, JobId, OrphanId, PersonId, StageId, TokenId};
use serde_json::{Value, json};
use store::build::NewBuild;
use store::delivery::DeliveryEnd;
use store::drift::Drift;
use store::orphan::Look;
use store::stage::NewStage;
use store::token::NewToken;
use uuid::Uuid;

use crate::page_approval::{settings, waiting};
use crate::page_scene::{Deployed, Scene, Wanted, id, planned, run, service};
use crate::support::{COMMIT, SECRETS, Server, answer, signature};

/// What ends an attribute or an element and begins one of its own.
pub(crate) const EVIL: &str = "'\"><img src=x onerror=pwned()><script>pwned()</script>";
/// The same as far as git allows it in the name of a branch.
pub(crate) const EVIL_BRANCH: &str = "x'\"><svg/onload=pwned()><script>pwned()</script>";
/// An address that would run when it is clicked.
pub(crate) const EVIL_LINK: &str = "javascript:pwned()";

pub(crate) const GUID: &str = "00000000-0000-0000-0000-00000000001d";

/// Where what an address names is to be found.
pub(crate) struct Ground {
    build: BuildId,
    job: JobId,
    orphan: OrphanId,
    notification: Uuid,
    /// One of the workshop's, that nobody shows.
    token: TokenId,
    person: PersonId,
}

impl Ground {
    /// An app with a build that waits for somebody, a running one with a log, a preview, drift, a
    /// stack that nobody knows and a delivery.
    pub(crate) async fn on(server: &Server) -> Self {
        let mut file = settings();
        file["stages"]["staging"]["parameters"] = json!({ "greeting": EVIL });
        let scene = Scene::of(server, &file).await;
        let (build, staging, _) = waiting(&scene).await;
        deployed(&scene, staging).await;
        preview(&scene).await;
        let job = running(&scene, staging).await;
        let orphan = around(&scene).await;
        delivery(server).await;
        let notification = notification(&scene).await;
        let (token, person) = people(&scene).await;
        Self { build, job, orphan, notification, token, person }
    }

    /// The address of a pattern, of something that is there.
    pub(crate) fn address(&self, pattern: &str) -> String {
        let id = match pattern {
            _ if pattern.contains("/jobs/") => self.job.to_string(),
            _ if pattern.contains("/builds/{id}") => self.build.to_string(),
            _ if pattern.contains("/notifications/") => self.notification.to_string(),
            _ if pattern.contains("/tokens/") => self.token.to_string(),
            _ if pattern.contains("/members/") => self.person.to_string(),
            _ => self.orphan.to_string(),
        };
        [
            ("{app}", "workshop"),
            ("{number}", "1"),
            ("{stage}", "staging"),
            ("{guid}", GUID),
            ("{profile}", "development"),
            ("{operation}", "listApps"),
            ("{id}", &id),
        ]
        .iter()
        .fold(pattern.to_owned(), |address, (key, value)| address.replace(key, value))
    }
}

/// What runs in staging, with outputs of ill will, and how it differs from its template.
async fn deployed(scene: &Scene<'_>, staging: StageId) {
    let mut conn = scene.server.db.acquire().await.unwrap();
    let stage = store::stage::get(&mut conn, staging).await.unwrap();
    drop(conn);
    let outputs = [("Url", EVIL_LINK), ("Odd", EVIL), (EVIL, "value")];
    let what =
        Deployed { service: "restapi", region: "us-east-1", outputs: &outputs, digest: None };
    scene.deployed(&stage, 1, &what).await;
    let past = scene.past(&stage, "tasks", COMMIT).await;
    let difference = PropertyDifference {
        path: EVIL.into(),
        expected: Some(EVIL.into()),
        actual: Some(EVIL.into()),
    };
    let resource = DriftedResource {
        logical_id: EVIL.into(),
        physical_id: Some(EVIL.into()),
        resource_type: EVIL.into(),
        deed: ResourceDrift::Modified { differences: vec![difference] },
    };
    let drift = Drift {
        instance_id: past.instance,
        looked_at: scene.server.now(),
        build_number: past.build,
        stacks: vec![StackDrift {
            stack: EVIL.into(),
            status: DriftStatus::Drifted { resources: vec![resource] },
        }],
    };
    let mut conn = scene.server.db.acquire().await.unwrap();
    store::drift::put(&mut conn, &drift).await.unwrap();
    let since = scene.server.now();
    let frozen = Frozen { by: EVIL.into(), reason: EVIL.into(), since, until: None };
    store::freeze::put(&mut conn, staging, &frozen).await.unwrap();
}

/// What somebody was to be told, and an error that they answered.
pub(crate) async fn notification(scene: &Scene<'_>) -> Uuid {
    let (app, now, id) = (&scene.app, scene.server.now(), id());
    let message = Message {
        event: Event::BuildFailed,
        app: app.name.clone(),
        repository: app.repository.clone(),
        stage: None,
        build: None,
        headline: EVIL.into(),
        detail: Some(EVIL.into()),
        url: EVIL_LINK.into(),
        at: now,
        answers: None,
    };
    let wanted = model::notification::Wanted { episode: 1, volume: Volume::Loud, message };
    let mut conn = scene.server.db.acquire().await.unwrap();
    let place = (app.id, &"team".parse().unwrap(), "build/1");
    store::notification::want(&mut conn, id, place, &wanted, now).await.unwrap();
    store::notification::give_up(&mut conn, id, EVIL, now).await.unwrap();
    id
}

async fn preview(scene: &Scene<'_>) {
    let mut conn = scene.server.db.acquire().await.unwrap();
    let preview = NewStage {
        id: StageId(id()),
        app_id: scene.app.id,
        name: "feature-x".parse().unwrap(),
        kind: StageKind::Preview,
        profile: "development".parse().unwrap(),
        branch: Some(EVIL_BRANCH.parse().unwrap()),
        pull_request: Some(12),
        created_at: scene.server.now(),
    };
    store::stage::insert(&mut conn, &preview).await.unwrap();
    store::stage::remove_failed(&mut conn, preview.id, EVIL, None).await.unwrap();
}

/// A build somebody pushed, with a failed job and one that runs and talks.
async fn running(scene: &Scene<'_>, staging: StageId) -> JobId {
    let server = scene.server;
    let plan = [planned(&service("site"), "us-east-1", run(EVIL))];
    let build = BuildId(id());
    {
        let mut conn = server.db.acquire().await.unwrap();
        let new = NewBuild {
            id: build,
            app_id: scene.app.id,
            number: store::app::next_build_number(&mut conn, scene.app.id).await.unwrap(),
            event: BuildEvent::Push,
            purpose: Purpose::Deploy,
            stage_id: Some(staging),
            source: Source {
                commit: COMMIT.parse().unwrap(),
                branch: Some(EVIL_BRANCH.parse().unwrap()),
                tag: None,
                pull_request: Some(12),
                title: EVIL.into(),
                author: EVIL.into(),
            },
            forced: false,
            services: None,
            preview_deploy: PreviewDeploy::default(),
            delivery_guid: None,
            created_at: server.now(),
        };
        store::build::insert(&mut conn, &new).await.unwrap();
        store::build::set_planned(&mut conn, build, &plan).await.unwrap();
    }
    let failed = Failure { kind: FailureKind::Step, message: EVIL.into() };
    let test = Wanted::of(JobKind::Test, "site");
    scene.ended(build, test, Outcome::Failed(failed), None).await;
    let package = scene.blocked(build, Wanted::of(JobKind::Package, "site")).await;
    let mut conn = server.db.acquire().await.unwrap();
    store::job::transition(&mut conn, package, &JobEvent::NeedsMet, server.now()).await.unwrap();
    drop(conn);
    let worker = server.worker(EVIL).await;
    let claimed = worker.job().await;
    assert_eq!(claimed["job"], package.to_string());
    let log = format!("{EVIL}\n\u{1b}[31m{EVIL}\u{1b}]8;;{EVIL_LINK}\u{7}click\u{1b}]8;;\u{7}\n");
    worker.log(&claimed, 0, &log).await;
    package
}

/// A stack that says it is ours, and what GitHub last refused.
async fn around(scene: &Scene<'_>) -> OrphanId {
    let stack = TaggedStack {
        name: EVIL.into(),
        id: format!("arn:aws:cloudformation:us-east-1:222222222222:stack/{EVIL}/1"),
        region: "us-east-1".parse().unwrap(),
        app: EVIL.into(),
        stage: Some(EVIL.into()),
        service: Some(EVIL.into()),
        build: Some(7),
        status: EVIL.into(),
        created_at: None,
        changed_at: None,
    };
    let why = Why::UnknownStage { app: EVIL.into(), stage: stack.stage.clone() };
    let profile = "development".parse().unwrap();
    let orphan = OrphanId(id());
    let (app, now) = (scene.app.id, scene.server.now());
    let mut conn = scene.server.db.acquire().await.unwrap();
    let look = Look { app, profile: &profile, account: "111111111111", now };
    store::orphan::seen(&mut conn, orphan, &stack, &why, look).await.unwrap();
    store::reconcile::failed(&mut conn, Part::Branches, Some(app), EVIL, now).await.unwrap();
    orphan
}

/// Somebody who signed in under a name of ill will, and a token made by such a one.
async fn people(scene: &Scene<'_>) -> (TokenId, PersonId) {
    let mut conn = scene.server.db.acquire().await.unwrap();
    let now = scene.server.now();
    let (token, person) = (TokenId(id()), PersonId(id()));
    let new = NewToken {
        id: token,
        name: EVIL,
        role: Role::Viewer,
        app: Some(scene.app.id),
        owner: None,
        hash: b"of no token",
        created_by: EVIL,
        created_at: now,
        expires_at: None,
    };
    store::token::insert(&mut conn, &new).await.unwrap();
    let login = "mallory".parse().unwrap();
    store::person::signed_in(&mut conn, person, 1, &login, Some(EVIL), now).await.unwrap();
    (token, person)
}

/// What GitHub sent, or somebody who knows the secret.
async fn delivery(server: &Server) {
    let body: Value = json!({ "zen": EVIL, "repository": { "full_name": EVIL } });
    let body = body.to_string();
    let request = server
        .post("/webhooks/github")
        .header("content-type", "application/json")
        .header("x-github-delivery", GUID)
        .header("x-github-event", "ping")
        .header("x-hub-signature-256", signature(SECRETS[0], body.as_bytes()))
        .body(body);
    let (status, said) = answer(request).await;
    assert!(status.is_success(), "{said}");
    let mut conn = server.db.acquire().await.unwrap();
    let end = DeliveryEnd::Failed(EVIL.into());
    store::delivery::end(&mut conn, GUID, end, server.now()).await.unwrap();
}

/// The texts, for forms that take any.
pub(crate) fn evil_form() -> BTreeMap<&'static str, &'static str> {
    [("reason", EVIL), ("confirm", EVIL), ("service", EVIL), ("build", EVIL), ("back", EVIL)].into()
}
