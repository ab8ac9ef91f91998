//! Approving, rejecting, freezing: who may, what is refused, and that it is written down.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use model::approval::ApprovalState;
use model::change_set::{Effect, ResourceChange, StackChange, StackChangeKind};
use model::job::{JobEvent, JobKind, Outcome};
use model::permission::Role;
use model::plan::Condition;
use model::worker_api::{JobResult, Packaged, StoredArtifact};
use model::{ArtifactId, BuildId, InstanceId, JobId, WorkerId};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::artifact::NewArtifact;
use store::gate::Gates;
use store::job::{NewJob, NewJobState, Work};

use crate::job::service;
use crate::support::{COMMIT, Server, answer, workshop};

/// A server with an app of which a build of `staging` is packaged and waits.
struct Scene {
    server: Server,
    admin: String,
    /// Whom the stage names.
    approver: String,
    /// Whom it does not.
    deployer: String,
}

impl Scene {
    async fn new(pool: PgPoolOptions, options: PgConnectOptions) -> Self {
        let server = Server::start(pool, options).await;
        let admin = server.token(Role::Admin).await;
        let approver = server.token(Role::Deployer).await;
        let deployer = server.token(Role::Deployer).await;
        let scene = Self { server, admin, approver, deployer };
        let (status, app) = scene.server.apply(&scene.admin, &scene.file(true)).await;
        assert_eq!(status, StatusCode::CREATED, "{app}");
        scene
    }

    fn file(&self, approvers: bool) -> Value {
        let mut file = workshop();
        if approvers {
            file["stages"]["staging"]["approvers"] = json!([self.approver]);
        }
        file
    }

    async fn post(&self, token: &str, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.server.post(&format!("/api/v1/apps/workshop/{path}"));
        answer(request.bearer_auth(token).json(body)).await
    }

    async fn get(&self, token: &str, path: &str) -> (StatusCode, Value) {
        answer(self.server.get(&format!("/api/v1/{path}")).bearer_auth(token)).await
    }

    async fn started(&self) -> i64 {
        let wanted = json!({ "commit": COMMIT, "stage": "staging" });
        let (status, build) = self.post(&self.deployer, "builds", &wanted).await;
        assert_eq!(status, StatusCode::CREATED, "{build}");
        build["number"].as_i64().unwrap()
    }

    /// A build of which the engine has asked. Its number.
    async fn waiting(&self) -> i64 {
        let number = self.started().await;
        let mut conn = self.server.db.acquire().await.unwrap();
        let app = store::app::find(&mut conn, &"workshop".parse().unwrap()).await.unwrap().unwrap();
        let build = store::build::find(&mut conn, app.id, number).await.unwrap().unwrap();
        let (now, stage) = (self.server.now(), build.stage_id.unwrap());
        let spec = service("restapi");
        let region = "us-east-1".parse().unwrap();
        let instance = InstanceId(self.server.id());
        let instance =
            store::instance::ensure(&mut conn, instance, stage, &spec.name, &region, &spec, now)
                .await
                .unwrap();
        let job = |kind, instance_id, state| NewJob {
            id: JobId(self.server.id()),
            build_id: build.id,
            kind,
            service: Some(spec.name.clone()),
            region: Some(region.clone()),
            instance_id,
            work: Some(Work::from(spec.clone())),
            needs: Vec::new(),
            condition: Condition::Always,
            state,
        };
        let package = job(JobKind::Package, None, NewJobState::Queued);
        let deploy = job(JobKind::Deploy, Some(instance), NewJobState::Blocked);
        let jobs = [package.clone(), deploy.clone()];
        store::job::insert(&mut conn, &jobs, now).await.unwrap();
        let artifact = NewArtifact {
            id: ArtifactId(self.server.id()),
            job_id: package.id,
            build_id: build.id,
            service: spec.name.clone(),
            stage_id: stage,
            region: region.clone(),
            digest: "1".repeat(64),
            size_bytes: 1,
            key_id: "key".into(),
            parameters_digest: None,
            created_at: now,
        };
        store::artifact::insert(&mut conn, &artifact).await.unwrap();
        let packaged = Packaged {
            artifact: StoredArtifact { digest: "1".repeat(64), size_bytes: 1 },
            stage: "staging".parse().unwrap(),
            region: region.clone(),
            change: vec![change("AWS::IAM::Role"), change("AWS::DynamoDB::Table")],
            findings: Vec::new(),
            found: BTreeMap::new(),
        };
        let worker = WorkerId(self.server.id());
        let lease = now + TimeDelta::days(365);
        while let Some(job) = store::job::claim(&mut conn, worker, lease, now).await.unwrap() {
            let result =
                (job.id == package.id).then(|| JobResult::Packaged { package: packaged.clone() });
            let done = Outcome::Succeeded;
            store::job::finish(&mut conn, job.id, job.attempt, &done, result.as_ref(), now)
                .await
                .unwrap();
        }
        store::job::transition(&mut conn, deploy.id, &JobEvent::Held, now).await.unwrap();
        let jobs = store::job::list(&mut conn, build.id).await.unwrap();
        let gates = Gates::load(&mut conn, &app, &build, now).await.unwrap().unwrap();
        let ask = gates.ask(&jobs).expect("something waits");
        let id = self.server.id();
        store::approval::ask(&mut conn, id, build.id, &ask, gates.expiry(), now).await.unwrap();
        store::build::set_standing(&mut conn, build.id, true, None).await.unwrap();
        number
    }

    async fn states(&self, number: i64) -> Vec<ApprovalState> {
        let build = self.build_id(number).await;
        let mut conn = self.server.db.acquire().await.unwrap();
        let kept = store::approval::of_build(&mut conn, build).await.unwrap();
        kept.into_iter().map(|kept| kept.approval.state).collect()
    }

    async fn build_id(&self, number: i64) -> BuildId {
        let mut conn = self.server.db.acquire().await.unwrap();
        let app = store::app::find(&mut conn, &"workshop".parse().unwrap()).await.unwrap().unwrap();
        store::build::find(&mut conn, app.id, number).await.unwrap().unwrap().id
    }

    /// What was done, newest first, without starting builds and applying files.
    async fn audit(&self) -> Vec<Value> {
        let (status, log) = self.get(&self.admin, "audit?app=workshop").await;
        assert_eq!(status, StatusCode::OK, "{log}");
        let entries = log["entries"].as_array().unwrap().iter();
        entries
            .filter(|one| one["action"] != "start" && one["action"] != "apply")
            .cloned()
            .collect()
    }
}

fn change(resource_type: &str) -> StackChange {
    StackChange {
        stack: "restapi-staging".into(),
        kind: StackChangeKind::Update,
        changes: vec![ResourceChange {
            logical_id: "It".into(),
            physical_id: None,
            resource_type: resource_type.into(),
            effect: Effect::Changed,
            because: Vec::new(),
        }],
        note: None,
    }
}

fn detail(problem: &Value) -> &str {
    problem["detail"].as_str().unwrap_or_else(|| panic!("a problem: {problem}"))
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_build_that_waits_shows_its_whole_change_and_what_concerns_access_apart(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(pool, options).await;
    let number = scene.waiting().await;
    let (_, build) = scene.get(&scene.deployer, &format!("apps/workshop/builds/{number}")).await;
    assert_eq!(build["state"], "waiting");
    let approval = &build["approval"];
    assert_eq!(approval["state"], "waiting");
    assert_eq!(approval["commit"], COMMIT);
    assert_eq!(approval["approvers"], json!([scene.approver]));
    assert_eq!(approval["bound_to"].as_str().unwrap().len(), 64);
    assert_eq!(approval["services"][0]["artifact"], "1".repeat(64));
    assert_eq!(approval["services"][0]["change"].as_array().unwrap().len(), 2);
    assert_eq!(approval["access"].as_array().unwrap().len(), 1);
    assert_eq!(approval["access"][0]["resource_type"], "AWS::IAM::Role");
    let deploy = build["jobs"].as_array().unwrap().iter().find(|job| job["kind"] == "deploy");
    let deploy = deploy.unwrap();
    assert_eq!(deploy["state"], "waiting");
    assert!(deploy["reason"].as_str().unwrap().starts_with("for an approval, until"), "{deploy}");
    let (_, list) = scene.get(&scene.deployer, "apps/workshop/builds?state=waiting").await;
    assert_eq!(list["builds"][0]["number"], number);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn only_whom_the_stage_names_and_admins_approve(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(pool, options).await;
    let number = scene.waiting().await;
    let approve = format!("builds/{number}/approve");
    let viewer = scene.server.token(Role::Viewer).await;
    for token in [&viewer, &scene.deployer] {
        for call in [&approve, &format!("builds/{number}/reject")] {
            let body = if call == &approve { json!({ "commit": COMMIT }) } else { json!({}) };
            let (status, problem) = scene.post(token, call, &body).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
            assert!(detail(&problem).contains(&scene.approver), "{problem}");
        }
    }
    assert_eq!(scene.states(number).await, [ApprovalState::Waiting]);
    assert_eq!(scene.audit().await, Vec::<Value>::new());

    let (status, build) = scene.post(&scene.approver, &approve, &json!({ "commit": COMMIT })).await;
    assert_eq!(status, StatusCode::OK, "{build}");
    let approval = &build["approval"];
    assert_eq!((&approval["state"], &approval["by"]), (&json!("approved"), &json!(scene.approver)));
    let audit = scene.audit().await;
    assert_eq!(audit.len(), 1, "{audit:?}");
    for (key, value) in [
        ("action", json!("approve")),
        ("who", json!(scene.approver)),
        ("role", json!("deployer")),
        ("via", json!("api")),
        ("from", json!("127.0.0.1")),
        ("stage", json!("staging")),
        ("build", json!(number)),
    ] {
        assert_eq!(audit[0][key], value, "{audit:?}");
    }
    assert_eq!(audit[0]["detail"]["bound_to"], approval["bound_to"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_approval_that_is_not_of_what_waits_is_refused(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(pool, options).await;
    let fresh = scene.started().await;
    let commit = json!({ "commit": COMMIT });
    let approve = async |number: i64, body: Value| {
        let (status, problem) =
            scene.post(&scene.admin, &format!("builds/{number}/approve"), &body).await;
        assert_eq!(status, StatusCode::CONFLICT, "{problem}");
        detail(&problem).to_owned()
    };
    let said = approve(fresh, commit.clone()).await;
    assert!(said.contains("nothing of build 1 waits"), "{said}");

    let number = scene.waiting().await;
    let said = approve(number, json!({ "commit": "2".repeat(40) })).await;
    assert!(said.contains("would deploy 1111111, not 2222222"), "{said}");
    let said = approve(number, json!({ "commit": COMMIT, "bound_to": "other" })).await;
    assert!(said.contains("not what you were shown"), "{said}");
    let (status, problem) =
        scene.post(&scene.admin, &format!("builds/{number}/approve"), &json!({})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");

    // another artifact came to be what would be deployed
    let build = scene.build_id(number).await;
    let set = "update artifact set digest = $2 where build_id = $1";
    let digest = |digest: &str| sqlx::query(set).bind(build).bind(digest.repeat(64));
    digest("2").execute(scene.server.db.pool()).await.unwrap();
    let said = approve(number, commit.clone()).await;
    assert!(said.contains("something else by now"), "{said}");
    digest("1").execute(scene.server.db.pool()).await.unwrap();

    // a newer build takes over
    let newer = scene.waiting().await;
    let said = approve(number, commit.clone()).await;
    assert!(said.contains(&format!("superseded by build {newer}")), "{said}");
    assert!(said.contains("void"), "{said}");

    scene.server.pass(TimeDelta::days(7));
    let said = approve(newer, commit.clone()).await;
    assert!(said.contains("nobody approved build"), "{said}");
    assert_eq!(scene.audit().await, Vec::<Value>::new());

    let last = scene.waiting().await;
    let (status, _) = scene.post(&scene.admin, &format!("builds/{last}/approve"), &commit).await;
    assert_eq!(status, StatusCode::OK);
    let said = approve(last, commit).await;
    assert!(said.contains("approved already"), "{said}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_rejected_ends_with_the_reason(pool: PgPoolOptions, options: PgConnectOptions) {
    let scene = Scene::new(pool, options).await;
    let number = scene.waiting().await;
    let body = json!({ "reason": "not before the sale" });
    let reject = format!("builds/{number}/reject");
    let (status, build) = scene.post(&scene.approver, &reject, &body).await;
    assert_eq!(status, StatusCode::OK, "{build}");
    assert_eq!(build["approval"]["state"], "rejected");
    let reason = build["reason"].as_str().unwrap();
    assert_eq!(reason, format!("rejected by {}: not before the sale", scene.approver));
    let audit = scene.audit().await;
    assert_eq!((&audit[0]["action"], &audit[0]["build"]), (&json!("reject"), &json!(number)));
    assert_eq!(audit[0]["detail"]["reason"], "not before the sale");
    let (status, problem) = scene.post(&scene.approver, &reject, &body).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_is_frozen_by_a_deployer_and_opened_by_who_may(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(pool, options).await;
    // before the stage was ever built
    let freeze = "stages/staging/freeze";
    let until = scene.server.now() + TimeDelta::hours(1);
    let wish = json!({ "reason": " an incident ", "until": until });
    let (status, stage) = scene.post(&scene.deployer, freeze, &wish).await;
    assert_eq!(status, StatusCode::OK, "{stage}");
    let frozen = &stage["frozen"];
    assert_eq!((&frozen["reason"], &frozen["by"]), (&json!("an incident"), &json!(scene.deployer)));
    assert!(frozen["until"].is_string() && frozen["since"].is_string(), "{frozen}");

    let other = scene.server.token(Role::Deployer).await;
    let (status, problem) = scene.post(&other, freeze, &wish).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    let (status, problem) = scene.post(&other, "stages/staging/unfreeze", &json!({})).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
    assert!(detail(&problem).contains(&scene.approver), "{problem}");
    for token in [&scene.deployer, &scene.approver, &scene.admin] {
        let (status, stage) = scene.post(token, "stages/staging/unfreeze", &json!({})).await;
        assert_eq!((status, &stage["frozen"]), (StatusCode::OK, &Value::Null), "{stage}");
        let (status, _) = scene.post(&scene.deployer, freeze, &wish).await;
        assert_eq!(status, StatusCode::OK);
    }
    let actions: Vec<Value> =
        scene.audit().await.iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions[..3], [json!("freeze"), json!("unfreeze"), json!("freeze")]);

    scene.server.pass(TimeDelta::hours(1));
    let (_, stages) = scene.get(&scene.deployer, "apps/workshop/stages").await;
    assert_eq!(stages["stages"][0]["frozen"], Value::Null, "its time is over");
    let (status, _) = scene.post(&scene.admin, "stages/staging/unfreeze", &json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_freeze_says_why_and_for_how_long(pool: PgPoolOptions, options: PgConnectOptions) {
    let scene = Scene::new(pool, options).await;
    let over = scene.server.now() - TimeDelta::hours(1);
    for (body, key) in [
        (json!({}), "body"),
        (json!({ "reason": "  " }), "reason"),
        (json!({ "reason": "x".repeat(501) }), "reason"),
        (json!({ "reason": "why", "until": over }), "until"),
        (json!({ "reason": "why", "until": "tomorrow" }), "body"),
    ] {
        let (status, problem) = scene.post(&scene.admin, "stages/staging/freeze", &body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {problem}");
        assert_eq!(problem["errors"][0]["key"], key, "{body}: {problem}");
    }
    let (status, _) =
        scene.post(&scene.admin, "stages/nowhere/freeze", &json!({ "reason": "why" })).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let viewer = scene.server.token(Role::Viewer).await;
    let (status, _) =
        scene.post(&viewer, "stages/staging/freeze", &json!({ "reason": "why" })).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn where_nobody_approves_an_admin_lets_a_build_through_a_freeze(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(pool, options).await;
    scene.server.apply(&scene.admin, &scene.file(false)).await;
    let freeze = json!({ "reason": "an incident" });
    scene.post(&scene.admin, "stages/staging/freeze", &freeze).await;
    let number = scene.waiting().await;
    let approve = format!("builds/{number}/approve");
    let (status, problem) = scene.post(&scene.admin, &approve, &json!({ "commit": COMMIT })).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert!(detail(&problem).contains("override_freeze"), "{problem}");
    let through = json!({ "commit": COMMIT, "override_freeze": true });
    let (status, problem) = scene.post(&scene.approver, &approve, &through).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
    let (status, build) = scene.post(&scene.admin, &approve, &through).await;
    assert_eq!(status, StatusCode::OK, "{build}");
    assert_eq!(build["approval"]["freeze_overridden"]["by"], scene.admin, "{build}");
    let audit = scene.audit().await;
    assert_eq!(
        (&audit[0]["action"], &audit[1]["action"]),
        (&json!("override_freeze"), &json!("freeze"))
    );
    assert!(audit[0]["detail"]["frozen"][0].as_str().unwrap().contains("an incident"), "{audit:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_approved_and_frozen_may_be_let_through_later(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(pool, options).await;
    let number = scene.waiting().await;
    let approve = format!("builds/{number}/approve");
    scene.post(&scene.deployer, "stages/staging/freeze", &json!({ "reason": "an incident" })).await;
    let yes = json!({ "commit": COMMIT });
    let (status, build) = scene.post(&scene.approver, &approve, &yes).await;
    assert_eq!(status, StatusCode::OK, "{build}");
    assert_eq!(build["approval"]["freeze_overridden"], Value::Null);
    assert!(build["approval"]["waits"][0].as_str().unwrap().contains("an incident"), "{build}");
    let through = json!({ "commit": COMMIT, "override_freeze": true });
    let (status, build) = scene.post(&scene.approver, &approve, &through).await;
    assert_eq!(status, StatusCode::OK, "{build}");
    assert_eq!(build["approval"]["freeze_overridden"]["by"], scene.approver);
    assert_eq!(build["approval"]["waits"], json!([]));
    let actions: Vec<Value> =
        scene.audit().await.iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, [json!("override_freeze"), json!("approve"), json!("freeze")]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_people_do_is_written_down_and_read_by_admins(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(pool, options).await;
    let number = scene.started().await;
    scene.post(&scene.deployer, &format!("builds/{number}/cancel"), &json!({})).await;
    scene.post(&scene.deployer, &format!("builds/{number}/rerun"), &json!({})).await;
    let (status, _) = scene.get(&scene.deployer, "audit").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (_, log) = scene.get(&scene.admin, "audit?limit=3").await;
    let actions = |log: &Value| -> Vec<String> {
        let entries = log["entries"].as_array().unwrap().iter();
        entries.map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(actions(&log), ["rerun", "cancel", "start"]);
    assert_eq!(log["entries"][0]["detail"]["of_build"], number);
    let next = log["next"].as_str().unwrap().trim_start_matches("/api/v1/").to_owned();
    let (_, log) = scene.get(&scene.admin, &next).await;
    assert_eq!(actions(&log), ["apply"]);
    assert_eq!(log["next"], Value::Null);
    let (_, log) = scene.get(&scene.admin, "audit?app=other").await;
    assert_eq!(log["entries"], json!([]));
}
