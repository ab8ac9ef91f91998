//! Removing stacks: gone and proven so, or still there with the reason.

use aws::stack::{RemoveHow, Why};
use aws::{Removal, StackStatus};

use crate::bench::{Account, PATIENCE, development, exporting, failing, fresh, importing};

async fn remove(account: &Account, name: &str) -> Removal {
    remove_by(account, name, RemoveHow::Careful).await
}

async fn remove_by(account: &Account, name: &str, how: RemoveHow) -> Removal {
    let removal = account.stacks.remove(name, name, how, PATIENCE, &mut |_| {}).await;
    removal.expect("CloudFormation answers")
}

#[tokio::test]
async fn a_removed_stack_is_gone_by_name_and_by_id_and_removing_again_is_fine() {
    let account = development().await;
    let name = fresh("removed");
    let stack = account.create(&name, &exporting(&name, &name)).await;
    let mut statuses = Vec::new();
    let removal = account
        .stacks
        .remove(&name, &name, RemoveHow::Careful, PATIENCE, &mut |event| {
            statuses.push(event.status.clone());
        })
        .await
        .expect("CloudFormation answers");
    assert_eq!(
        removal,
        Removal::Removed { stack_id: Some(stack.id.clone()), retained: Vec::new() }
    );
    assert_eq!(statuses.last().map(String::as_str), Some("DELETE_COMPLETE"));

    assert_eq!(account.stacks.look(&name).await.expect("answered"), None);
    let remembered = account.stacks.look(&stack.id).await.expect("answered");
    assert_eq!(remembered.map(|stack| stack.status), Some(StackStatus::DeleteComplete));
    let nothing = Removal::Removed { stack_id: None, retained: Vec::new() };
    assert_eq!(remove(&account, &name).await, nothing);
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
        .remove(&name, &name, RemoveHow::Careful, PATIENCE, &mut |event| {
            failures += u32::from(event.is_of_stack() && event.is_failure());
        })
        .await
        .expect("CloudFormation answers");
    let Removal::StillThere { stack, why: Why::Failed { status, resources, .. } } = &removal else {
        panic!("it cannot go: {removal:?}");
    };
    assert_eq!((&stack.status, status), (&StackStatus::DeleteFailed, &StackStatus::DeleteFailed));
    assert_eq!(failures, 2);
    let thing = resources.iter().find(|resource| resource.logical_id == "Thing");
    let words = thing.expect("it is named").to_string();
    assert!(words.contains("told to fail"), "{words}");
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

#[tokio::test]
async fn what_cannot_be_deleted_is_kept_and_named_when_that_is_wanted() {
    let account = development().await;
    let name = fresh("keeping");
    let stack = account.create(&name, &failing(&name, &["Delete"], 1)).await;
    let removal = remove_by(&account, &name, RemoveHow::Retaining).await;
    let Removal::Removed { stack_id, retained } = &removal else { panic!("{removal:?}") };
    assert_eq!(stack_id.as_ref(), Some(&stack.id));
    let [thing] = retained.as_slice() else { panic!("{retained:?}") };
    assert_eq!(
        (thing.logical_id.as_str(), thing.resource_type.as_str()),
        ("Thing", "Custom::Thing")
    );
    let words = thing.to_string();
    assert!(words.contains("told to fail") && words.contains("thing"), "{words}");
    assert_eq!(account.stacks.look(&name).await.expect("answered"), None);
}

#[tokio::test]
async fn a_stack_whose_careful_removal_failed_goes_when_its_rest_may_stay() {
    let account = development().await;
    let name = fresh("second-try");
    account.create(&name, &failing(&name, &["Delete"], 1)).await;
    assert!(matches!(remove(&account, &name).await, Removal::StillThere { .. }));
    let removal = remove_by(&account, &name, RemoveHow::Retaining).await;
    let Removal::Removed { retained, .. } = &removal else { panic!("{removal:?}") };
    assert_eq!(retained.len(), 1);
}

#[tokio::test]
async fn a_forced_removal_ends_and_names_what_is_left() {
    let account = development().await;
    let name = fresh("forced");
    account.create(&name, &failing(&name, &["Delete"], 1)).await;
    let removal = remove_by(&account, &name, RemoveHow::Forced).await;
    let Removal::Removed { retained, .. } = &removal else { panic!("{removal:?}") };
    assert!(retained.iter().any(|resource| resource.logical_id == "Thing"), "{retained:?}");
    assert_eq!(account.stacks.look(&name).await.expect("answered"), None);
}

#[tokio::test]
async fn neither_force_nor_keeping_lifts_a_protection() {
    let account = development().await;
    let name = fresh("guarded");
    account.create(&name, &exporting(&name, &name)).await;
    account.protect(&name).await;
    for how in [RemoveHow::Retaining, RemoveHow::Forced] {
        let removal = remove_by(&account, &name, how).await;
        assert!(matches!(removal, Removal::StillThere { why: Why::Protected, .. }), "{removal:?}");
    }
}

#[tokio::test]
async fn a_deletion_that_goes_on_is_waited_out() {
    let account = development().await;
    let name = fresh("underway");
    let stack = account.create(&name, &failing(&name, &["Delete"], 1)).await;
    account.stacks.delete(&stack.id, "somebody").await.expect("the order is taken");
    let removal = remove_by(&account, &name, RemoveHow::Retaining).await;
    let Removal::Removed { retained, .. } = &removal else { panic!("{removal:?}") };
    assert_eq!(retained.len(), 1, "{retained:?}");
}
