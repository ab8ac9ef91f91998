//! Plan jobs.

use model::job::{FailureKind, Outcome};
use model::plan::{Changes, Findings};
use model::worker_api::{Finish, JobResult, Task};

use crate::bench::{Bench, failure};

const PACKAGE: &str = r#"{"scripts":{"test":"node --test"},"devDependencies":{"osls":"4.3.1"}}"#;
const PIPELINE: &str =
    "services:\n  database: { path: db }\n  api: { path: api, depends_on: [database] }\n";

fn findings(finish: Finish) -> Findings {
    assert_eq!(finish.outcome, Outcome::Succeeded);
    match finish.result {
        Some(JobResult::Planned { findings }) => findings,
        other => panic!("no findings: {other:?}"),
    }
}

fn plan() -> Task {
    Task::Plan { compare_with: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_found_with_their_commands_and_the_log_says_why() {
    let bench = Bench::new(&[
        ("api/serverless.yml", "service: api\nprovider: { name: aws }\n"),
        ("api/package.json", PACKAGE),
        ("api/package-lock.json", "{}"),
        ("docs/index.md", "x"),
    ])
    .await;
    let (finish, log) = bench.run(plan()).await;
    let found = findings(finish);
    assert_eq!(found.services.len(), 1);
    assert_eq!(found.services[0].commands.install.as_deref(), Some("npm ci"));
    assert_eq!(found.services[0].commands.test.as_deref(), Some("npm test"));
    assert!(log.contains("service api in api"), "{log}");
    assert!(log.contains("npm ci, because there is api/package-lock.json"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pipeline_file_names_services_and_their_order() {
    let bench = Bench::new(&[
        ("greenroom.yml", PIPELINE),
        ("db/serverless.yml", "service: db\n"),
        ("api/serverless.yml", "service: api\n"),
        ("package.json", PACKAGE),
    ])
    .await;
    let services = findings(bench.run(plan()).await.0).services;
    let api = services.iter().find(|service| service.name.as_str() == "api").expect("api");
    assert_eq!(api.depends_on[0].as_str(), "database");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_for_each_commit_and_a_commit_that_is_gone_is_unknown() {
    let files = [("api/serverless.yml", "service: api\n"), ("api/package.json", PACKAGE)];
    let mut bench = Bench::new(&files).await;
    let before = bench.head().parse().expect("a commit");
    bench.commit(&[("api/handler.js", "1")]).await;
    let gone = "1234567890123456789012345678901234567890".parse().expect("a commit");
    let task = Task::Plan { compare_with: vec![before, gone] };
    let changes: Vec<Changes> = findings(bench.run(task).await.0).changes.into_values().collect();
    assert!(
        changes.contains(&Changes::Files { files: vec!["api/handler.js".to_owned()] }),
        "{changes:?}"
    );
    assert!(changes.iter().any(|change| matches!(change, Changes::Unknown { .. })), "{changes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_serverless_yml_and_a_bad_key_name_file_and_key() {
    let files = [
        ("greenroom.yml", "services:\n  api: { path: apj }\n"),
        ("api/serverless.yml", "service: a\n"),
    ];
    let mut bench = Bench::new(&files).await;
    let (finish, log) = bench.run(plan()).await;
    assert_eq!(failure(&finish).kind, FailureKind::Configuration);
    assert!(failure(&finish).message.contains("greenroom.yml, services.api.path"), "{log}");
    bench.commit(&[("greenroom.yml", "services:\n  api: { path: api, stage: prod }\n")]).await;
    let (finish, _) = bench.run(plan()).await;
    let message = &failure(&finish).message;
    assert!(message.contains("greenroom.yml:2") && message.contains("stage"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_forced_away_fails_as_a_checkout() {
    let bench = Bench::new(&[("api/serverless.yml", "service: a\n")]).await;
    let mut assignment = bench.assignment(plan());
    assignment.source.commit =
        "1234567890123456789012345678901234567890".parse().expect("a commit");
    let job = assignment.job;
    bench.server.give(assignment);
    let finish = bench.server.finish_of(job).await;
    assert_eq!(failure(&finish).kind, FailureKind::Checkout);
}
