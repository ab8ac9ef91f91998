//! Removals that do not go by themselves, each failure really produced on a local AWS.

use std::time::Duration;

use aws::Template;
use aws::stack::{Capability, Patience, Proposed, Wanted};
use model::job::{FailureKind, Outcome};
use model::pipeline::{Framework, Service};
use model::worker_api::{Finish, JobResult, RemoveHow, Target, Task};
use serde_json::json;

use crate::bench::{Bench, failure, step, target};
use crate::lab::{Owner, custom_resource, failing, function, mark, thing, throttled};

const PATIENCE: Patience =
    Patience { poll: Duration::from_millis(100), deadline: Duration::from_secs(60) };

pub(crate) async fn bench(template: &str) -> Bench {
    let bench = Bench::new(&[("api/template.yml", template)]).await;
    bench.use_local_aws().await;
    bench
}

/// A service that is this template, and its stack's name.
pub(crate) fn service(mark: &str) -> (Service, String) {
    let service = Service {
        stack: Some(format!("{mark}-${{stage}}")),
        ..Service::new("net".parse().expect("a name"), "api", Framework::Cloudformation)
    };
    (service, format!("{mark}-feature-x"))
}

pub(crate) fn here() -> Target {
    target(&[])
}

/// Packages and deploys the head, which must work.
pub(crate) async fn deploy(bench: &Bench, service: &Service) {
    let (package, _) = bench.package(service.clone(), here()).await;
    let (finish, log) = bench.deploy(service.clone(), here(), package.artifact).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
}

pub(crate) async fn is_there(bench: &Bench, stack: &str) -> bool {
    let local = bench.server.state().local_aws.clone().expect("a local AWS");
    local.stacks.look(stack).await.expect("AWS answers").is_some()
}

fn kept(finish: &Finish, log: &str) -> Vec<String> {
    match &finish.result {
        Some(JobResult::Removed { kept }) => kept.clone(),
        other => panic!("not removed: {:?} {other:?}\n{log}", finish.outcome),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_cannot_be_deleted_is_named_and_then_kept_when_that_is_wanted() {
    let mark = mark();
    let bench = bench(&failing(&mark, "Delete", 1)).await;
    let (service, name) = service(&mark);
    deploy(&bench, &service).await;

    let (finish, log) = bench.remove(service.clone(), here(), &[&name]).await;
    let message = &failure(&finish).message;
    assert_eq!(failure(&finish).kind, FailureKind::Aws);
    assert!(message.contains(&format!("stack {name} is still there (DELETE_FAILED)")), "{message}");
    assert!(
        message.contains("Thing (Custom::Thing") && message.contains("told to fail"),
        "{message}"
    );
    assert!(message.contains("keep these resources"), "{message}");
    assert_eq!(log.matches("DELETE_FAILED Thing (Custom::Thing)").count(), 2, "tried twice: {log}");
    assert!(is_there(&bench, &name).await);

    let how = RemoveHow::Retaining;
    let (finish, log) = bench.remove_so(service, here(), &[&name], how).await;
    let kept = kept(&finish, &log);
    assert!(kept[0].starts_with("Thing (Custom::Thing"), "{kept:?}");
    assert!(kept[0].contains("told to fail") && kept[0].ends_with(&name), "{kept:?}");
    assert!(!is_there(&bench, &name).await, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_removal_ends_and_says_what_is_left() {
    let mark = mark();
    let bench = bench(&failing(&mark, "Delete", 1)).await;
    let (service, name) = service(&mark);
    deploy(&bench, &service).await;
    let (finish, log) = bench.remove_so(service, here(), &[&name], RemoveHow::Forced).await;
    assert!(kept(&finish, &log)[0].starts_with("Thing (Custom::Thing"), "{log}");
    assert!(!is_there(&bench, &name).await, "{log}");
}

/// A full versioned bucket, and an export if it has that name.
fn bucket(name: &str, export: &str) -> String {
    json!({
        "Resources": { "Files": { "Type": "AWS::S3::Bucket", "Properties": {
            "BucketName": name, "VersioningConfiguration": { "Status": "Enabled" },
        } } },
        "Outputs": { "Name": { "Value": { "Ref": "Files" }, "Export": { "Name": export } } },
    })
    .to_string()
}

async fn fill(bucket: &str) {
    let owner = Owner::new();
    for text in ["one", "two"] {
        owner.put(bucket, "a.txt", text).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_in_use_names_its_importer_and_nothing_of_the_stack_is_touched() {
    let mark = mark();
    let files = format!("{mark}-frontend-files");
    let mut bench = bench(&bucket(&files, &format!("{mark}-files"))).await;
    let (mut service, name) = service(&mark);
    deploy(&bench, &service).await;
    fill(&files).await;

    let importing = json!({ "Resources": { "Value": { "Type": "AWS::SSM::Parameter", "Properties": {
        "Name": format!("/{mark}"), "Type": "String",
        "Value": { "Fn::ImportValue": format!("{mark}-files") },
    } } } });
    bench.commit(&[("api/template.yml", &importing.to_string())]).await;
    let importer = Service { stack: Some(format!("{mark}i-${{stage}}")), ..service.clone() };
    deploy(&bench, &importer).await;

    // Whoever removes it by a command of the service's own is told before the command runs.
    service.commands.before_remove = step("echo saved");
    service.commands.remove = step("echo removing");
    let (finish, log) = bench.remove(service.clone(), here(), &[&name]).await;
    let message = &failure(&finish).message;
    assert!(message.contains(&format!("imported by {mark}i-feature-x")), "{message}");
    assert!(!log.contains("saved") && !log.contains("removing"), "{log}");
    assert_eq!(Owner::new().keys(&files).await.map(|keys| keys.len()), Some(1), "{log}");

    for (service, name) in [(importer, format!("{mark}i-feature-x")), (service, name)] {
        let (finish, log) = bench.remove(service, here(), &[&name]).await;
        assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_stack_stays_with_what_it_holds_and_the_failure_says_so() {
    let mark = mark();
    let files = format!("{mark}-frontend-files");
    let bench = bench(&bucket(&files, &format!("{mark}-files"))).await;
    let (mut service, name) = service(&mark);
    deploy(&bench, &service).await;
    fill(&files).await;
    let owner = Owner::new();
    owner.protect(&name, true).await;
    service.commands.remove = step("echo removing");
    for how in [RemoveHow::Careful, RemoveHow::Forced] {
        let (finish, log) = bench.remove_so(service.clone(), here(), &[&name], how).await;
        assert!(failure(&finish).message.contains("termination protection"), "{log}");
        assert!(!log.contains("▶ removing"), "{log}");
    }
    assert_eq!(owner.keys(&files).await.map(|keys| keys.len()), Some(1));
    owner.protect(&name, false).await;
    let (finish, log) = bench.remove(service, here(), &[&name]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_are_emptied_after_the_services_own_step_and_before_its_command() {
    let mark = mark();
    let files = format!("{mark}-frontend-files");
    let bench = bench(&bucket(&files, &format!("{mark}-files"))).await;
    let (mut service, name) = service(&mark);
    deploy(&bench, &service).await;
    fill(&files).await;
    service.commands.before_remove = step("echo saving what is in it");
    // It says that it went well and has done nothing.
    service.commands.remove = step("echo removing");
    let (finish, log) = bench.remove(service, here(), &[&name]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    let place = |words: &str| log.find(words).unwrap_or_else(|| panic!("no {words}: {log}"));
    let emptied = place("EMPTY_COMPLETE Files (AWS::S3::Bucket)");
    assert!(place("\nsaving what is in it") < emptied, "{log}");
    assert!(emptied < place("\nremoving"), "{log}");
    assert!(place("\nremoving") < place(&format!("stack {name} is gone, verified")), "{log}");
    assert_eq!(Owner::new().keys(&files).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_of_functions_go_with_the_stack_whoever_removes_it() {
    for by_command in [false, true] {
        let mark = mark();
        let bench = bench(&custom_resource(&mark, "", 1)).await;
        let (mut service, name) = service(&mark);
        deploy(&bench, &service).await;
        let (owner, group) = (Owner::new(), format!("/aws/lambda/{mark}-thing"));
        if !owner.has_log_group(&group).await {
            owner.make_log_group(&group).await;
        }
        if by_command {
            service.commands.remove = step("echo removing");
        }
        let (finish, log) = bench.remove(service, here(), &[&name]).await;
        assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
        assert!(!owner.has_log_group(&group).await, "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_is_rolled_back_just_now_is_waited_out_before_anything_is_removed() {
    let mark = mark();
    let slow = "if (event.RequestType === 'Update') { delay = 1500; seen.u = (seen.u || 0) + 1; \
         if (seen.u === 1) bad = 'told to fail'; }";
    let bench = bench(&custom_resource(&mark, slow, 1)).await;
    let (mut service, name) = service(&mark);
    deploy(&bench, &service).await;
    let stacks = bench.server.state().local_aws.clone().expect("a local AWS").stacks;
    let wanted = Wanted {
        stack: name.clone(),
        template: Template::parse(&custom_resource(&mark, slow, 2)).expect("a template"),
        parameters: [].into(),
        tags: [].into(),
        capabilities: Capability::ALL.into(),
        role_arn: None,
        bucket: None,
        token: "by-hand".to_owned(),
    };
    let proposed = stacks.propose(&wanted, PATIENCE).await.expect("it is taken");
    let Proposed::Change(proposal) = proposed else { panic!("something changes") };
    proposal.execute().await.expect("it is taken");

    service.commands.remove = step("echo removing");
    let (finish, log) = bench.remove(service, here(), &[&name]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    let place = |words: &str| log.find(words).unwrap_or_else(|| panic!("no {words}: {log}"));
    let rolled_back = place(&format!("UPDATE_ROLLBACK_COMPLETE {name}"));
    assert!(rolled_back < place("\nremoving"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_aws_had_no_time_for_is_ordered_again() {
    let mark = mark();
    let mut bench = bench(&function(&mark, &throttled("Delete", 2)).to_string()).await;
    let (answering, function) = service(&format!("{mark}f"));
    deploy(&bench, &answering).await;
    bench.commit(&[("api/template.yml", &thing(&mark, 1))]).await;
    let (service, name) = service(&mark);
    deploy(&bench, &service).await;

    let (finish, log) = bench.remove(service, here(), &[&name]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains("Rate exceeded") && log.contains("tried again in 0 s"), "{log}");
    assert!(!is_there(&bench, &name).await, "{log}");
    let (finish, log) = bench.remove(answering, here(), &[&function]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remove_command_that_fails_by_what_passes_runs_again_and_the_log_says_why() {
    let bench = Bench::new(&[("api/x", "x")]).await;
    let commands = model::pipeline::Commands {
        remove: step(
            "test -e \"$HOME/asked\" || { touch \"$HOME/asked\"; echo ServerlessError: Rate exceeded; exit 1; }; echo gone",
        ),
        ..model::pipeline::Commands::default()
    };
    let service = Service {
        commands,
        ..Service::new("site".parse().expect("a name"), "api", Framework::Custom)
    };
    let (finish, log) = bench.remove(service.clone(), here(), &[]).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains("the account's calls were more than AWS takes at once"), "{log}");
    assert!(log.contains("tried again in 0 s") && log.contains("\ngone"), "{log}");

    let mut stubborn = service;
    stubborn.commands.remove = step("echo Rate exceeded; exit 3");
    let (finish, log) = bench.remove(stubborn, here(), &[]).await;
    assert!(failure(&finish).message.contains("ended with exit status 3"), "{log}");
    assert_eq!(log.matches("\nRate exceeded").count(), 4, "{log}");
    assert!(log.contains("it was tried 4 times and is given up"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_nobody_knows_is_discarded_only_as_it_was_seen() {
    let mark = mark();
    let bench = bench(&bucket(&format!("{mark}-frontend-files"), &format!("{mark}-files"))).await;
    let (service, name) = service(&mark);
    deploy(&bench, &service).await;
    let local = bench.server.state().local_aws.clone().expect("a local AWS");
    let stack = local.stacks.look(&name).await.expect("AWS answers").expect("a stack");
    let discard = |changed_at| Task::Discard {
        region: "us-east-1".parse().expect("a region"),
        stack: stack.id.clone(),
        name: name.clone(),
        changed_at,
    };
    let seen = stack.changed_at();
    let earlier = seen.map(|at| at - chrono::TimeDelta::seconds(1));
    let (finish, log) = bench.run(discard(earlier)).await;
    assert!(failure(&finish).message.contains("somebody may have taken it over"), "{log}");
    assert!(is_there(&bench, &name).await);

    for _ in 0..2 {
        let (finish, log) = bench.run(discard(seen)).await;
        assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
        assert!(!is_there(&bench, &name).await, "{log}");
    }
}
