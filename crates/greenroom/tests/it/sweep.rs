//! A stack that says it is Greenroom's and that no stage knows is found, shown, and removed when a
//! person says so, and only then.

use std::time::Duration;

use aws::Template;
use aws::stack::{Patience, Proposed, Wanted};
use serde_json::{Value, json};

use crate::aws::{DEVELOPMENT, LocalAws};
use crate::sample::Sample;
use crate::world::World;

/// Tests run side by side and share the accounts: here each is another Greenroom server.
const LOST: &str = "swept-and-lost";
const PIPELINE: &str = "services:
  queue: { path: queue, framework: cloudformation, stack: 'swept-${stage}' }
";
const TEMPLATE: &str = "Resources: { Queue: { Type: AWS::SQS::Queue } }\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_no_stage_knows_is_shown_and_removed_by_a_person() {
    let world = World::new().await;
    let sample = Sample::of(PIPELINE).file("queue/template.yml", TEMPLATE);
    let head = world.repository.commit("develop", &sample.files(), "First").await.unwrap();
    world.succeeds(&format!("commit={head}&stage=dev")).await;
    leave_behind().await;

    sweep(&world).await;
    let orphans = world.get("/orphans").await;
    assert!(of(&orphans, "swept-dev").is_none(), "a stage has it: {orphans:#}");
    let orphan = of(&orphans, LOST).unwrap_or_else(|| panic!("{LOST} is not in {orphans:#}"));
    assert_eq!(orphan["reason"], "the stage dev has no service forgotten in this region");
    assert_eq!((&orphan["account"], &orphan["tags"]["build"]), (&json!(DEVELOPMENT), &json!(41)));
    let page = world.page("/system").await;
    assert!(page.contains(LOST), "{page}");

    // it stays until somebody decides, and not everybody may
    sweep(&world).await;
    assert_eq!(LocalAws::accounts_with(LOST).await, [DEVELOPMENT].into());
    let path = format!("/orphans/{}/remove", orphan["id"].as_str().unwrap());
    let deployer = world.server.token("dan", "deployer").await;
    let url = format!("{}/api/v1{path}", world.server.url);
    let refused = crate::server::client().post(url).bearer_auth(deployer).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 403);

    let build = world.orders(&path, &json!({})).await;
    assert_eq!((&build["purpose"], &build["event"]), (&json!("remove"), &json!("manual")));
    assert_eq!(LocalAws::accounts_with(LOST).await, [].into());
    assert!(of(&world.get("/orphans").await, LOST).is_none());
    let (status, problem) = world.post(&path, &json!({})).await;
    assert_eq!(status, 409, "{problem}");
    let audit = world.get("/audit?app=workshop").await;
    let deeds = audit["entries"].as_array().unwrap();
    assert!(deeds.iter().any(|deed| deed["action"] == "remove_orphan"), "{audit:#}");
    world.ends().await;
}

/// Has every account looked through, to the end.
async fn sweep(world: &World) {
    let (status, answer) = world.post("/apps/workshop/sweep", &json!({})).await;
    assert_eq!(status, 201, "{answer:#}");
    let builds = answer["builds"].as_array().unwrap();
    assert_eq!(builds.len(), 3, "one for each account: {answer:#}");
    for build in builds {
        let build = world.finished(build["number"].as_i64().unwrap()).await;
        assert_eq!(build["outcome"], "succeeded", "{build:#}");
    }
}

fn of<'a>(orphans: &'a Value, stack: &str) -> Option<&'a Value> {
    orphans["orphans"].as_array().unwrap().iter().find(|orphan| orphan["stack"] == stack)
}

/// A stack as a server leaves it that loses its database.
async fn leave_behind() {
    let tags = [
        ("greenroom:app", "workshop"),
        ("greenroom:stage", "dev"),
        ("greenroom:service", "forgotten"),
        ("greenroom:build", "41"),
    ];
    let wanted = Wanted {
        stack: LOST.to_owned(),
        template: Template::parse(TEMPLATE).unwrap(),
        parameters: [].into(),
        tags: tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        capabilities: [].into(),
        role_arn: None,
        bucket: None,
        token: "left-behind".to_owned(),
    };
    let patience = Patience { poll: Duration::from_millis(100), deadline: Duration::from_secs(60) };
    let stacks = LocalAws::stacks(DEVELOPMENT);
    let Proposed::Change(proposal) = stacks.propose(&wanted, patience).await.unwrap() else {
        panic!("it is a new stack")
    };
    proposal.carry_out(patience, &mut |_| {}).await.unwrap().unwrap();
}
