//! Looking at stacks, following their events, and making a stack ready for a deploy.

use aws::stack::{EventCursor, Prepared, Rollback};
use aws::{StackPhase, StackStatus};

use crate::bench::{PATIENCE, development, exporting, failing, fresh};

#[tokio::test]
async fn a_stack_that_never_was_is_none_without_events_and_resources() {
    let account = development().await;
    let name = fresh("never");
    assert_eq!(account.stacks.look(&name).await.expect("answered"), None);
    assert!(account.stacks.resources(&name).await.expect("answered").is_empty());
    let mut cursor = account.stacks.cursor_now(&name).await.expect("answered");
    assert!(account.stacks.events_since(&name, &mut cursor).await.expect("answered").is_empty());
}

#[tokio::test]
async fn a_created_stack_shows_status_outputs_exports_and_resources() {
    let account = development().await;
    let name = fresh("shown");
    let stack = account.create(&name, &exporting(&name, &name)).await;
    assert_eq!(stack.status, StackStatus::CreateComplete);
    assert_eq!(stack.status.phase(), StackPhase::Settled);
    assert_eq!(stack.name, name);
    assert_eq!(stack.outputs.get("TopicName"), Some(&name));
    assert_eq!(stack.exports, std::slice::from_ref(&name));
    assert!(stack.created_at.is_some() && !stack.termination_protection);
    assert_eq!(aws::endpoints(&stack.outputs)[0].output, "ServiceEndpoint");

    let resources = account.stacks.resources(&name).await.expect("answered");
    assert_eq!(resources.len(), 1);
    assert_eq!(resources[0].logical_id, "Topic");
    assert_eq!(resources[0].resource_type, "AWS::SNS::Topic");
}

#[tokio::test]
async fn events_come_oldest_first_and_once() {
    let account = development().await;
    let name = fresh("events");
    account.create(&name, &exporting(&name, &name)).await;
    let mut cursor = EventCursor::default();
    let first = account.stacks.events_since(&name, &mut cursor).await.expect("answered");
    assert_eq!(first[0].status, "CREATE_IN_PROGRESS");
    assert_eq!(first[first.len() - 1].status, "CREATE_COMPLETE");
    assert!(first[first.len() - 1].is_of_stack());
    assert!(first.is_sorted_by_key(|event| event.timestamp));
    assert!(account.stacks.events_since(&name, &mut cursor).await.expect("answered").is_empty());

    account.update(&name, &exporting(&format!("{name}-b"), &name)).await;
    let second = account.stacks.events_since(&name, &mut cursor).await.expect("answered");
    assert!(!second.is_empty());
    assert!(second.iter().all(|event| !first.contains(event)));
    assert_eq!(second[second.len() - 1].status, "UPDATE_COMPLETE");
}

#[tokio::test]
async fn waiting_hands_over_every_event_of_a_change() {
    let account = development().await;
    let name = fresh("watched");
    account.create(&name, &exporting(&name, &name)).await;
    let mut cursor = account.stacks.cursor_now(&name).await.expect("answered");
    let order = account.sdk.update_stack().stack_name(&name);
    let renamed = exporting(&format!("{name}-b"), &name);
    order.template_body(renamed).send().await.expect("the order is taken");
    let mut seen = Vec::new();
    let stack = account
        .stacks
        .wait_settled(&name, &mut cursor, PATIENCE, &mut |event| seen.push(event.clone()))
        .await
        .expect("it settles")
        .expect("it is there");
    assert_eq!(stack.status, StackStatus::UpdateComplete);
    assert_eq!(seen.last().map(|event| event.status.as_str()), Some("UPDATE_COMPLETE"));
    assert!(seen.iter().any(|event| event.logical_id == "Topic"));
}

#[tokio::test]
async fn a_stack_that_never_came_to_be_is_cleared_away_before_a_deploy() {
    let account = development().await;
    let name = fresh("stillborn");
    let stack = account.create(&name, &failing(&name, &["Create"], 1)).await;
    assert_eq!(stack.status.phase(), StackPhase::RolledBack(Rollback::OfCreation));
    let mut cursor = EventCursor::default();
    let events = account.stacks.events_since(&name, &mut cursor).await.expect("answered");
    let failure = events.iter().find(|event| event.is_failure()).expect("an event says why");
    assert_eq!(failure.logical_id, "Thing");
    assert!(failure.reason.as_deref().is_some_and(|reason| reason.contains("told to fail")));

    let prepared = account.stacks.prepare(&name, &name, PATIENCE, &mut |_| {}).await;
    assert_eq!(prepared.expect("answered"), Prepared::Absent);
    assert_eq!(account.stacks.look(&name).await.expect("answered"), None);
}

#[tokio::test]
async fn a_rollback_that_failed_is_continued_before_a_deploy() {
    let account = development().await;
    let name = fresh("stuck");
    let stack = account.create(&name, &failing(&name, &["Update"], 1)).await;
    assert_eq!(stack.status, StackStatus::CreateComplete);
    let stack = account.update(&name, &failing(&name, &["Update"], 2)).await;
    assert_eq!(stack.status, StackStatus::UpdateRollbackFailed);

    let prepared = account.stacks.prepare(&name, &name, PATIENCE, &mut |_| {}).await;
    match prepared.expect("answered") {
        Prepared::Absent => panic!("a stack that was up must never be deleted for a deploy"),
        // Whether the continued rollback goes through is the resource's business.
        Prepared::Ready(stack) => assert_eq!(stack.status, StackStatus::UpdateRollbackComplete),
        Prepared::Blocked(stack) => assert_eq!(stack.status, StackStatus::UpdateRollbackFailed),
    }
    let mut cursor = EventCursor::default();
    let events = account.stacks.events_since(&name, &mut cursor).await.expect("answered");
    let rollbacks = events
        .iter()
        .filter(|event| event.is_of_stack() && event.status == "UPDATE_ROLLBACK_IN_PROGRESS");
    assert_eq!(rollbacks.count(), 2, "the rollback was started again: {events:#?}");
}

#[tokio::test]
async fn a_stack_that_is_up_is_ready_for_a_deploy_and_left_alone() {
    let account = development().await;
    let name = fresh("ready");
    let created = account.create(&name, &exporting(&name, &name)).await;
    let prepared = account.stacks.prepare(&name, &name, PATIENCE, &mut |_| {}).await;
    assert_eq!(prepared.expect("answered"), Prepared::Ready(Box::new(created)));
}
