//! The pipeline of a real monorepo: the workshop on its `dev` stage, and a preview that reads it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::aws::{DEVELOPMENT, LocalAws};
use crate::look::{deployed, instance};
use crate::server::until;
use crate::world::{World, jobs};

#[tokio::test(flavor = "multi_thread")]
async fn the_workshop_deploys_in_order_then_only_what_changed_and_a_preview_reads_the_database_of_dev()
 {
    let world = World::new().await;
    let repository = &world.repository;

    // the first push deploys the database, and then the others side by side
    let first =
        repository.commit_dir("develop", &fakes::sample_workshop(), "The workshop").await.unwrap();
    let build = world.succeeds(&format!("commit={first}&stage=dev")).await;
    assert_eq!(deployed(&build), ["database", "frontend", "restapi", "tasks"].into());
    let database = span(&build, "database");
    let (restapi, tasks) = (span(&build, "restapi"), span(&build, "tasks"));
    assert!(database.1 <= restapi.0 && database.1 <= tasks.0, "{build:#}");
    assert!(restapi.0 < tasks.1 && tasks.0 < restapi.1, "one waited for the other: {build:#}");
    assert!(restapi.1 <= span(&build, "frontend").0, "{build:#}");
    let smoke = job(&build, "post_deploy", None);
    assert_eq!(smoke["outcome"], "succeeded");
    assert!(world.log(smoke).await.contains("ok: the API answers with the parameters"));

    // outputs of both kinds are published, and the functions run with them
    let stage = world.get("/apps/workshop/stages/dev").await;
    let outputs = &instance(&stage, "database")["outputs"];
    assert_eq!(outputs["database_submissions_name"], "submissions-dev");
    let arn = outputs["database_submissions_arn"].as_str().unwrap();
    assert!(arn.ends_with("table/submissions-dev"), "{arn}");
    let hello = LocalAws::environment(DEVELOPMENT, "fullstack-restapi-dev-hello").await;
    assert_eq!(hello["TABLE_NAME"], "submissions-dev");
    assert_eq!(
        (&hello["ENV"], &hello["ENDPOINT"]),
        (&json!("dev"), &json!("https://dev.example.com"))
    );
    let remind = LocalAws::invoke(DEVELOPMENT, "fullstack-tasks-dev-remind").await;
    assert_eq!(
        (&remind["stage"], &remind["url"]),
        (&json!("dev"), &json!("https://dev.example.com"))
    );
    assert_eq!(remind["api_key"], "key-of-dev-7f3a9c");

    // a push that changes one service deploys it alone, and says why the others are left
    let changed = [("backend-tasks/NOTE", Some("every five minutes"))];
    let second = repository.commit_on("develop", None, &changed, "A note").await.unwrap();
    let build = world.succeeds(&format!("commit={second}&stage=dev")).await;
    assert_eq!(deployed(&build), ["tasks"].into());
    let status = world.status(&second, "greenroom/restapi/dev", "success").await;
    assert!(
        status
            .description
            .as_deref()
            .is_some_and(|why| why.starts_with("skipped: nothing changed"))
    );

    // code that services share deploys every service that watches it
    let contract = fakes::sample_workshop().join("shared/contract.json");
    let mut contract: Value =
        serde_json::from_str(&std::fs::read_to_string(contract).unwrap()).unwrap();
    contract["version"] = json!(2);
    let text = contract.to_string();
    let changed = [("shared/contract.json", Some(text.as_str()))];
    let third = repository.commit_on("develop", None, &changed, "Version 2").await.unwrap();
    let build = world.succeeds(&format!("commit={third}&stage=dev")).await;
    assert_eq!(deployed(&build), ["frontend", "restapi", "tasks"].into());
    let remind = LocalAws::invoke(DEVELOPMENT, "fullstack-tasks-dev-remind").await;
    assert_eq!(remind["contract"], 2);

    // a preview deploys what changed and reads the database of dev
    repository.set_branch("master", &third).await.unwrap();
    world.build(&format!("commit={third}&stage=staging")).await;
    let changed = [("backend-restapi/NOTE", Some("hi"))];
    let head =
        repository.commit_on("feature/pipeline", Some("master"), &changed, "Hi").await.unwrap();
    repository.open_pr("feature/pipeline", "master", "Hi").await.unwrap();
    let build = world.succeeds(&format!("commit={head}&stage=feature-pipeline")).await;
    assert_eq!(deployed(&build), ["restapi"].into());
    for service in ["fullstack-database", "fullstack-tasks"] {
        let stack = format!("{service}-feature-pipeline");
        assert!(LocalAws::accounts_with(&stack).await.is_empty(), "{stack}");
    }
    let hello =
        LocalAws::environment(DEVELOPMENT, "fullstack-restapi-feature-pipeline-hello").await;
    assert_eq!(
        (&hello["TABLE_NAME"], &hello["STAGE"]),
        (&json!("submissions-dev"), &json!("feature-pipeline"))
    );
    let status = world.status(&head, "greenroom/database/preview", "success").await;
    assert!(status.description.as_deref().is_some_and(|why| why.contains("which runs in dev")));

    // and goes with its branch, while dev stays
    repository.delete_branch("feature/pipeline").await.unwrap();
    let removal = until("the removal", async || {
        let list = world.get("/apps/workshop/builds?stage=feature-pipeline").await;
        let newest = list["builds"][0].clone();
        (newest["event"] == "branch_deleted").then_some(newest)
    })
    .await;
    let removal = world.finished(removal["number"].as_i64().unwrap()).await;
    assert_eq!(removal["outcome"], "succeeded", "{removal:#}");
    assert!(LocalAws::accounts_with("fullstack-restapi-feature-pipeline").await.is_empty());
    assert_eq!(
        LocalAws::accounts_with("fullstack-restapi-dev").await,
        BTreeSet::from([DEVELOPMENT])
    );
    world.ends().await;
}

fn job<'a>(build: &'a Value, kind: &str, service: Option<&str>) -> &'a Value {
    jobs(build)
        .find(|job| job["kind"] == kind && job["service"].as_str() == service)
        .unwrap_or_else(|| panic!("no {kind} of {service:?} in {build:#}"))
}

/// From the begin of a service's package to the end of its deploy; times of one form compare as
/// text.
fn span<'a>(build: &'a Value, service: &str) -> (&'a str, &'a str) {
    let time = |kind: &str, key: &str| job(build, kind, Some(service))[key].as_str().unwrap();
    (time("package", "started_at"), time("deploy", "finished_at"))
}
