//! Stacks whose rollback failed: continued, past what a person has chosen, or still stuck.

use aws::{Recovery, StackStatus};

use crate::bench::{Account, PATIENCE, development, exporting, failing, fresh};

/// A stack whose update failed, and whose rollback failed too.
async fn stuck(account: &Account, name: &str) {
    account.create(name, &failing(name, &["Update"], 1)).await;
    let stack = account.update(name, &failing(name, &["Update"], 2)).await;
    assert_eq!(stack.status, StackStatus::UpdateRollbackFailed);
}

async fn recover(account: &Account, name: &str, skip: &[&str]) -> Recovery {
    let skip: Vec<String> = skip.iter().map(|id| (*id).to_owned()).collect();
    let recovery = account.stacks.recover(name, &skip, PATIENCE, &mut |_| {}).await;
    recovery.expect("CloudFormation answers")
}

#[tokio::test]
async fn a_stuck_stack_says_at_which_resources_and_why() {
    let account = development().await;
    let name = fresh("listed");
    stuck(&account, &name).await;
    let resources = account.stacks.stuck(&name).await.expect("answered");
    let [thing] = resources.as_slice() else { panic!("{resources:?}") };
    assert_eq!(
        (thing.logical_id.as_str(), thing.resource_type.as_str()),
        ("Thing", "Custom::Thing")
    );
    assert!(thing.to_string().contains("told to fail"), "{thing}");
    assert!(account.stacks.stuck(&fresh("never")).await.expect("answered").is_empty());
}

#[tokio::test]
async fn a_rollback_that_fails_again_names_its_resources_and_one_that_may_skip_them_ends() {
    let account = development().await;
    let name = fresh("again");
    stuck(&account, &name).await;
    let recovery = recover(&account, &name, &[]).await;
    let Recovery::StillStuck { stack, resources } = &recovery else { panic!("{recovery:?}") };
    assert_eq!(stack.status, StackStatus::UpdateRollbackFailed);
    assert_eq!(resources[0].logical_id, "Thing");

    let mut rolling_back = 0;
    // One of them belongs to another stack of the same service, or has been mended meanwhile.
    let skip = ["Thing".to_owned(), "Elsewhere".to_owned()];
    let recovery = account
        .stacks
        .recover(&name, &skip, PATIENCE, &mut |event| {
            rolling_back += usize::from(event.status == "UPDATE_ROLLBACK_IN_PROGRESS");
        })
        .await
        .expect("CloudFormation answers");
    let Recovery::Recovered(stack) = &recovery else { panic!("{recovery:?}") };
    assert_eq!((stack.status.as_str(), rolling_back), ("UPDATE_ROLLBACK_COMPLETE", 1));

    // Another attempt of the same job finds it done.
    assert!(matches!(recover(&account, &name, &["Thing"]).await, Recovery::Recovered(_)));
    let updated = account.update(&name, &failing(&name, &[], 3)).await;
    assert_eq!(updated.status, StackStatus::UpdateComplete);
}

#[tokio::test]
async fn a_stack_that_is_not_stuck_is_left_alone() {
    let account = development().await;
    let name = fresh("sound");
    assert_eq!(recover(&account, &name, &[]).await, Recovery::Absent);
    let stack = account.create(&name, &exporting(&name, &name)).await;
    assert_eq!(recover(&account, &name, &[]).await, Recovery::NotStuck(Box::new(stack)));
}
