//! The safeguards of a profile, as the one whose deploy they stop reads them.

use serde_json::{Value, json};

use crate::aws::{DEVELOPMENT, LocalAws};
use crate::look::{deployed, end, job};
use crate::sample::Sample;
use crate::world::{World, app};

const QUEUE: &str = "
Resources:
  Orders: { Type: AWS::SQS::Queue, Properties: { QueueName: !Sub '${AWS::StackName}-orders' } }
";

#[tokio::test(flavor = "multi_thread")]
async fn the_safeguards_of_the_stages_profile_stop_a_deploy_with_the_remedy() {
    let world = World::new().await;
    let mut file = app();
    let elsewhere = |level: &str| json!({ "policy": "allowed-regions", "level": level, "config": ["eu-west-1", "eu-central-1"] });
    let tags = json!({ "policy": "required-stack-tags", "level": "error", "config": { "team": "[a-z]+" } });
    file["profiles"]["staging"]["safeguards"] = json!([elsewhere("error"), tags]);
    file["profiles"]["development"]["safeguards"] = json!([elsewhere("warning")]);
    world.apply(&file).await;
    let pipeline = "
services:
  orders: { path: orders, template: queue.yml, stack: 'guarded-${stage}' }
  counter: { path: counter, framework: custom, depends_on: [orders], deploy: 'true', remove: 'true' }
";
    let sample = Sample::of(pipeline).file("orders/queue.yml", QUEUE);

    // an error stops the deploy before there is a stack
    let sha = world.repository.commit("master", &sample.files(), "Orders").await.unwrap();
    let build = world.fails(&format!("commit={sha}&stage=staging")).await;
    let package = job(&build, "package", "orders");
    assert_eq!(
        end(package),
        (
            "failed",
            "allowed-regions: region: the region us-east-1 is not allowed here; deploy to \
             eu-west-1 or eu-central-1\n\
             required-stack-tags: stack tags.team: the stack has no tag `team`; write `team` where \
             the stack's tags are set, with a value like `[a-z]+`"
        )
    );
    assert_eq!(package["failure"], "safeguard");
    assert_eq!(
        end(job(&build, "deploy", "orders")),
        ("skipped", "needs the package of orders, which failed")
    );
    assert_eq!(end(job(&build, "deploy", "counter")).0, "skipped");
    assert!(LocalAws::accounts_with("guarded-staging").await.is_empty());
    let log = world.log(package).await;
    assert!(log.contains("error: allowed-regions: region: the region us-east-1 is not"), "{log}");
    let page = world.build_page(&build).await;
    for text in [
        "error orders the region us-east-1 is not allowed here",
        "To satisfy it: deploy to eu-west-1 or eu-central-1",
        "error orders the stack has no tag `team`",
    ] {
        assert!(page.contains(text), "{text:?} is not in: {page}");
    }
    world.status(&sha, "greenroom/orders/staging", "failure").await;

    // a warning is shown, and that is all
    world.repository.set_branch("develop", &sha).await.unwrap();
    let build = world.succeeds(&format!("commit={sha}&stage=dev")).await;
    assert_eq!(deployed(&build), ["counter", "orders"].into());
    let finding = &job(&build, "package", "orders")["checks"]["findings"][0];
    assert_eq!(
        (&finding["level"], &finding["remedy"]),
        (&json!("warning"), &json!("deploy to eu-west-1 or eu-central-1"))
    );
    let page = world.build_page(&build).await;
    assert!(page.contains("warning orders the region us-east-1 is not allowed here"), "{page}");
    assert_eq!(LocalAws::accounts_with("guarded-dev").await, [DEVELOPMENT].into());
    world.ends().await;
}

fn table(name: &str) -> String {
    format!(
        "
Resources:
  Visits:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: {name}
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{{ AttributeName: id, AttributeType: S }}]
      KeySchema: [{{ AttributeName: id, KeyType: HASH }}]
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_deletes_or_replaces_a_table_is_refused_with_the_table_named() {
    let world = World::new().await;
    let mut file = app();
    file["profiles"]["development"]["safeguards"] =
        json!([{ "policy": "no-replacement", "level": "error" }]);
    world.apply(&file).await;
    let pipeline =
        "services: { visits: { path: visits, template: table.yml, stack: 'kept-${stage}' } }\n";
    let push = async |template: &str| {
        let sample = Sample::of(pipeline).file("visits/table.yml", template);
        world.repository.commit("develop", &sample.files(), "Visits").await.unwrap()
    };
    let first = push(&table("kept-visits")).await;
    world.succeeds(&format!("commit={first}")).await;

    let renamed = push(&table("kept-visitors")).await;
    let build = world.fails(&format!("commit={renamed}")).await;
    let lost = "AWS::DynamoDB::Table Visits (kept-visits) of the stack kept-dev";
    assert_eq!(
        end(job(&build, "package", "visits")).1,
        format!(
            "no-replacement: Resources.Visits: {lost} would be replaced by a new, empty one; leave \
             TableName as deployed; or make such a change in a deploy of its own, after its data \
             is safe, with a profile that does not refuse it"
        )
    );
    let page = world.build_page(&build).await;
    assert!(page.contains("stack kept-dev: 1 replaced"), "{page}");
    assert!(page.contains("replaced holds data Visits kept-visits"), "{page}");

    let removed = push(QUEUE).await;
    let build = world.fails(&format!("commit={removed}")).await;
    let (_, reason) = end(job(&build, "package", "visits"));
    assert!(reason.contains(&format!("{lost} would be removed with the data in it")), "{reason}");

    let resources = LocalAws::stacks(DEVELOPMENT).resources("kept-dev").await.unwrap();
    let tables: Vec<_> = resources.iter().filter_map(|one| one.physical_id.as_deref()).collect();
    assert_eq!(tables, ["kept-visits"]);
    let stage: Value = world.get("/apps/workshop/stages/dev").await;
    assert_eq!(stage["instances"][0]["commit"], json!(first));
    world.ends().await;
}
