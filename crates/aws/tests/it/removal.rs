//! Removing stacks: gone and proven so, or still there with the reason.

use aws::Removal;
use aws::StackStatus;
use aws::stack::Why;

use crate::bench::{Account, PATIENCE, development, exporting, failing, fresh, importing};

async fn remove(account: &Account, name: &str) -> Removal {
    account.stacks.remove(name, name, PATIENCE, &mut |_| {}).await.expect("CloudFormation answers")
}

#[tokio::test]
async fn a_removed_stack_is_gone_by_name_and_by_id_and_removing_again_is_fine() {
    let account = development().await;
    let name = fresh("removed");
    let stack = account.create(&name, &exporting(&name, &name)).await;
    let mut statuses = Vec::new();
    let removal = account
        .stacks
        .remove(&name, &name, PATIENCE, &mut |event| statuses.push(event.status.clone()))
        .await
        .expect("CloudFormation answers");
    assert_eq!(removal, Removal::Removed { stack_id: Some(stack.id.clone()) });
    assert_eq!(statuses.last().map(String::as_str), Some("DELETE_COMPLETE"));

    assert_eq!(account.stacks.look(&name).await.expect("answered"), None);
    let remembered = account.stacks.look(&stack.id).await.expect("answered");
    assert_eq!(remembered.map(|stack| stack.status), Some(StackStatus::DeleteComplete));
    assert_eq!(remove(&account, &name).await, Removal::Removed { stack_id: None });
}

#[tokio::test]
async fn a_stack_whose_export_is_in_use_stays_and_names_the_importer() {
    let account = development().await;
    let (exporter, importer) = (fresh("exporter"), fresh("importer"));
    account.create(&exporter, &exporting(&exporter, &exporter)).await;
    account.create(&importer, &importing(&importer, &exporter)).await;

    let Removal::StillThere { stack, why } = remove(&account, &exporter).await else {
        panic!("its export is in use");
    };
    assert_eq!(stack.status, StackStatus::CreateComplete);
    assert!(matches!(why, Why::Imported { .. }), "{why:?}");
    assert!(why.to_string().contains(&format!("imported by {importer}")), "{why}");

    assert!(matches!(remove(&account, &importer).await, Removal::Removed { .. }));
    assert!(matches!(remove(&account, &exporter).await, Removal::Removed { .. }));
}

#[tokio::test]
async fn a_deletion_that_fails_is_tried_twice_and_then_says_what_failed() {
    let account = development().await;
    let name = fresh("undying");
    account.create(&name, &failing(&name, &["Delete"], 1)).await;
    let mut failures = 0;
    let removal = account
        .stacks
        .remove(&name, &name, PATIENCE, &mut |event| {
            failures += u32::from(event.is_of_stack() && event.is_failure());
        })
        .await
        .expect("CloudFormation answers");
    let Removal::StillThere { stack, why: Why::Failed { status, resources, .. } } = &removal else {
        panic!("it cannot go: {removal:?}");
    };
    assert_eq!((&stack.status, status), (&StackStatus::DeleteFailed, &StackStatus::DeleteFailed));
    assert_eq!(failures, 2);
    assert!(resources.iter().any(|resource| resource.logical_id == "Thing"), "{resources:?}");
}

#[tokio::test]
async fn a_protected_stack_stays() {
    let account = development().await;
    let name = fresh("protected");
    account.create(&name, &exporting(&name, &name)).await;
    // The deploy role must not be able to lift the protection, so the account's owner sets it.
    account.protect(&name).await;
    let removal = remove(&account, &name).await;
    assert!(matches!(removal, Removal::StillThere { why: Why::Protected, .. }), "{removal:?}");
}
