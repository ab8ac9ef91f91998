//! Jobs that only look: sweep and drift, on a local AWS.

use model::drift::{DriftStatus, ResourceDrift};
use model::job::Outcome;
use model::outside::{Found, Left};
use model::worker_api::{JobResult, Task};
use serde_json::json;

use crate::bench::failure;
use crate::lab::{Owner, mark};
use crate::removal::{bench, deploy, here, service};

fn queue(mark: &str) -> String {
    json!({
        "Resources": { "Queue": { "Type": "AWS::SQS::Queue", "Properties": {
            "QueueName": format!("{mark}-queue"),
        } } },
        "Outputs": { "Url": { "Value": { "Ref": "Queue" } } },
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_finds_what_a_deploy_has_tagged() {
    let mark = mark();
    let bench = bench(&queue(&mark)).await;
    let (service, name) = service(&mark);
    deploy(&bench, &service).await;
    let regions = ["us-east-1", "eu-west-1"].map(|region| region.parse().expect("a region"));
    let (finish, log) = bench.run(Task::Sweep { regions: regions.into() }).await;
    let Some(JobResult::Swept { found }) = finish.result else { panic!("{log}") };
    let stack = found.iter().find(|stack| stack.name == name).expect("it is tagged");
    assert_eq!((stack.app.as_str(), stack.build), ("workshop", Some(7)));
    assert_eq!(
        (stack.stage.as_deref(), stack.service.as_deref()),
        (Some("feature-x"), Some("net"))
    );
    assert_eq!((stack.region.as_str(), stack.status.as_str()), ("us-east-1", "CREATE_COMPLETE"));
    assert!(stack.changed_at.is_some());
    let (finish, log) = bench.remove(service, here(), &[&name]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_cannot_be_listed_fails_the_sweep() {
    let bench = crate::bench::Bench::new(&[("api/x", "x")]).await;
    let regions = vec!["us-east-1".parse().expect("a region")];
    let (finish, log) = bench.run(Task::Sweep { regions }).await;
    assert!(failure(&finish).message.contains("does not allow DescribeStacks"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_tells_what_was_done_by_hand_and_whether_somebody_else_deployed() {
    let mark = mark();
    let bench = bench(&queue(&mark)).await;
    let (service, name) = service(&mark);
    deploy(&bench, &service).await;
    let local = bench.server.state().local_aws.clone().expect("a local AWS");
    let stack = local.stacks.look(&name).await.expect("AWS answers").expect("a stack");
    let changed_at = stack.changed_at().expect("a time");
    let left = Left::Deployed { build: 7, changed_at: [(name.clone(), changed_at)].into() };
    let drift = async || {
        let stacks = vec![name.clone(), format!("{mark}-never")];
        let (service, target, left) = (service.clone(), here(), left.clone());
        let (finish, log) = bench.run(Task::Drift { service, target, stacks, left }).await;
        match finish.result {
            Some(JobResult::Drifted { stacks, found }) => (stacks, found, log),
            other => panic!("{:?} {other:?}\n{log}", finish.outcome),
        }
    };
    let (stacks, found, log) = drift().await;
    assert_eq!(stacks[0].status, DriftStatus::InSync, "{log}");
    assert_eq!(stacks[1].status, DriftStatus::Deleted, "{log}");
    assert_eq!(found[&name], Found::Settled { changed_at });

    Owner::new().delete_queue(&stack.outputs["Url"]).await;
    let (stacks, _, log) = drift().await;
    let DriftStatus::Drifted { resources } = &stacks[0].status else { panic!("{log}") };
    assert_eq!(resources[0].logical_id, "Queue");
    assert_eq!(resources[0].deed, ResourceDrift::Deleted);
    assert!(log.contains("Queue (AWS::SQS::Queue) was deleted"), "{log}");
    let (finish, log) = bench.remove(service, here(), &[&name]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
}
