//! Plan jobs.

use model::job::{FailureKind, Outcome};
use model::pipeline::{DependencyOrigin, Framework, Service, Step};
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
    Task::Plan { compare_with: Vec::new(), diverged_from: Vec::new() }
}

/// What the user reads of a plan that cannot be made.
async fn refused(bench: &Bench) -> String {
    let (finish, log) = bench.run(plan()).await;
    let failure = failure(&finish);
    assert_eq!(failure.kind, FailureKind::Configuration, "{log}");
    assert!(log.contains(failure.message.lines().next().expect("a line")), "{log}");
    failure.message.clone()
}

fn named<'a>(services: &'a [Service], name: &str) -> &'a Service {
    services.iter().find(|service| service.name.as_str() == name).expect("it is there")
}

fn on(service: &Service) -> Vec<String> {
    let shown = service.depends_on.iter().map(|d| format!("{}: {}", d.service, d.place()));
    shown.collect()
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
    assert_eq!(found.services[0].commands.install, Some(Step::new("npm ci")));
    assert_eq!(found.services[0].commands.test, Some(Step::new("npm test")));
    assert!(log.contains("service api in api"), "{log}");
    assert!(log.contains("npm ci, because there is api/package-lock.json"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pipeline_file_names_services_and_their_order() {
    let bench = Bench::new(&[
        ("greenroom.yml", &format!("{PIPELINE}post_deploy: {{ run: make smoke, timeout: 2m }}\n")),
        ("db/serverless.yml", "service: db\n"),
        ("api/serverless.yml", "service: api\n"),
        ("package.json", PACKAGE),
        ("serverless-compose.yml", "services: { x: { path: x } }"),
    ])
    .await;
    let (finish, log) = bench.run(plan()).await;
    let found = findings(finish);
    assert_eq!(on(named(&found.services, "api")), ["database: depends_on in greenroom.yml"]);
    assert_eq!(found.services.len(), 2);
    assert_eq!(found.post_deploy.expect("it is written").run, "make smoke");
    assert!(log.contains("serverless-compose.yml is there too and not read"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn compose_names_services_where_greenroom_yml_does_not() {
    let compose = "services:
  database: { path: db }
  api: { path: api, params: { table: '${database.table}' } }
";
    let bench = Bench::new(&[
        ("serverless-compose.yml", compose),
        ("db/serverless.yml", "service: fullstack-database\n"),
        ("api/serverless.yml", "service: api\n"),
        ("other/serverless.yml", "service: other\n"),
        ("package.json", PACKAGE),
    ])
    .await;
    let found = findings(bench.run(plan()).await.0);
    assert_eq!(found.services.len(), 2);
    let api = named(&found.services, "api");
    assert_eq!(on(api), ["database: serverless-compose.yml"]);
    assert_eq!(api.parameters["table"], "${output:database.table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_an_output_comes_after_its_service_though_nobody_wrote_that() {
    let bench = Bench::new(&[
        ("db/serverless.yml", "service: fullstack-database\n"),
        ("api/serverless.yml", "service: api\ncustom: ${file(./parts/custom.yml)}\n"),
        ("api/parts/custom.yml", "a: ${file(parts/more.yml)}\n"),
        ("api/parts/more.yml", "table: ${output::${param:env}::fullstack-database.table}\n"),
        ("package.json", PACKAGE),
        ("infra/template.yml", "AWSTemplateFormatVersion: '2010-09-09'\nResources: {}\n"),
    ])
    .await;
    let (finish, log) = bench.run(plan()).await;
    let found = findings(finish);
    let api = named(&found.services, "api");
    assert_eq!(api.depends_on[0].service.as_str(), "db");
    let DependencyOrigin::Output { file, .. } = &api.depends_on[0].origin else {
        panic!("{:?}", api.depends_on)
    };
    assert_eq!(file, "api/parts/more.yml");
    assert_eq!(named(&found.services, "infra").framework, Framework::Cloudformation);
    assert!(log.contains("infra/template.yml makes it a service of CloudFormation"), "{log}");
}

fn files(paths: &[&str]) -> Changes {
    Changes::Files { files: paths.iter().map(|path| (*path).to_owned()).collect() }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_for_each_commit_and_a_commit_that_is_gone_is_unknown() {
    let files_there = [("api/serverless.yml", "service: api\n"), ("api/package.json", PACKAGE)];
    let mut bench = Bench::new(&files_there).await;
    let before = bench.head().parse().expect("a commit");
    bench.commit(&[("api/handler.js", "1")]).await;
    let gone = "1234567890123456789012345678901234567890".parse().expect("a commit");
    let task = Task::Plan { compare_with: vec![before, gone], diverged_from: Vec::new() };
    let changes: Vec<Changes> = findings(bench.run(task).await.0).changes.into_values().collect();
    assert!(changes.contains(&files(&["api/handler.js"])), "{changes:?}");
    assert!(changes.iter().any(|change| matches!(change, Changes::Unknown { .. })), "{changes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_s_own_changes_leave_out_what_the_other_side_did_since() {
    let files_there = [("api/serverless.yml", "service: api\n"), ("api/package.json", PACKAGE)];
    let mut bench = Bench::new(&files_there).await;
    let theirs = bench.commit_beside("dev", &[("api/theirs.js", "1")]).await;
    let theirs: model::CommitSha = theirs.parse().expect("a commit");
    bench.commit(&[("api/ours.js", "1")]).await;
    let both = vec![theirs.clone()];
    let task = Task::Plan { compare_with: both.clone(), diverged_from: both };
    let found = findings(bench.run(task).await.0);
    assert_eq!(found.changes[&theirs], files(&["api/ours.js", "api/theirs.js"]));
    assert_eq!(found.own_changes[&theirs], files(&["api/ours.js"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn sides_that_share_no_history_are_told_as_unknown() {
    let files_there = [("api/serverless.yml", "service: api\n"), ("api/package.json", PACKAGE)];
    let mut bench = Bench::new(&files_there).await;
    let theirs = bench.commit_beside("dev", &[("api/theirs.js", "1")]).await;
    bench.replace_history(&files_there).await;
    let theirs: model::CommitSha = theirs.parse().expect("a commit");
    let task = Task::Plan { compare_with: Vec::new(), diverged_from: vec![theirs.clone()] };
    let (finish, log) = bench.run(task).await;
    let Changes::Unknown { reason } = &findings(finish).own_changes[&theirs] else {
        panic!("it should be unknown")
    };
    assert!(reason.contains("shares no history"), "{reason}");
    assert!(log.contains("every file counts as changed"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_planned_is_said_as_the_user_sees_it() {
    let mut bench = Bench::new(&[
        ("greenroom.yml", "services:\n  api: { path: apj }\n"),
        ("api/serverless.yml", "service: a\n"),
        ("db/serverless.yml", "service: db\ncustom: { url: '${output:api.url}' }\n"),
        ("package.json", PACKAGE),
    ])
    .await;
    insta::assert_snapshot!(refused(&bench).await, @r#"greenroom.yml, services.api.path: this commit has no directory "apj"; directories with a framework's file: api, db"#);
    let unknown_keys = "services:\n  api: { path: api, stage: prod }\n  db: { pth: db }\n";
    bench.commit(&[("greenroom.yml", unknown_keys)]).await;
    insta::assert_snapshot!(refused(&bench).await, @"
    greenroom.yml:2: services.api.stage: this key is not known here; known are path, framework, depends_on, watch, template, stack, parameters, install, lint, test, package, deploy, remove, after_deploy, before_remove
    greenroom.yml:3: services.db.pth: this key is not known here; known are path, framework, depends_on, watch, template, stack, parameters, install, lint, test, package, deploy, remove, after_deploy, before_remove
    greenroom.yml:3: services.db: `path` is missing; write the service's directory, or . for the repository's root
    ");
    bench.commit(&[("greenroom.yml", "services:\n  api: { path: [ }\n")]).await;
    insta::assert_snapshot!(refused(&bench).await, @"greenroom.yml:2: mismatched bracket '[' closed by '}'; check the YAML around this place");
    bench.commit(&[("greenroom.yml", PIPELINE)]).await;
    insta::assert_snapshot!(refused(&bench).await, @"services depend on each other in a circle: api -> database -> api; remove one of: api -> database (depends_on in greenroom.yml), database -> api (${output:api.url} in db/serverless.yml)");
    let nobody = "services:\n  api: { path: api, depends_on: [databse] }\n";
    bench.commit(&[("greenroom.yml", nobody)]).await;
    insta::assert_snapshot!(refused(&bench).await, @"service api depends on databse, which is no service of this repository (greenroom.yml, services.api.depends_on)");
    let four = r#"{"devDependencies":{"serverless":"^4.4.1"}}"#;
    let one = "services:\n  api: { path: api }\n";
    bench.commit(&[("greenroom.yml", one), ("package.json", four)]).await;
    insta::assert_snapshot!(refused(&bench).await, @"package.json asks for serverless ^4.4.1: version 4 is a download that needs a licence and cannot run here; use osls instead: `npm uninstall serverless && npm install --save-dev osls@4`");
    bench.commit(&[("package.json", "{}")]).await;
    insta::assert_snapshot!(refused(&bench).await, @"api/package.json names no framework: run `npm install --save-dev osls@4` in api and commit package.json and its lock file");
    let compose = "services:\n  api:\n    path: api\n    params: { url: '${web.url}' }\n";
    let nothing = ("greenroom.yml", "");
    bench.commit(&[nothing, ("serverless-compose.yml", compose)]).await;
    insta::assert_snapshot!(refused(&bench).await, @r#"serverless-compose.yml:4: services.api.params.url: there is no service "web" in this file; its services are api"#);
    bench.commit(&[("serverless-compose.yml", "services: { web: { path: web } }")]).await;
    insta::assert_snapshot!(refused(&bench).await, @r#"serverless-compose.yml, services.web.path: the directory "web" holds no serverless.yml; correct the path, or write the file's name as `config:`"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_any_service_and_a_misnamed_file_are_said_as_the_user_sees_it() {
    let mut bench = Bench::new(&[("README.md", "x")]).await;
    insta::assert_snapshot!(refused(&bench).await, @"no service found: no directory holds a serverless.yml, template.yaml or cdk.json; name one under `services:` in greenroom.yml");
    bench.commit(&[("greenroom.yaml", PIPELINE)]).await;
    insta::assert_snapshot!(refused(&bench).await, @"greenroom.yaml is not read: rename it to greenroom.yml");
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
