//! Package jobs, with a stand-in for the framework that writes what osls writes.

use model::job::{FailureKind, Outcome};
use model::pipeline::Commands;
use model::worker_api::{JobResult, Task};

use crate::bench::{Bench, failure, service, target};

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
env | grep ^AWS_ACCESS_KEY_ID= > /dev/null
"#;
const INSTALL: &str = "mkdir -p node_modules/osls node_modules/.bin
echo '{\"version\":\"4.3.1\",\"bin\":{\"osls\":\"x\"}}' > node_modules/osls/package.json
cp osls.sh node_modules/.bin/osls; chmod +x node_modules/.bin/osls";
const FILES: [(&str, &str); 1] = [("api/osls.sh", OSLS)];

fn packaging(parameters: &[(&str, &str, bool)]) -> Task {
    let commands = Commands { install: Some(INSTALL.to_owned()), ..Commands::default() };
    let target = target(parameters);
    Task::Package { service: service(commands), target, trust: "preview".to_owned() }
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
    let commands = Commands { package: Some(line.to_owned()), ..Commands::default() };
    let task =
        Task::Package { service: service(commands), target: target(&[]), trust: "x".to_owned() };
    let (finish, log) = bench.run(task).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    let commands = Commands { package: Some("true".to_owned()), ..Commands::default() };
    let task =
        Task::Package { service: service(commands), target: target(&[]), trust: "x".to_owned() };
    let (finish, _) = bench.run(task).await;
    assert!(failure(&finish).message.contains("$GREENROOM_PACKAGE_DIR"), "{:?}", finish.outcome);
}
