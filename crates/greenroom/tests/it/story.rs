//! The main job, whole: from a push to a deployed stage, and back to nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::aws::{DEVELOPMENT, LocalAws, PRODUCTION, STAGING};
use crate::server::until;
use crate::world::{World, app, jobs};

const SERVICES: [&str; 4] = ["database", "frontend", "restapi", "tasks"];
const STACKS: [&str; 3] = ["fullstack-database", "fullstack-restapi", "fullstack-tasks"];

/// Tests run side by side and share the three accounts: this one's stages are nobody else's.
const SHARED: &str = "shared";
const ACCEPTANCE: &str = "acceptance";
const LIVE: &str = "live";
const PREVIEW: &str = "feature-hello";

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_deployed_a_pull_request_gets_a_preview_and_a_deleted_branch_leaves_nothing() {
    let world = World::new().await;
    let repository = &world.repository;
    let (status, body) = world.put("/apps/workshop", &settings()).await;
    assert_eq!(status, 200, "{body}");

    // develop is the stage whose database the previews read
    let first = repository.commit_dir("develop", &fakes::sample_workshop(), "First").await.unwrap();
    world.succeeds(&format!("commit={first}&stage={SHARED}")).await;
    arrived(SHARED, DEVELOPMENT).await;

    // master is staging: everything in that account, the database its own
    repository.set_branch("master", &first).await.unwrap();
    let build = world.succeeds(&format!("commit={first}&stage={ACCEPTANCE}")).await;
    assert_eq!((&build["event"], &build["branch"]), (&json!("push"), &json!("master")));
    let kinds: BTreeSet<_> = jobs(&build).map(|job| job["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["plan", "test", "package", "deploy", "post_deploy"].into());
    arrived(ACCEPTANCE, STAGING).await;
    for service in SERVICES {
        world.status(&first, &format!("greenroom/{service}/test"), "success").await;
        let stage = format!("greenroom/{service}/{ACCEPTANCE}");
        let status = world.status(&first, &stage, "success").await;
        assert_eq!(status.target_url.as_deref(), build["url"].as_str());
    }
    world.status(&first, "greenroom", "success").await;
    let stage = world.get(&format!("/apps/workshop/stages/{ACCEPTANCE}")).await;
    let instances = stage["instances"].as_array().unwrap();
    assert_eq!(instances.len(), SERVICES.len());
    for instance in instances {
        assert_eq!((&instance["state"], &instance["commit"]), (&json!("deployed"), &json!(first)));
    }
    let restapi = instances.iter().find(|instance| instance["service"] == "restapi").unwrap();
    assert!(!restapi["endpoints"].as_array().unwrap().is_empty(), "{restapi}");
    assert!(restapi["outputs"].as_object().is_some_and(|outputs| !outputs.is_empty()));

    // a pull request gets a preview in the default profile's account, of what it changed
    let changed = [("backend-restapi/NOTE", Some("hi")), ("frontend/NOTE", Some("hi"))];
    let head =
        repository.commit_on("feature/Hello", Some("master"), &changed, "Say hello").await.unwrap();
    let number = repository.open_pr("feature/Hello", "master", "Say hello").await.unwrap();
    let build = world.succeeds(&format!("commit={head}")).await;
    assert_eq!((&build["stage"], &build["pull_request"]), (&json!(PREVIEW), &json!(number)));
    world.status(&head, "greenroom/restapi/preview", "success").await;
    world.status(&head, "greenroom", "success").await;
    let preview = world.get(&format!("/apps/workshop/stages/{PREVIEW}")).await;
    assert_eq!((&preview["kind"], &preview["profile"]), (&json!("preview"), &json!("development")));
    assert_eq!(accounts_with("fullstack-restapi", PREVIEW).await, [DEVELOPMENT].into());
    for stack in ["fullstack-database", "fullstack-tasks"] {
        assert!(accounts_with(stack, PREVIEW).await.is_empty(), "{stack} did not change");
    }
    reads_the_database_of(DEVELOPMENT, PREVIEW, SHARED).await;
    let site = site(DEVELOPMENT, PREVIEW).await.unwrap();
    assert_eq!(site["stage"], PREVIEW);

    // merged to master, only what changed since staging's commit is deployed there
    let merged = repository.merge_pr(number).await.unwrap();
    let build = world.succeeds(&format!("commit={merged}&stage={ACCEPTANCE}")).await;
    assert_eq!(
        of_kind(&build, "deploy").map(service_of).collect::<BTreeSet<_>>(),
        ["frontend", "restapi"].into()
    );
    world.status(&merged, &format!("greenroom/database/{ACCEPTANCE}"), "success").await;

    // prod is production
    repository.set_branch("prod", &merged).await.unwrap();
    world.succeeds(&format!("commit={merged}&stage={LIVE}")).await;
    arrived(LIVE, PRODUCTION).await;

    // the branch is deleted: nothing is left of it, and the others stay
    repository.delete_branch("feature/Hello").await.unwrap();
    let removal = until("the removal", async || {
        let list = world.get(&format!("/apps/workshop/builds?stage={PREVIEW}")).await;
        let newest = list["builds"][0].clone();
        (newest["event"] == "branch_deleted").then_some(newest)
    })
    .await;
    let removal = world.finished(removal["number"].as_i64().unwrap()).await;
    assert_eq!(removal["outcome"], "succeeded", "{removal:#}");
    let removed = |service: &str, key: &str| {
        let job = of_kind(&removal, "remove").find(|job| job["service"] == service);
        job.and_then(|job| job[key].as_str()).unwrap().to_owned()
    };
    assert!(removed("frontend", "finished_at") <= removed("restapi", "started_at"), "{removal:#}");
    assert!(accounts_with("fullstack-restapi", PREVIEW).await.is_empty());
    assert_eq!(self::site(DEVELOPMENT, PREVIEW).await, None);
    arrived(SHARED, DEVELOPMENT).await;
    arrived(ACCEPTANCE, STAGING).await;
    let stages = world.get("/apps/workshop/stages").await;
    let preview = stages["stages"]
        .as_array()
        .and_then(|all| all.iter().find(|stage| stage["name"] == PREVIEW));
    assert!(preview.is_none_or(|stage| stage["state"] == "closed"), "{stages:#}");

    // a secret parameter stands in no log and in no answer
    for build in world.get("/apps/workshop/builds?limit=100").await["builds"].as_array().unwrap() {
        let build = world.get(&format!("/apps/workshop/builds/{}", build["number"])).await;
        for job in jobs(&build) {
            let log = world.log(job).await;
            assert!(!log.contains("7f3a9c"), "a secret stands in the log of {job}");
        }
    }
    assert!(!world.get("/apps/workshop").await.to_string().contains("7f3a9c"));
    world.ends().await;
}

/// The workshop's settings with this test's stages in place of the usual ones.
fn settings() -> Value {
    let mut app = app();
    app["stages"] = json!({
        SHARED: { "profile": "development" },
        ACCEPTANCE: { "profile": "staging" },
        LIVE: { "profile": "production" },
    });
    for (profile, stage) in [("development", SHARED), ("staging", ACCEPTANCE), ("production", LIVE)]
    {
        app["profiles"][profile]["parameters"]["env"] = json!(stage);
    }
    app["rules"] = json!([
        { "branch": "develop", "stage": SHARED },
        { "branch": "master", "stage": ACCEPTANCE },
        { "branch": "prod", "stage": LIVE },
        { "preview": { "base": ["master"] } },
    ]);
    app
}

/// The whole workshop is in that account and in no other, and each service reads its own stage.
async fn arrived(stage: &str, account: &'static str) {
    for stack in STACKS {
        assert_eq!(accounts_with(stack, stage).await, [account].into(), "{stack}-{stage}");
    }
    for other in [DEVELOPMENT, STAGING, PRODUCTION] {
        let site = site(other, stage).await;
        assert_eq!(site.is_some(), other == account, "the site of {stage} in {other}");
    }
    reads_the_database_of(account, stage, stage).await;
}

async fn reads_the_database_of(account: &str, stage: &str, owner: &str) {
    let function = format!("fullstack-restapi-{stage}-hello");
    let hello = LocalAws::environment(account, &function).await;
    assert_eq!(hello["TABLE_NAME"], format!("submissions-{owner}"), "{function}");
    assert_eq!((&hello["STAGE"], &hello["ENV"]), (&json!(stage), &json!(owner)), "{function}");
}

async fn accounts_with(stack: &str, stage: &str) -> BTreeSet<&'static str> {
    LocalAws::accounts_with(&format!("{stack}-{stage}")).await
}

/// What the site of a stage knows of its API; nothing where its bucket is not there.
async fn site(account: &str, stage: &str) -> Option<Value> {
    let bucket = format!("workshop-frontend-{stage}-{account}");
    LocalAws::object(account, &bucket, "config.json").await
}

fn of_kind<'a>(build: &'a Value, kind: &'static str) -> impl Iterator<Item = &'a Value> {
    jobs(build).filter(move |job| job["kind"] == kind)
}

fn service_of(job: &Value) -> &str {
    job["service"].as_str().unwrap()
}
