//! The main job, whole: from a push to a deployed stage, and back to nothing.

use std::collections::BTreeSet;

use serde_json::json;

use crate::aws::{DEVELOPMENT, LocalAws, PRODUCTION, STAGING};
use crate::server::until;
use crate::world::{World, jobs};

const DATABASE: &str = "fullstack-database";
const RESTAPI: &str = "fullstack-restapi";

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_deployed_a_pull_request_gets_a_preview_and_a_deleted_branch_leaves_nothing() {
    let world = World::new().await;
    let (repository, sample) = (&world.repository, fakes::sample_workshop());

    // master is staging
    let master = repository.commit_dir("master", &sample, "Initial commit").await.unwrap();
    let build = world.succeeds(&format!("commit={master}")).await;
    assert_eq!((&build["event"], &build["stage"]), (&json!("push"), &json!("staging")));
    let kinds: BTreeSet<_> = jobs(&build).map(|job| job["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["plan", "test", "package", "deploy"]));
    for service in [DATABASE, RESTAPI] {
        let found = LocalAws::accounts_with(&format!("{service}-staging")).await;
        assert_eq!(found, BTreeSet::from([STAGING]), "{service}");
    }
    for context in [
        "greenroom",
        "greenroom/database/test",
        "greenroom/database/staging",
        "greenroom/restapi/test",
        "greenroom/restapi/staging",
    ] {
        let status = world.status(&master, context, "success").await;
        assert_eq!(status.target_url.as_deref(), build["url"].as_str());
    }
    let stage = world.get("/apps/workshop/stages/staging").await;
    let restapi = stage["instances"]
        .as_array()
        .and_then(|all| all.iter().find(|instance| instance["service"] == "restapi"))
        .unwrap();
    assert_eq!(restapi["state"], "deployed");
    assert_eq!(restapi["commit"], json!(master));
    assert!(!restapi["endpoints"].as_array().unwrap().is_empty(), "{restapi}");
    assert!(restapi["outputs"].as_object().is_some_and(|outputs| !outputs.is_empty()));

    // a pull request gets a preview in the default profile's account
    let head = repository
        .commit_on(
            "feature/Hello",
            Some("master"),
            &[("backend-restapi/NOTE", Some("hi"))],
            "Say hello",
        )
        .await
        .unwrap();
    let number = repository.open_pr("feature/Hello", "master", "Say hello").await.unwrap();
    let build = world.succeeds(&format!("commit={head}")).await;
    assert_eq!(build["stage"], "feature-hello");
    assert_eq!(build["pull_request"], json!(number));
    world.status(&head, "greenroom/restapi/preview", "success").await;
    world.status(&head, "greenroom", "success").await;
    let preview = world.get("/apps/workshop/stages/feature-hello").await;
    assert_eq!((&preview["kind"], &preview["profile"]), (&json!("preview"), &json!("development")));
    for service in [DATABASE, RESTAPI] {
        let found = LocalAws::accounts_with(&format!("{service}-feature-hello")).await;
        assert_eq!(found, BTreeSet::from([DEVELOPMENT]), "{service}");
    }

    // merged to master, only what changed since staging's commit is deployed there
    let merged = repository.merge_pr(number).await.unwrap();
    let build = world.succeeds(&format!("commit={merged}&stage=staging")).await;
    assert!(jobs(&build).any(|job| job["service"] == "restapi" && job["kind"] == "deploy"));
    assert!(!jobs(&build).any(|job| job["service"] == "database"), "{build:#}");
    world.status(&merged, "greenroom/database/staging", "success").await;

    // prod is production
    repository.set_branch("prod", &merged).await.unwrap();
    world.succeeds(&format!("commit={merged}&stage=prod")).await;
    for service in [DATABASE, RESTAPI] {
        let found = LocalAws::accounts_with(&format!("{service}-prod")).await;
        assert_eq!(found, BTreeSet::from([PRODUCTION]), "{service}");
    }

    // the branch is deleted: no stack is left of it, and the others stay
    repository.delete_branch("feature/Hello").await.unwrap();
    let removal = until("the removal", async || {
        let list = world.get("/apps/workshop/builds?stage=feature-hello").await;
        let newest = list["builds"][0].clone();
        (newest["event"] == "branch_deleted").then_some(newest)
    })
    .await;
    let removal = world.finished(removal["number"].as_i64().unwrap()).await;
    assert_eq!(removal["outcome"], "succeeded", "{removal:#}");
    for service in [DATABASE, RESTAPI] {
        assert!(LocalAws::accounts_with(&format!("{service}-feature-hello")).await.is_empty());
        assert!(!LocalAws::accounts_with(&format!("{service}-staging")).await.is_empty());
    }
    let stages = world.get("/apps/workshop/stages").await;
    let preview = stages["stages"]
        .as_array()
        .and_then(|all| all.iter().find(|stage| stage["name"] == "feature-hello"));
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
