//! Stuck stacks, and failures of AWS that pass, each really produced on a local AWS.

use model::job::{FailureKind, Outcome};
use model::pipeline::{Commands, Framework, Service};
use model::worker_api::{JobResult, Task};

use crate::bench::{Bench, failure, step};
use crate::lab::{custom_resource, failing, function, mark, thing, throttled};
use crate::removal::{bench, deploy, here, service};

async fn status(bench: &Bench, stack: &str) -> String {
    let local = bench.server.state().local_aws.clone().expect("a local AWS");
    let stack = local.stacks.look(stack).await.expect("AWS answers").expect("a stack");
    stack.status.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_never_came_to_be_is_deleted_and_deployed_again() {
    let mark = mark();
    let mut bench = bench(&failing(&mark, "Create", 1)).await;
    let (service, name) = service(&mark);
    let (package, _) = bench.package(service.clone(), here()).await;
    let (finish, log) = bench.deploy(service.clone(), here(), package.artifact).await;
    assert!(failure(&finish).message.contains("told to fail"), "{log}");
    assert_eq!(status(&bench, &name).await, "ROLLBACK_COMPLETE");

    bench.commit(&[("api/template.yml", &custom_resource(&mark, "", 1))]).await;
    let (package, _) = bench.package(service.clone(), here()).await;
    let (finish, log) = bench.deploy(service.clone(), here(), package.artifact).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains(&format!("DELETE_COMPLETE {name}")), "{log}");
    assert_eq!(status(&bench, &name).await, "CREATE_COMPLETE");
    let (finish, log) = bench.remove(service, here(), &[&name]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_whose_removal_failed_is_removed_first_when_somebody_wants_it_back() {
    let mark = mark();
    let twice = "if (event.RequestType === 'Delete' && (seen.d = (seen.d || 0) + 1) <= 2) bad = 'told to fail';";
    let mut bench = bench(&function(&mark, twice).to_string()).await;
    let (answering, function) = service(&format!("{mark}f"));
    deploy(&bench, &answering).await;
    bench.commit(&[("api/template.yml", &thing(&mark, 1))]).await;
    let (service, name) = service(&mark);
    deploy(&bench, &service).await;
    let (finish, log) = bench.remove(service.clone(), here(), &[&name]).await;
    assert!(failure(&finish).message.contains("told to fail"), "{log}");
    assert_eq!(status(&bench, &name).await, "DELETE_FAILED");

    let (package, _) = bench.package(service.clone(), here()).await;
    let (finish, log) = bench.deploy(service.clone(), here(), package.artifact).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains("an earlier removal of it failed"), "{log}");
    assert_eq!(status(&bench, &name).await, "CREATE_COMPLETE");
    for (service, name) in [(service, name), (answering, function)] {
        let (finish, log) = bench.remove(service, here(), &[&name]).await;
        assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    }
}

fn recovering(service: &Service, stack: &str, skip: &[&str]) -> Task {
    Task::Recover {
        service: service.clone(),
        target: here(),
        stacks: vec![stack.to_owned()],
        skip: skip.iter().map(|&id| id.to_owned()).collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_failed_names_what_it_is_stuck_at_and_goes_on_without_it() {
    let mark = mark();
    let mut bench = bench(&failing(&mark, "Update", 1)).await;
    let (service, name) = service(&mark);
    deploy(&bench, &service).await;
    bench.commit(&[("api/template.yml", &failing(&mark, "Update", 2))]).await;
    let (package, _) = bench.package(service.clone(), here()).await;
    let artifact = package.artifact;
    let (finish, log) = bench.deploy(service.clone(), here(), artifact.clone()).await;
    assert_eq!(failure(&finish).kind, FailureKind::Aws, "{log}");
    assert_eq!(status(&bench, &name).await, "UPDATE_ROLLBACK_FAILED", "{log}");
    let stuck = model::stuck::stuck_at(&failure(&finish).message);
    assert_eq!((stuck.len(), stuck[0].logical_id.as_str()), (1, "Thing"), "{log}");
    assert_eq!(stuck[0].resource_type, "Custom::Thing");

    // A deploy tries to continue it, and says what a person can do when that fails too.
    let (finish, log) = bench.deploy(service.clone(), here(), artifact).await;
    let message = &failure(&finish).message;
    assert!(message.contains(&format!("stack {name} is UPDATE_ROLLBACK_FAILED")), "{message}");
    assert!(message.contains("\n- Thing (Custom::Thing"), "{message}");
    assert!(message.contains("the stage's page offers to skip them"), "{log}");

    let (finish, log) = bench.run(recovering(&service, &name, &[])).await;
    assert!(failure(&finish).message.contains("\n- Thing (Custom::Thing"), "{log}");

    let (finish, log) = bench.run(recovering(&service, &name, &["Thing", "NoSuch"])).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(matches!(finish.result, Some(JobResult::Recovered)));
    assert!(log.contains("left as it is") && log.contains("it takes deploys again"), "{log}");
    assert_eq!(status(&bench, &name).await, "UPDATE_ROLLBACK_COMPLETE");

    let (finish, log) = bench.run(recovering(&service, &name, &["Thing"])).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "once more does no harm: {log}");

    bench.commit(&[("api/template.yml", &custom_resource(&mark, "", 1))]).await;
    deploy(&bench, &service).await;
    let (finish, log) = bench.remove(service.clone(), here(), &[&name]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    let (finish, log) = bench.run(recovering(&service, &name, &[])).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains("nothing to continue"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_aws_had_no_time_for_is_tried_again_after_another_look() {
    let mark = mark();
    let mut bench = bench(&custom_resource(&mark, &throttled("Update", 1), 1)).await;
    let (service, name) = service(&mark);
    deploy(&bench, &service).await;
    bench
        .commit(&[("api/template.yml", &custom_resource(&mark, &throttled("Update", 1), 2))])
        .await;
    let (package, _) = bench.package(service.clone(), here()).await;
    let (finish, log) = bench.deploy(service.clone(), here(), package.artifact).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains("Thing (Custom::Thing): Rate exceeded"), "{log}");
    let why =
        "the account's calls were more than AWS takes at once: this passes, tried again in 0 s";
    assert!(log.contains(why), "{log}");
    let looked = log.matches(&format!("stack {name} of feature-x in us-east-1")).count();
    assert_eq!(looked, 2, "{log}");
    assert_eq!(status(&bench, &name).await, "UPDATE_COMPLETE");
    let (finish, log) = bench.remove(service, here(), &[&name]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
}

fn custom(deploy: &str) -> Service {
    Service {
        commands: Commands { deploy: step(deploy), ..Commands::default() },
        ..Service::new("site".parse().expect("a name"), "api", Framework::Custom)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_command_that_fails_by_what_passes_runs_again() {
    let bench = Bench::new(&[("api/x", "x")]).await;
    let busy = "Another Deployment is in progress for rest api with id a1b2c3";
    let service = custom(&format!(
        "test -e \"$HOME/asked\" || {{ touch \"$HOME/asked\"; echo '{busy}' >&2; exit 1; }}; echo deployed"
    ));
    let (package, _) = bench.package(service.clone(), here()).await;
    let (finish, log) = bench.deploy(service, here(), package.artifact).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    let why =
        "API Gateway takes one deployment of an API at a time: this passes, tried again in 0 s";
    assert!(log.contains(why) && log.contains("\ndeployed"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_failure_of_a_deploy_command_stands_at_once() {
    let bench = Bench::new(&[("api/x", "x")]).await;
    let service = custom("echo no such table; exit 4");
    let (package, _) = bench.package(service.clone(), here()).await;
    let (finish, log) = bench.deploy(service, here(), package.artifact).await;
    assert!(failure(&finish).message.contains("exit status 4"), "{log}");
    assert_eq!(log.matches("\nno such table").count(), 1, "{log}");
    assert!(!log.contains("tried again"), "{log}");
}
