//! Promotion, against a GitHub that has the branches and decides.

use fakes::{Fault, GitHub, Matcher, Repository};
use model::build::BuildOutcome;
use model::permission::Role;
use model::worker_api::DeployedStack;
use model::{ArtifactId, InstanceId};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::instance::Success;

use crate::job::service;
use crate::support::{Server, answer, workshop};

struct Scene {
    github: GitHub,
    repository: Repository,
    server: Server,
    admin: String,
}

impl Scene {
    /// `staging` and `prod`, which is deployed as this rule says.
    async fn new(pool: PgPoolOptions, options: PgConnectOptions, rule: Value) -> Self {
        let github = GitHub::builder().token("ghp_test").start().await.unwrap();
        let repository = github.repo("acme/workshop");
        repository.create("master").await.unwrap();
        let server = Server::with_github(pool, options, github.url(), "ghp_test").await;
        let admin = server.token(Role::Admin).await;
        let mut file = workshop();
        file["stages"]["prod"] = json!({ "profile": "staging", "promote_from": "staging" });
        file["rules"] = json!([{ "branch": "master", "stage": "staging" }, rule]);
        let (status, said) = server.apply(&admin, &file).await;
        assert_eq!(status, StatusCode::CREATED, "{said}");
        Self { github, repository, server, admin }
    }

    async fn commit(&self, branch: &str, text: &str) -> String {
        self.repository.commit(branch, &[("notes", text)], text).await.unwrap()
    }

    /// A build of `staging` deploys these services at this commit.
    async fn deploys(&self, commit: &str, services: &[&str], outcome: BuildOutcome) {
        let start = self.server.post("/api/v1/apps/workshop/builds").bearer_auth(&self.admin);
        let wanted = json!({ "stage": "staging", "commit": commit });
        let (status, build) = answer(start.json(&wanted)).await;
        assert_eq!(status, StatusCode::CREATED, "{build}");
        let mut conn = self.server.db.acquire().await.unwrap();
        let id = build["id"].as_str().unwrap().parse().unwrap();
        let row = store::build::get(&mut conn, id).await.unwrap();
        for name in services {
            let spec = service(name);
            let place = (row.stage_id.unwrap(), "us-east-1".parse().unwrap());
            let new = InstanceId(self.server.id());
            let now = self.server.now();
            let instance =
                store::instance::ensure(&mut conn, new, place.0, &spec.name, &place.1, &spec, now)
                    .await
                    .unwrap();
            let stack = DeployedStack {
                stacks: Vec::new(),
                left_at: [].into(),
                outputs: [].into(),
                endpoints: Vec::new(),
            };
            let success = Success {
                commit: &row.source.commit,
                build_number: row.number,
                artifact: ArtifactId(self.server.id()),
                spec: &spec,
                stack: &stack,
                read_at: None,
                parameters_digest: None,
                outputs_changed: false,
            };
            store::instance::deployed(&mut conn, instance, &success, now).await.unwrap();
        }
        let now = self.server.now();
        store::build::finish(&mut conn, id, outcome, Some("it ended"), now).await.unwrap();
    }

    async fn promote(&self, body: Value) -> (StatusCode, Value) {
        let path = "/api/v1/apps/workshop/stages/prod/promote";
        answer(self.server.post(path).bearer_auth(&self.admin).json(&body)).await
    }

    async fn refused(&self, body: Value) -> String {
        let (status, problem) = self.promote(body).await;
        assert_eq!(status, StatusCode::CONFLICT, "{problem}");
        problem["detail"].as_str().unwrap().to_owned()
    }
}

fn branch() -> Value {
    json!({ "branch": "prod", "stage": "prod" })
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_branch_is_made_then_moved_forward_to_what_staging_runs(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(pool, options, branch()).await;
    let why = scene.refused(json!({})).await;
    assert_eq!(why, "nothing was ever built for staging");
    let first = scene.commit("master", "one").await;
    scene.deploys(&first, &["restapi", "tasks"], BuildOutcome::Succeeded).await;
    let (status, made) = scene.promote(json!({})).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let expected = json!({
        "branch": "prod", "commit": first, "from": "staging", "outcome": "created", "build": null,
    });
    assert_eq!(made, expected);
    assert_eq!(scene.repository.head("prod").await.unwrap(), first);

    // one service alone changed: the other stands at an older commit of the same line
    let second = scene.commit("master", "two").await;
    scene.deploys(&second, &["restapi"], BuildOutcome::Succeeded).await;
    let why = scene.refused(json!({ "commit": first })).await;
    assert!(why.contains("look again"), "{why}");
    let (_, moved) = scene.promote(json!({ "commit": second })).await;
    assert_eq!((&moved["outcome"], &moved["commit"]), (&json!("moved"), &json!(second)));
    assert_eq!(scene.repository.head("prod").await.unwrap(), second);
    let (_, there) = scene.promote(json!({ "from": "staging" })).await;
    assert_eq!(there["outcome"], "already_there");

    let mut conn = scene.server.db.acquire().await.unwrap();
    let filter = store::audit::Filter { limit: 1, ..store::audit::Filter::default() };
    let last = store::audit::list(&mut conn, &filter).await.unwrap().remove(0).entry;
    assert_eq!((last.deed.as_str(), &last.detail["place"]), ("promote", &json!("branch prod")));
    assert!(scene.github.unknown_calls().is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_branch_that_went_its_own_way_is_not_moved(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(pool, options, branch()).await;
    let first = scene.commit("master", "one").await;
    scene.repository.set_branch("prod", &first).await.unwrap();
    let hotfix = scene.commit("prod", "hotfix").await;
    scene.deploys(&first, &["restapi"], BuildOutcome::Succeeded).await;
    let why = scene.refused(json!({})).await;
    assert!(why.contains("contains") && why.contains("1 commit ahead"), "{why}");
    let second = scene.commit("master", "two").await;
    scene.deploys(&second, &["restapi"], BuildOutcome::Succeeded).await;
    let why = scene.refused(json!({})).await;
    assert!(why.contains("it has 1 commit that"), "{why}");
    assert!(why.contains("and lacks 1 commit: merge"), "{why}");
    assert_eq!(scene.repository.head("prod").await.unwrap(), hotfix);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_that_is_not_whole_or_of_one_commit_is_not_promoted(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(pool, options, branch()).await;
    let first = scene.commit("master", "one").await;
    let second = scene.commit("master", "two").await;
    scene.deploys(&second, &["restapi"], BuildOutcome::Succeeded).await;
    scene.deploys(&first, &["tasks"], BuildOutcome::Succeeded).await;
    let why = scene.refused(json!({})).await;
    assert!(why.contains("is of no one commit: restapi stands at"), "{why}");

    let mut conn = scene.server.db.acquire().await.unwrap();
    let app = store::app::find(&mut conn, &"workshop".parse().unwrap()).await.unwrap().unwrap();
    let staging = "staging".parse().unwrap();
    let staging = store::stage::find_open(&mut conn, app.id, &staging).await.unwrap().unwrap();
    let one = store::instance::list(&mut conn, staging.id).await.unwrap().remove(0);
    store::instance::failed(&mut conn, one.id, "it broke", scene.server.now()).await.unwrap();
    let why = scene.refused(json!({})).await;
    assert_eq!(why, "staging is not whole: restapi in us-east-1 is failed");
    let start = scene.server.post("/api/v1/apps/workshop/builds").bearer_auth(&scene.admin);
    answer(start.json(&json!({ "stage": "staging", "commit": second }))).await;
    let why = scene.refused(json!({})).await;
    assert!(why.contains("build 3 of staging is under way"), "{why}");

    for (body, status) in [
        (json!({ "from": "prod" }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "from": "nowhere" }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "tag": "v1" }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "form": "staging" }), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        assert_eq!(scene.promote(body.clone()).await.0, status, "{body}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_missing_right_and_a_protected_branch_are_told_apart(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(pool, options, branch()).await;
    let first = scene.commit("master", "one").await;
    scene.repository.set_branch("prod", &first).await.unwrap();
    let second = scene.commit("master", "two").await;
    scene.deploys(&second, &["restapi"], BuildOutcome::Succeeded).await;
    let refs = Matcher::new("PATCH", "/repos/acme/workshop/git/refs");
    scene.github.fail_next(refs, Some(1), Fault::Status { status: 403 });
    let why = scene.refused(json!({})).await;
    assert!(why.contains("the permission contents: write"), "{why}");
    scene.repository.protect("prod").unwrap();
    let why = scene.refused(json!({})).await;
    assert!(why.contains("does not let prod be moved"), "{why}");
    assert_eq!(scene.repository.head("prod").await.unwrap(), first);
    let mut conn = scene.server.db.acquire().await.unwrap();
    let filter = store::audit::Filter { limit: 1, ..store::audit::Filter::default() };
    let last = store::audit::list(&mut conn, &filter).await.unwrap().remove(0).entry;
    assert!(last.detail["refused"].as_str().unwrap().contains("prod be moved"), "{last:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_manual_rule_for_tags_gets_the_tag_and_a_build_by_hand(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let rule =
        json!({ "tag": "v*", "stage": "prod", "trigger": "manual", "services": ["restapi"] });
    let scene = Scene::new(pool, options, rule).await;
    let first = scene.commit("master", "one").await;
    scene.deploys(&first, &["restapi"], BuildOutcome::Succeeded).await;
    for body in [json!({}), json!({ "tag": "1.0" })] {
        let (status, problem) = scene.promote(body.clone()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {problem}");
        assert_eq!(problem["errors"][0]["key"], "tag", "{body}: {problem}");
    }
    let (status, made) = scene.promote(json!({ "tag": "v1.0" })).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    assert_eq!((&made["tag"], &made["outcome"]), (&json!("v1.0"), &json!("created")));
    let path = format!("/api/v1/apps/workshop/builds/{}", made["build"]);
    let (_, build) = answer(scene.server.get(&path).bearer_auth(&scene.admin)).await;
    assert_eq!((&build["stage"], &build["tag"]), (&json!("prod"), &json!("v1.0")));
    assert_eq!((&build["commit"], &build["only"]), (&json!(first), &json!(["restapi"])));

    let second = scene.commit("master", "two").await;
    scene.deploys(&second, &["restapi"], BuildOutcome::Succeeded).await;
    let why = scene.refused(json!({ "tag": "v1.0" })).await;
    assert!(why.contains("there is a tag v1.0 already"), "{why}");
}
