//! Services that are a CloudFormation template, on a local AWS: change sets, events, removal.

use std::time::Duration;

use aws::Template;
use aws::stack::{Patience, Proposed, Wanted};
use model::change_set::{Effect, StackChangeKind};
use model::finding::Check;
use model::job::{FailureKind, Outcome};
use model::outside::Left;
use model::pipeline::{Framework, Service};
use model::worker_api::{DeployedStack, Finish, JobResult, Progress, RemoveHow, Target, Task};
use serde_json::json;

use crate::aws::LocalAws;
use crate::bench::{Bench, failure, packing, target};

const TEMPLATE: &str = "
Parameters:
  Env: { Type: String }
  Size: { Type: String, Default: small }
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties: { TopicName: !Sub '${AWS::StackName}-${Size}', DisplayName: !Ref Env }
Outputs:
  TopicName: { Value: !GetAtt Topic.TopicName }
  Env: { Value: !Ref Env }
";

/// A service whose stack no other test and no other run has, and its stack's name.
fn service() -> (Service, String) {
    let mark = bench_id();
    let service = Service {
        stack: Some(format!("net-{mark}-${{stage}}")),
        ..Service::new("net".parse().expect("a name"), "api", Framework::Cloudformation)
    };
    (service, format!("net-{mark}-feature-x"))
}

fn bench_id() -> String {
    let mut mark = [0; 8];
    aws_lc_rs::rand::fill(&mut mark).expect("randomness");
    hex::encode(mark)
}

async fn bench(template: &str) -> Bench {
    let bench = Bench::new(&[("api/template.yml", template)]).await;
    bench.use_local_aws().await;
    bench
}

fn local(bench: &Bench) -> LocalAws {
    bench.server.state().local_aws.clone().expect("a local AWS")
}

fn deployed(finish: Finish, log: &str) -> DeployedStack {
    match finish.result {
        Some(JobResult::Deployed { deployed, .. }) => deployed,
        other => panic!("not deployed: {:?} {other:?}\n{log}", finish.outcome),
    }
}

fn dev() -> Target {
    target(&[("Env", "dev", false)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_deployed_by_a_change_set_and_removed_with_proof() {
    let bench = bench(TEMPLATE).await;
    let (mut service, name) = service();
    service.parameters.insert("Size".to_owned(), "${param:Env}-large".to_owned());
    let (package, log) = bench.package(service.clone(), dev()).await;
    assert_eq!(package.change[0].kind, StackChangeKind::New);
    assert!(log.contains(&format!("change of stack {name}: new, 1 added")), "{log}");

    let (finish, log) = bench.deploy(service.clone(), dev(), package.artifact.clone()).await;
    let deployed = deployed(finish, &log);
    assert_eq!(deployed.stacks, std::slice::from_ref(&name));
    assert_eq!(deployed.outputs["TopicName"], format!("{name}-dev-large"));
    assert_eq!(deployed.outputs["Env"], "dev");
    assert!(log.contains("CREATE_COMPLETE Topic (AWS::SNS::Topic)"), "{log}");
    let stack = local(&bench).stacks.look(&name).await.expect("AWS answers").expect("a stack");
    assert_eq!(stack.tags["greenroom:service"], "net");
    assert_eq!(stack.tags["greenroom:build"], "7");
    let so_far = || bench.server.state().progress.last().cloned();
    let whole = Some(Progress { done: 1, total: 1, doing: None });
    assert_eq!(so_far(), whole, "all that the template has");
    let calls = bench.server.state().calls.clone();
    assert_eq!(calls.iter().filter(|call| call.ends_with("checkout")).count(), 1, "to package");

    let (finish, log) = bench.deploy(service.clone(), dev(), package.artifact).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains("is as wanted already"), "{log}");

    bench.server.state().progress.clear();
    let (finish, log) = bench.remove(service.clone(), dev(), &[&name]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains(&format!("stack {name} is gone, verified")), "{log}");
    assert_eq!(so_far(), whole, "all that the stack had");
    let (finish, log) = bench.remove(service, dev(), &[]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains("nothing to remove"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_parameter_is_told_before_cloudformation_is_asked() {
    let bench = bench(TEMPLATE).await;
    let (service, _) = service();
    let task = packing(service, target(&[]));
    let (finish, _) = bench.run(task).await;
    assert_eq!(failure(&finish).kind, FailureKind::Configuration);
    assert!(failure(&finish).message.contains("needs Env:"), "{:?}", finish.outcome);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_cloudformation_does_not_take_is_refused_with_its_sentence() {
    let bench = bench("Resources: { T: { Type: 'AWS::Nothing::AtAll' } }").await;
    let (service, _) = service();
    let task = packing(service, dev());
    let (finish, log) = bench.run(task).await;
    assert_eq!(failure(&finish).kind, FailureKind::Safeguard, "{log}");
    assert!(failure(&finish).message.contains("AWS::Nothing::AtAll"), "{log}");
    assert!(matches!(finish.result, Some(JobResult::Checked { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_is_no_yaml_is_refused_with_the_line() {
    let bench = bench("Resources:\n  T: [\n").await;
    let (service, _) = service();
    let task = packing(service, dev());
    let (finish, log) = bench.run(task).await;
    assert_eq!(failure(&finish).kind, FailureKind::Safeguard, "{log}");
    assert!(failure(&finish).message.starts_with("template: stack net-"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_fails_says_which_resource_and_why() {
    let template = "
Resources:
  Wrong:
    Type: AWS::CloudFormation::CustomResource
    Properties: { ServiceToken: 'arn:aws:lambda:us-east-1:111111111111:function:none' }
";
    let bench = bench(template).await;
    let (service, name) = service();
    let (package, _) = bench.package(service.clone(), target(&[])).await;
    let (finish, log) = bench.deploy(service.clone(), target(&[]), package.artifact).await;
    assert_eq!(failure(&finish).kind, FailureKind::Aws, "{log}");
    assert!(failure(&finish).message.contains(&name), "{:?}", finish.outcome);
    assert!(failure(&finish).message.contains("Wrong"), "{:?}", finish.outcome);
    let (finish, log) = bench.remove(service, target(&[]), &[]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
}

fn table(key: &str) -> String {
    format!(
        "
Resources:
  Notes:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{{ AttributeName: {key}, AttributeType: S }}]
      KeySchema: [{{ AttributeName: {key}, KeyType: HASH }}]
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_loses_a_table_is_refused_when_it_is_packaged_and_when_it_is_deployed() {
    let mut bench = bench(&table("id")).await;
    let (service, name) = service();
    let (package, _) = bench.package(service.clone(), target(&[])).await;
    let (finish, log) = bench.deploy(service.clone(), target(&[]), package.artifact).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");

    bench.commit(&[("api/template.yml", "Resources: { T: { Type: AWS::SNS::Topic } }\n")]).await;
    let (unguarded, _) = bench.package(service.clone(), target(&[])).await;
    let lost = unguarded.change[0].changes.iter().find(|change| change.logical_id == "Notes");
    assert_eq!(lost.map(|change| change.effect), Some(Effect::Removed));

    let mut guarded = target(&[]);
    let safeguard = json!({"policy": "no-replacement", "level": "error"});
    guarded.safeguards.push(serde_json::from_value(safeguard).expect("a safeguard"));
    let (finish, log) = bench.run(packing(service.clone(), guarded.clone())).await;
    assert_eq!(failure(&finish).kind, FailureKind::Safeguard, "{log}");
    assert!(failure(&finish).message.contains("Notes"), "{:?}", finish.outcome);

    let (finish, log) = bench.deploy(service.clone(), guarded, unguarded.artifact).await;
    assert_eq!(failure(&finish).kind, FailureKind::Safeguard, "{log}");
    assert!(matches!(finish.result, Some(JobResult::Checked { .. })));
    let resources = local(&bench).stacks.resources(&name).await.expect("AWS answers");
    assert!(resources.iter().any(|resource| resource.logical_id == "Notes"), "{resources:?}");

    let (finish, log) = bench.remove(service, target(&[]), &[&name]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
}

/// What somebody does with a command line: the stack with another parameter.
async fn change_by_hand(bench: &Bench, name: &str) {
    let wanted = Wanted {
        stack: name.to_owned(),
        template: Template::parse(TEMPLATE).expect("a template"),
        parameters: [("Env", "dev"), ("Size", "by-hand")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        tags: [].into(),
        capabilities: [].into(),
        role_arn: None,
        bucket: None,
        token: "by-hand".to_owned(),
    };
    let proposed = local(bench).stacks.propose(&wanted, PATIENCE).await.expect("it is taken");
    let Proposed::Change(proposal) = proposed else { panic!("something changes") };
    let stack = proposal.carry_out(PATIENCE, &mut |_| {}).await.expect("answered");
    assert_eq!(stack.expect("a stack").outputs["TopicName"], format!("{name}-by-hand"));
}

const PATIENCE: Patience =
    Patience { poll: Duration::from_millis(100), deadline: Duration::from_secs(60) };

#[tokio::test(flavor = "multi_thread")]
async fn a_package_tells_what_somebody_else_did_to_the_stack_since_the_last_deploy() {
    let bench = bench(TEMPLATE).await;
    let (service, name) = service();
    let (package, _) = bench.package(service.clone(), dev()).await;
    let (finish, log) = bench.deploy(service.clone(), dev(), package.artifact).await;
    let left = Left::Deployed { build: 6, changed_at: deployed(finish, &log).left_at };
    assert_eq!(left.stacks(), [&name]);
    let seen = async || {
        let (service, target, trust) = (service.clone(), dev(), "preview".to_owned());
        let left = left.clone();
        let (finish, log) = bench.run(Task::Package { service, target, trust, left }).await;
        let Some(JobResult::Packaged { package }) = finish.result else { panic!("{log}") };
        assert_eq!(package.found.keys().collect::<Vec<_>>(), [&name]);
        let outside = package.findings.into_iter().filter(|one| one.check == Check::Outside);
        (outside.map(|one| one.problem).collect::<Vec<_>>(), log)
    };
    let (nothing, _) = seen().await;
    assert!(nothing.is_empty(), "the deploy's own change: {nothing:?}");

    change_by_hand(&bench, &name).await;
    let (changed, log) = seen().await;
    assert!(changed[0].starts_with("it was changed outside Greenroom at "), "{changed:?}");
    assert!(changed[0].contains(", after build 6 had deployed it at "), "{changed:?}");
    assert!(log.contains(&format!("warning: not by Greenroom: stack {name}: ")), "{log}");

    let stacks = local(&bench).stacks;
    stacks
        .remove(&name, "by-hand", RemoveHow::Careful, PATIENCE, &mut |_| {})
        .await
        .expect("answered");
    let (removed, _) = seen().await;
    assert!(removed[0].starts_with("it was removed outside Greenroom"), "{removed:?}");
}
