//! What an approval is bound to, and what an approver must not overlook.

use rstest::rstest;

use super::*;
use crate::app::Level;
use crate::change_set::{Effect, ResourceChange, StackChangeKind};

fn sha(digit: char) -> CommitSha {
    digit.to_string().repeat(40).parse().expect("a commit")
}

fn change(resource_type: &str, effect: Effect) -> StackChange {
    StackChange {
        stack: "restapi-prod".into(),
        kind: StackChangeKind::Update,
        changes: vec![ResourceChange {
            logical_id: "It".into(),
            physical_id: None,
            resource_type: resource_type.into(),
            effect,
            because: Vec::new(),
        }],
        note: None,
    }
}

fn asked(service: &str, artifact: &str) -> Asked {
    Asked {
        service: service.parse().expect("a service"),
        region: "us-east-1".parse().expect("a region"),
        artifact: Some(artifact.into()),
        change: vec![change("AWS::DynamoDB::Table", Effect::Changed)],
        findings: Vec::new(),
    }
}

#[test]
fn an_approval_is_bound_to_commit_artifacts_and_change() {
    let ask = Ask::new(sha('a'), vec![asked("restapi", "1"), asked("database", "2")]);
    let same = Ask::new(sha('a'), vec![asked("database", "2"), asked("restapi", "1")]);
    assert_eq!(ask.bound_to(), same.bound_to());
    assert_eq!(ask.bound_to().len(), 64);
    let mut replaces = ask.clone();
    replaces.services[0].change = vec![change("AWS::DynamoDB::Table", Effect::Replaced)];
    for other in [
        Ask::new(sha('b'), ask.services.clone()),
        Ask::new(sha('a'), vec![asked("restapi", "3"), asked("database", "2")]),
        Ask::new(sha('a'), vec![asked("restapi", "1")]),
        replaces,
    ] {
        assert_ne!(ask.bound_to(), other.bound_to(), "{other:?}");
    }
}

#[test]
fn it_reads_back_as_it_was_written_and_bound() {
    let ask = Ask::new(sha('a'), vec![asked("restapi", "1")]);
    let written = serde_json::to_value(&ask).expect("JSON");
    let read: Ask = serde_json::from_value(written).expect("an ask");
    assert_eq!(read.bound_to(), ask.bound_to());
}

#[rstest]
#[case("AWS::IAM::Role", true)]
#[case("AWS::IAM::ManagedPolicy", true)]
#[case("AWS::Lambda::Permission", true)]
#[case("AWS::S3::BucketPolicy", true)]
#[case("AWS::SQS::QueuePolicy", true)]
#[case("AWS::S3::Bucket", false)]
#[case("AWS::Lambda::Function", false)]
#[case("Custom::AWS::IAM::Role", false)]
fn what_decides_who_may_do_what_is_told_from_the_rest(#[case] kind: &str, #[case] is: bool) {
    assert_eq!(is_access(kind), is);
}

#[test]
fn changes_of_access_stand_apart_with_their_service_and_stack() {
    let mut service = asked("restapi", "1");
    service.change.push(change("AWS::IAM::Role", Effect::Added));
    let services = [service];
    let (access, rest) = parts(&services);
    assert_eq!(access.len(), 1);
    assert_eq!((access[0].service.as_str(), access[0].stack), ("restapi", "restapi-prod"));
    assert_eq!(rest[0].change.resource_type, "AWS::DynamoDB::Table");
}

#[test]
fn a_replacement_is_shown_by_the_finding_of_its_safeguard() {
    let mut service = asked("restapi", "1");
    assert!(!service.shows_replacement());
    service.findings.push(Finding {
        check: Check::Safeguard(Policy::NoReplacement),
        level: Level::Warning,
        place: "Resources.It".into(),
        problem: "it would be replaced".into(),
        remedy: "keep its name".into(),
    });
    assert!(service.shows_replacement());
}

fn doing(resource_type: &str, effect: Effect) -> Vec<StackChange> {
    vec![change(resource_type, effect)]
}

#[rstest]
// what was shown, and less than that
#[case(Effect::Replaced, Effect::Replaced, true)]
#[case(Effect::MayBeReplaced, Effect::Replaced, true)]
#[case(Effect::Removed, Effect::Replaced, true)]
#[case(Effect::Replaced, Effect::Changed, true)]
// more than that
#[case(Effect::Changed, Effect::Replaced, false)]
#[case(Effect::Added, Effect::MayBeReplaced, false)]
#[case(Effect::Replaced, Effect::Removed, false)]
fn a_loss_happens_only_if_it_was_shown(
    #[case] shown: Effect,
    #[case] now: Effect,
    #[case] allowed: bool,
) {
    let table = "AWS::DynamoDB::Table";
    assert_eq!(unseen(&doing(table, shown), &doing(table, now)).is_empty(), allowed);
}

#[test]
fn what_nobody_saw_is_refused_if_it_is_a_loss_or_concerns_access() {
    for (resource_type, effect, refused) in [
        ("AWS::DynamoDB::Table", Effect::Removed, true),
        ("AWS::IAM::Role", Effect::Added, true),
        ("AWS::Lambda::Permission", Effect::Changed, true),
        ("AWS::Lambda::Function", Effect::Changed, false),
        ("AWS::DynamoDB::Table", Effect::Added, false),
    ] {
        let found = unseen(&[], &doing(resource_type, effect));
        assert_eq!(!found.is_empty(), refused, "{resource_type}: {found:?}");
    }
    let found = unseen(&[], &doing("AWS::DynamoDB::Table", Effect::Removed));
    assert_eq!((found[0].check, found[0].level), (Check::Approval, Level::Error));
    assert!(found[0].problem.contains("AWS::DynamoDB::Table It of the stack restapi-prod"));
}
