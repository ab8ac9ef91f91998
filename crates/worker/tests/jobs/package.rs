//! Package jobs, with a stand-in for the framework that writes what osls writes.

use model::job::{FailureKind, Outcome};
use model::pipeline::Commands;
use model::worker_api::{JobResult, Task};
use serde_json::json;

use crate::bench::{Bench, failure, packing, published, service, step, target};

/// Writes a state for the stage and region it was told, or for those of its environment.
const OSLS: &str = r#"#!/bin/bash
set -e
echo "osls $*"
while [ $# -gt 0 ]; do
  case "$1" in --package) dir=$2; shift;; --stage) stage=$2; shift;; --region) region=$2; shift;; esac
  shift
done
mkdir -p "$dir"
cat > "$dir/serverless-state.json" <<STATE
{"service":{"service":"api","provider":{"stage":"dev","region":"${FORCE_REGION:-$region}"}},
 "package":{"artifactDirectoryName":"serverless/api/${FORCE_STAGE:-$stage}/1-2026"}}
STATE
echo '{"Resources":{"T":{"Type":"AWS::SNS::Topic"}}}' > "$dir/cloudformation-template-update-stack.json"
env | grep ^AWS_ACCESS_KEY_ID= > /dev/null
"#;
const INSTALL: &str = "mkdir -p node_modules/osls node_modules/.bin
echo '{\"version\":\"4.3.1\",\"bin\":{\"osls\":\"x\"}}' > node_modules/osls/package.json
cp osls.sh node_modules/.bin/osls; chmod +x node_modules/.bin/osls";
const FILES: [(&str, &str); 1] = [("api/osls.sh", OSLS)];

fn packaging(parameters: &[(&str, &str, bool)]) -> Task {
    let commands = Commands { install: step(INSTALL), ..Commands::default() };
    packing(service(commands), target(parameters))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_is_uploaded_and_reported_for_the_stage_it_was_made_for() {
    let bench = Bench::new(&FILES).await;
    let (finish, log) = bench.run(packaging(&[("key", "very-secret-value", true)])).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    let Some(JobResult::Packaged { package }) = finish.result else { panic!("no package: {log}") };
    assert_eq!(package.stage.as_str(), "feature-x");
    assert_eq!(package.region.as_str(), "us-east-1");
    assert!(log.contains("framework: osls 4.3.1"), "{log}");
    assert!(log.contains("(1 parameter)") && !log.contains("very-secret-value"), "{log}");
    assert!(log.contains("CloudFormation did not look at cloudformation-template"), "{log}");
    let state = bench.server.state();
    assert_eq!(i64::try_from(state.artifact.len()).expect("small"), package.artifact.size_bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_for_another_stage_or_region_is_never_uploaded() {
    let bench = Bench::new(&FILES).await;
    for parameter in [("FORCE_STAGE", "prod", false), ("FORCE_REGION", "eu-west-1", false)] {
        let (finish, log) = bench.run(packaging(&[parameter])).await;
        assert_eq!(failure(&finish).kind, FailureKind::Configuration, "{log}");
        assert!(failure(&finish).message.contains(parameter.1), "{log}");
    }
    assert!(bench.server.state().artifact.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_the_failure_in_the_servers_words() {
    let bench = Bench::new(&FILES).await;
    bench.server.state().faults = vec![("credentials", 422, 1)];
    let (finish, _) = bench.run(packaging(&[])).await;
    assert_eq!(failure(&finish).kind, FailureKind::Aws);
    assert_eq!(failure(&finish).message, "planted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_command_of_ones_own_writes_into_the_package_directory() {
    let bench = Bench::new(&FILES).await;
    let line = "bash osls.sh --package \"$GREENROOM_PACKAGE_DIR\" --stage $GREENROOM_STAGE --region $AWS_REGION";
    let commands = Commands { package: step(line), ..Commands::default() };
    let task = packing(service(commands), target(&[]));
    let (finish, log) = bench.run(task).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    let commands = Commands { package: step("true"), ..Commands::default() };
    let task = packing(service(commands), target(&[]));
    let (finish, _) = bench.run(task).await;
    assert!(failure(&finish).message.contains("$GREENROOM_PACKAGE_DIR"), "{:?}", finish.outcome);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_look_a_package_is_made_and_the_log_says_what_is_not_known() {
    let bench = Bench::new(&FILES).await;
    let (finish, log) = bench.run(packaging(&[])).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(
        log.contains("what the deploy would change in stack api-feature-x is not known"),
        "{log}"
    );
}

fn guarded(safeguard: serde_json::Value) -> Task {
    let safeguard = serde_json::from_value(safeguard).expect("a safeguard");
    match packaging(&[]) {
        Task::Package { service, mut target, trust, left } => {
            target.safeguards.push(safeguard);
            Task::Package { service, target, trust, left }
        }
        other => panic!("another task: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_safeguard_that_does_not_hold_refuses_the_package_and_names_the_remedy() {
    let bench = Bench::new(&FILES).await;
    let task = guarded(json!({"policy": "allowed-stages", "level": "error", "config": ["prod"]}));
    let (finish, log) = bench.run(task).await;
    assert_eq!(failure(&finish).kind, FailureKind::Safeguard, "{log}");
    assert!(failure(&finish).message.starts_with("allowed-stages: "), "{:?}", failure(&finish));
    match finish.result {
        Some(JobResult::Checked { findings, .. }) => assert_eq!(findings.len(), 1, "{findings:?}"),
        other => panic!("what was found is not told: {other:?}"),
    }
    assert!(bench.server.state().artifact.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_is_told_with_the_package_and_refuses_nothing() {
    let bench = Bench::new(&FILES).await;
    let task = guarded(json!({"policy": "allowed-stages", "level": "warning", "config": ["prod"]}));
    let (finish, log) = bench.run(task).await;
    let Some(JobResult::Packaged { package }) = finish.result else { panic!("no package: {log}") };
    assert_eq!(package.findings.len(), 1);
    assert!(log.contains("warning: allowed-stages: "), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_safeguard_that_needs_the_change_is_not_passed_over_when_nobody_may_look() {
    let bench = Bench::new(&FILES).await;
    let (finish, log) =
        bench.run(guarded(json!({"policy": "no-replacement", "level": "error"}))).await;
    assert_eq!(failure(&finish).kind, FailureKind::Safeguard, "{log}");
    assert!(failure(&finish).message.contains("is not known"), "{:?}", failure(&finish));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_framework_is_given_the_services_own_parameters_and_finds_the_plugin() {
    let bench = Bench::new(&FILES).await;
    let Task::Package { mut service, mut target, trust, left } =
        packaging(&[("env", "dev", false)])
    else {
        panic!("another task")
    };
    service
        .parameters
        .insert("table".to_owned(), "${output:database.table}-${param:env}".to_owned());
    target.outputs.published.push(published("database", &[("table", "notes")]));
    service.commands.package = step(
        "echo table is $table; echo $GREENROOM_OUTPUT_DATABASE_TABLE; node -e 'console.log(\"plugged\")'; echo \"$NODE_OPTIONS\"; cat \"$GREENROOM_OUTPUTS_FILE\"; bash osls.sh --package \"$GREENROOM_PACKAGE_DIR\" --stage $GREENROOM_STAGE --region $AWS_REGION",
    );
    let (finish, log) = bench.run(Task::Package { service, target, trust, left }).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains("table is notes-dev\nnotes\nplugged\n--require "), "{log}");
    assert!(log.contains(r#""published":[{"app":"workshop""#), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_nobody_published_is_told_with_the_key_of_the_file() {
    let bench = Bench::new(&FILES).await;
    let Task::Package { mut service, target, trust, left } = packaging(&[]) else {
        panic!("another task")
    };
    service.parameters.insert("table".to_owned(), "${output:database.table}".to_owned());
    let (finish, _) = bench.run(Task::Package { service, target, trust, left }).await;
    let message = &failure(&finish).message;
    assert!(message.starts_with("greenroom.yml, services.api.parameters.table: "), "{message}");
}
