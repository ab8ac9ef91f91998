//! What the sessions that only look may not do.

use aws::role::SessionScope;
use aws::stack::RemoveHow;
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::ChangeSetType;

use crate::bench::{PATIENCE, account, development, exporting, fresh, scoped};
use crate::changes::{deploy, table, wanted};

const LOOKING: [SessionScope; 2] = [SessionScope::ReadOnly, SessionScope::Inspect];

#[tokio::test]
async fn sessions_that_only_look_see_stacks_and_templates_and_change_nothing() {
    let deployer = development().await;
    let name = fresh("looked-at");
    deployer.create(&name, &exporting(&name, &name)).await;
    for scope in LOOKING {
        let reader = account(scoped(scope).await);
        assert!(reader.stacks.look(&name).await.expect("looking is allowed").is_some());
        assert!(reader.stacks.template(&name).await.expect("reading is allowed").is_some());

        let asked = reader
            .sdk
            .create_change_set()
            .stack_name(&name)
            .change_set_name("any")
            .change_set_type(ChangeSetType::Update)
            .template_body(exporting(&name, &format!("{name}-b")))
            .send()
            .await
            .expect_err("not even a change set");
        assert!(asked.code().is_some_and(|code| code.contains("AccessDenied")), "{asked:?}");

        let how = RemoveHow::Forced;
        let removal = reader.stacks.remove(&name, "t", how, PATIENCE, &mut |_| {}).await;
        let error = removal.expect_err("nor a removal");
        assert!(error.to_string().contains("DeleteStack"), "{error}");
    }
    assert!(deployer.stacks.look(&name).await.expect("answered").is_some());
}

#[tokio::test]
async fn what_a_commit_would_change_elsewhere_is_foreseen_by_comparing_templates() {
    let deployer = development().await;
    let name = fresh("elsewhere");
    deploy(&deployer, &wanted(&name, &table(&name, 1))).await;
    let reader = account(scoped(SessionScope::ReadOnly).await);
    let wanted = wanted(&name, &table(&name, 2));
    let change = reader.stacks.foresee(&wanted, PATIENCE).await.expect("answered");
    assert_eq!(change.changes.len(), 1);
    assert_eq!(change.changes[0].because, ["ProvisionedThroughput"]);
    let note = change.note.expect("it says so");
    assert!(note.contains("CloudFormation was not asked"), "{note}");
}
