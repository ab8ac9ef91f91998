//! What jobs of a stage are given: parameters that lie in AWS, time limits, the stage's own step.

use model::app::RemoteParameter;
use model::job::{FailureKind, Outcome};
use model::pipeline::{Commands, Framework, Service, Step};
use model::worker_api::{Target, Task};

use crate::bench::{Bench, failure, published, service, step, target};

const FILES: [(&str, &str); 2] = [("api/x", "x"), ("smoke", "the root of the repository\n")];

fn reading(name: &str) -> Target {
    let mut target = target(&[("plain", "seen", false)]);
    let remote = RemoteParameter::ssm(name).expect("a name");
    target.references.insert("api_key".parse().expect("a key"), remote);
    target
}

fn post_deploy(line: &str, target: Target) -> Task {
    Task::PostDeploy { step: Step::new(line), target, trust: "preview".to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_lies_in_aws_is_read_and_masked() {
    let bench = Bench::new(&FILES).await;
    let value = "from-the-parameter-store".to_owned();
    bench.server.state().parameter_store.insert("/shop/key".to_owned(), value);
    let line = "echo $plain; echo \"<$api_key>\"; echo ${#api_key}";
    let (finish, log) = bench.run(post_deploy(line, reading("/shop/key"))).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains("parameters read from AWS: api_key"), "{log}");
    assert!(log.contains("seen\n") && log.contains("\n24\n"), "{log}");
    assert!(!log.contains("from-the-parameter-store"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_is_not_there_fails_the_job_before_any_step() {
    let bench = Bench::new(&FILES).await;
    let (finish, log) = bench.run(post_deploy("echo never", reading("/shop/none"))).await;
    assert_eq!(failure(&finish).kind, FailureKind::Configuration, "{log}");
    let message = &failure(&finish).message;
    assert!(message.starts_with("parameter api_key: there is no ssm:/shop/none"), "{message}");
    assert!(!log.contains("never"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_is_gone_does_not_keep_a_service_from_being_removed() {
    let bench = Bench::new(&FILES).await;
    let commands = Commands { remove: step("echo removed"), ..Commands::default() };
    let service = Service {
        commands,
        ..Service::new("site".parse().expect("a name"), "api", Framework::Custom)
    };
    let (finish, log) = bench.remove(service, reading("/shop/none"), &[]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains("parameter api_key is left out"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stages_own_step_runs_in_the_root_with_parameters_outputs_and_credentials() {
    let bench = Bench::new(&FILES).await;
    let mut target = target(&[("plain", "seen", false)]);
    target.outputs.published.push(published("database", &[("table", "notes")]));
    target.outputs.published.push(published("restapi", &[("url", "https://a.example")]));
    let line = "cat smoke; echo $plain $GREENROOM_OUTPUT_DATABASE_TABLE $GREENROOM_OUTPUT_RESTAPI_URL $AWS_REGION [$GREENROOM_SERVICE]";
    let (finish, log) = bench.run(post_deploy(line, target)).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(finish.result.is_none());
    let printed = "the root of the repository\nseen notes https://a.example us-east-1 []\n";
    assert!(log.contains(printed), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_over_its_time_limit_is_ended_and_named_with_the_limit() {
    let bench = Bench::new(&FILES).await;
    let timeout = Some("1s".parse().expect("a time limit"));
    let test = Some(Step { run: "sleep 600".to_owned(), timeout });
    let service = service(Commands { test, ..Commands::default() });
    let task = Task::Test { service, target: None, trust: "preview".to_owned() };
    let (finish, log) = bench.run(task).await;
    assert_eq!(failure(&finish).kind, FailureKind::Limit);
    let message = &failure(&finish).message;
    assert!(message.starts_with("`sleep 600` did not end within 1s"), "{message}");
    assert!(message.contains("timeout"), "{message}");
    assert!(log.contains("sleep 600 (at most 1s)"), "{log}");
}
