//! Services of commands alone: packaged, deployed, published, removed.

use model::job::{FailureKind, Outcome};
use model::pipeline::{Commands, Framework, Service};
use model::worker_api::{DeployedStack, Finish, JobResult};

use crate::bench::{Bench, failure, step, target};

const FILES: [(&str, &str); 1] = [("api/site/index.html", "hello\n")];

fn service(deploy: &str, remove: &str) -> Service {
    Service {
        commands: Commands {
            package: step("cp -r site \"$GREENROOM_PACKAGE_DIR/\""),
            deploy: step(deploy),
            remove: step(remove),
            ..Commands::default()
        },
        ..Service::new("site".parse().expect("a name"), "api", Framework::Custom)
    }
}

fn deployed(finish: Finish, log: &str) -> DeployedStack {
    match finish.result {
        Some(JobResult::Deployed { deployed, .. }) => deployed,
        other => panic!("not deployed: {:?} {other:?}\n{log}", finish.outcome),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_packaged_is_deployed_and_what_the_command_publishes_is_told() {
    let bench = Bench::new(&FILES).await;
    let mut service = service(
        "cat \"$GREENROOM_PACKAGE_DIR/site/index.html\"; echo SITE_URL=https://site.example > \"$GREENROOM_PUBLISH_FILE\"; echo size=1 >> \"$GREENROOM_PUBLISH_FILE\"",
        "true",
    );
    service.commands.after_deploy = step("echo smoke test of $GREENROOM_OUTPUT_SITE_SITE_URL");
    let (package, _) = bench.package(service.clone(), target(&[])).await;
    assert_eq!(package.stage.as_str(), "feature-x");
    let (finish, log) = bench.deploy(service, target(&[]), package.artifact).await;
    let deployed = deployed(finish, &log);
    assert!(log.contains("hello\n"), "{log}");
    assert!(log.contains("smoke test of https://site.example"), "{log}");
    assert!(deployed.stacks.is_empty());
    assert_eq!(deployed.outputs["size"], "1");
    assert_eq!(deployed.endpoints, ["https://site.example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_of_another_stage_or_service_is_refused_at_the_deploy() {
    let bench = Bench::new(&FILES).await;
    let site = service("true", "true");
    let (package, _) = bench.package(site.clone(), target(&[])).await;
    let mut prod = target(&[]);
    prod.stage = "prod".parse().expect("a stage");
    let (finish, _) = bench.deploy(site.clone(), prod, package.artifact.clone()).await;
    assert!(failure(&finish).message.contains("stage feature-x, not prod"), "{:?}", finish.outcome);
    let other = Service { name: "admin".parse().expect("a name"), ..site };
    let (finish, _) = bench.deploy(other, target(&[]), package.artifact).await;
    assert!(failure(&finish).message.contains("service site, not admin"), "{:?}", finish.outcome);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_a_command_left_is_replaced_and_never_written_through() {
    let bench = Bench::new(&FILES).await;
    let mut service = service("cat \"$GREENROOM_PACKAGE_DIR/greenroom.json\"", "true");
    service.commands.package = step(
        "echo untouched > $HOME/target; ln -s $HOME/target \"$GREENROOM_PACKAGE_DIR/greenroom.json\"",
    );
    let (package, _) = bench.package(service.clone(), target(&[])).await;
    let (finish, log) = bench.deploy(service, target(&[]), package.artifact).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains(r#""framework": "custom""#) && !log.contains("untouched"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_line_that_is_none_fails_the_deploy_with_its_place() {
    let bench = Bench::new(&FILES).await;
    let service = service("echo nonsense > $GREENROOM_PUBLISH_FILE", "true");
    let (package, _) = bench.package(service.clone(), target(&[])).await;
    let (finish, _) = bench.deploy(service, target(&[]), package.artifact).await;
    assert_eq!(failure(&finish).kind, FailureKind::Configuration);
    assert!(failure(&finish).message.contains("line 1: write KEY=VALUE"), "{:?}", finish.outcome);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_is_the_command_and_its_failure_the_jobs() {
    let bench = Bench::new(&FILES).await;
    let (finish, log) = bench.remove(service("true", "echo going"), target(&[]), &[]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains("going"), "{log}");
    let (finish, _) = bench.remove(service("true", "exit 3"), target(&[]), &[]).await;
    assert_eq!(failure(&finish).message, "`exit 3` ended with exit status 3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_before_the_removal_that_fails_keeps_what_is_there() {
    let bench = Bench::new(&FILES).await;
    let mut service = service("true", "echo going");
    service.commands.before_remove = step("echo backup; exit 4");
    let (finish, log) = bench.remove(service, target(&[]), &[]).await;
    assert!(failure(&finish).message.contains("exit status 4"), "{log}");
    assert!(!log.contains("going"), "{log}");
}
