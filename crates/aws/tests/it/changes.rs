//! Changing stacks through change sets: proposed, carried out, discarded, refused.

use std::collections::BTreeMap;

use aws::stack::{Capability, ChangeError, Proposal, Proposed, Wanted, greenroom_tags};
use aws::{StackStatus, Template};
use aws_sdk_cloudformation::types::ExecutionStatus;
use model::change_set::{Effect, StackChangeKind};

use crate::bench::{Account, PATIENCE, development, failing, fresh};

pub(crate) fn wanted(stack: &str, template: &str) -> Wanted {
    Wanted {
        stack: stack.to_owned(),
        template: Template::parse(template).expect("a template"),
        parameters: BTreeMap::new(),
        tags: BTreeMap::new(),
        capabilities: Capability::ALL.into(),
        role_arn: None,
        bucket: None,
        token: format!("job-{stack}"),
    }
}

/// A table called `name`, written to at most `units` times a second.
pub(crate) fn table(name: &str, units: u32) -> String {
    format!(
        "Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub '{name}'
      AttributeDefinitions: [{{ AttributeName: id, AttributeType: S }}]
      KeySchema: [{{ AttributeName: id, KeyType: HASH }}]
      ProvisionedThroughput: {{ ReadCapacityUnits: 1, WriteCapacityUnits: {units} }}
Outputs:
  Name: {{ Value: !Ref Table }}
"
    )
}

fn change(proposed: Proposed) -> Proposal {
    match proposed {
        Proposed::Change(proposal) => *proposal,
        Proposed::NoChanges => panic!("something changes"),
    }
}

async fn propose(account: &Account, wanted: &Wanted) -> Result<Proposed, ChangeError> {
    account.stacks.propose(wanted, PATIENCE).await
}

pub(crate) async fn deploy(account: &Account, wanted: &Wanted) {
    let proposal = change(propose(account, wanted).await.expect("it is taken"));
    let stack = proposal.carry_out(PATIENCE, &mut |_| {}).await.expect("answered");
    let status = stack.expect("it is there").status;
    assert!([StackStatus::CreateComplete, StackStatus::UpdateComplete].contains(&status));
}

/// How many change sets of the stack wait for somebody to execute them.
pub(crate) async fn waiting(account: &Account, stack: &str) -> usize {
    let listed = account.sdk.list_change_sets().stack_name(stack).send().await.expect("answered");
    let available = Some(&ExecutionStatus::Available);
    listed.summaries().iter().filter(|set| set.execution_status() == available).count()
}

#[tokio::test]
async fn a_new_stack_is_proposed_then_made_with_its_events_tags_and_parameters() {
    let account = development().await;
    let name = fresh("proposed");
    let template = "
Parameters: { Text: { Type: String, NoEcho: true } }
Resources:
  Value: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Text } }
Outputs:
  Text: { Value: !Ref Text }
";
    let mut wanted = wanted(&name, template);
    wanted.parameters = BTreeMap::from([("Text".to_owned(), "hello".to_owned())]);
    let (app, stage, service) = ("workshop", "dev", "restapi");
    wanted.tags = greenroom_tags(
        &app.parse().expect("a name"),
        &stage.parse().expect("a name"),
        &service.parse().expect("a name"),
        "41",
    );
    let proposal = change(propose(&account, &wanted).await.expect("it is taken"));
    assert_eq!(proposal.change.kind, StackChangeKind::New);
    assert_eq!(proposal.change.changes.len(), 1);
    assert_eq!(proposal.change.changes[0].effect, Effect::Added);
    assert_eq!(proposal.change.changes[0].resource_type, "AWS::SSM::Parameter");

    let mut statuses = Vec::new();
    let stack = proposal
        .carry_out(PATIENCE, &mut |event| statuses.push(event.status.clone()))
        .await
        .expect("answered")
        .expect("it is there");
    assert_eq!(stack.status, StackStatus::CreateComplete);
    assert_eq!(stack.tags, wanted.tags);
    assert_eq!(stack.outputs.get("Text").map(String::as_str), Some("hello"));
    assert!(statuses.contains(&"CREATE_IN_PROGRESS".to_owned()), "{statuses:?}");
    assert_eq!(statuses.last().map(String::as_str), Some("CREATE_COMPLETE"));
}

#[tokio::test]
async fn a_stack_that_is_as_wanted_needs_no_change_even_from_another_build() {
    let account = development().await;
    let name = fresh("settled");
    let mut wanted = wanted(&name, &table(&name, 1));
    wanted.tags = BTreeMap::from([("greenroom:build".to_owned(), "1".to_owned())]);
    deploy(&account, &wanted).await;

    wanted.tags.insert("greenroom:build".to_owned(), "2".to_owned());
    let again = propose(&account, &wanted).await.expect("it is taken");
    assert!(matches!(again, Proposed::NoChanges), "{again:?}");
    let stack = account.stacks.look(&name).await.expect("answered").expect("it is there");
    assert_eq!(stack.tags.get("greenroom:build").map(String::as_str), Some("1"));
    assert_eq!(waiting(&account, &name).await, 0);

    wanted.template = Template::parse(&table(&name, 2)).expect("a template");
    deploy(&account, &wanted).await;
    let stack = account.stacks.look(&name).await.expect("answered").expect("it is there");
    assert_eq!(stack.tags.get("greenroom:build").map(String::as_str), Some("2"));
}

#[tokio::test]
async fn a_change_says_what_is_changed_replaced_and_removed_and_which_property_does_it() {
    let account = development().await;
    let name = fresh("effects");
    deploy(&account, &wanted(&name, &table(&name, 1))).await;

    let changed = wanted(&name, &table(&name, 2));
    let changed = change(propose(&account, &changed).await.expect("it is taken"));
    assert_eq!(changed.change.kind, StackChangeKind::Update);
    assert_eq!(changed.change.changes[0].effect, Effect::Changed);
    assert_eq!(changed.change.changes[0].because, ["ProvisionedThroughput"]);
    assert_eq!(changed.change.changes[0].physical_id.as_ref(), Some(&name));

    let replaced = wanted(&name, &table(&format!("{name}-b"), 2));
    let replaced = change(propose(&account, &replaced).await.expect("it is taken"));
    assert_eq!(replaced.change.changes[0].effect, Effect::Replaced);
    assert_eq!(replaced.change.changes[0].because[0], "TableName");

    let removed = wanted(&name, "Resources: { Other: { Type: AWS::SNS::Topic } }");
    let removed = change(propose(&account, &removed).await.expect("it is taken"));
    let effects: Vec<_> = removed
        .change
        .changes
        .iter()
        .map(|change| (change.logical_id.as_str(), change.effect))
        .collect();
    assert_eq!(effects, [("Other", Effect::Added), ("Table", Effect::Removed)]);
}

#[tokio::test]
async fn a_discarded_proposal_leaves_the_stack_as_it_was() {
    let account = development().await;
    let name = fresh("discarded");
    let fresh_stack = wanted(&name, &table(&name, 1));
    let proposal = change(propose(&account, &fresh_stack).await.expect("it is taken"));
    proposal.discard(PATIENCE).await.expect("answered");
    assert_eq!(account.stacks.look(&name).await.expect("answered"), None);

    deploy(&account, &fresh_stack).await;
    let before = account.stacks.look(&name).await.expect("answered");
    let update = wanted(&name, &table(&name, 2));
    let proposal = change(propose(&account, &update).await.expect("it is taken"));
    proposal.discard(PATIENCE).await.expect("answered");
    assert_eq!(account.stacks.look(&name).await.expect("answered"), before);
    assert_eq!(waiting(&account, &name).await, 0);
}

#[tokio::test]
async fn a_repeated_attempt_replaces_the_change_set_that_a_lost_one_left() {
    let account = development().await;
    let name = fresh("repeated");
    let first = wanted(&name, &table(&name, 1));
    // The worker is lost here: nobody executes or discards this one.
    let lost = change(propose(&account, &first).await.expect("it is taken"));
    let again = change(propose(&account, &first).await.expect("it is taken"));
    assert_ne!(lost.id, again.id);
    assert_eq!(waiting(&account, &name).await, 1);
    let stack = again.carry_out(PATIENCE, &mut |_| {}).await.expect("answered");
    assert_eq!(stack.expect("it is there").status, StackStatus::CreateComplete);
    let error = again.execute().await.expect_err("it was executed");
    assert!(matches!(error, ChangeError::Rejected { .. }), "{error:?}");
}

#[tokio::test]
async fn a_change_that_fails_is_followed_to_the_end_of_its_rollback() {
    let account = development().await;
    let name = fresh("failing");
    let wanted = wanted(&name, &failing(&name, &["Create"], 1));
    let proposal = change(propose(&account, &wanted).await.expect("it is taken"));
    let mut failures = Vec::new();
    let stack = proposal
        .carry_out(PATIENCE, &mut |event| {
            if event.is_failure() && !event.is_of_stack() {
                failures.push((event.logical_id.clone(), event.reason.clone()));
            }
        })
        .await
        .expect("answered")
        .expect("it is there");
    assert_eq!(stack.status, StackStatus::RollbackComplete);
    assert!(failures.iter().any(|(id, reason)| id == "Thing" && reason.is_some()), "{failures:?}");
}

#[tokio::test]
async fn a_template_that_cloudformation_does_not_take_is_rejected_in_its_words() {
    let account = development().await;
    let name = fresh("rejected");
    let unknown = wanted(&name, "Resources: { X: { Type: AWS::Nothing::Here } }");
    let error = propose(&account, &unknown).await.expect_err("no such type");
    let ChangeError::Rejected { stack, reason } = &error else { panic!("{error:?}") };
    assert_eq!(*stack, name);
    assert!(reason.contains("AWS::Nothing::Here"), "{reason}");
    assert_eq!(account.stacks.look(&name).await.expect("answered"), None);

    let mut stray = wanted(&name, &table(&name, 1));
    stray.capabilities.clear();
    let role =
        "Resources: { R: { Type: AWS::IAM::Role, Properties: { AssumeRolePolicyDocument: {} } } }";
    stray.template = Template::parse(role).expect("a template");
    let error = propose(&account, &stray).await.expect_err("it is not acknowledged");
    assert!(error.to_string().contains("CAPABILITY_IAM"), "{error}");
}
