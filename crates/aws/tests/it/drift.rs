//! Stacks held against their templates, with resources really changed by hand.

use aws::role::SessionScope;
use aws_sdk_ssm::types::ParameterType;
use model::drift::{DriftStatus, DriftedResource, ResourceDrift};
use serde_json::json;

use crate::bench::{PATIENCE, account, development, failing, fresh, owner, scoped};
use crate::direct::Owner;

fn values(name: &str) -> String {
    let value = |suffix: &str| {
        json!({ "Type": "AWS::SSM::Parameter", "Properties": {
            "Name": format!("/{name}/{suffix}"), "Type": "String", "Value": "as declared"
        } })
    };
    json!({ "Resources": { "One": value("one"), "Two": value("two"), "Three": value("three") } })
        .to_string()
}

/// As whoever is at the console.
async fn change_by_hand(parameter: &str, value: &str) {
    aws_sdk_ssm::Client::new(&owner())
        .put_parameter()
        .name(parameter)
        .value(value)
        .r#type(ParameterType::String)
        .overwrite(true)
        .send()
        .await
        .expect("the owner may");
}

async fn status(name: &str) -> DriftStatus {
    // With the session of a drift job.
    let looking = account(scoped(SessionScope::Inspect).await);
    let drift = looking.stacks.detect_drift(name, PATIENCE).await.expect("CloudFormation answers");
    assert_eq!(drift.stack, name);
    drift.status
}

fn drifted(status: DriftStatus) -> Vec<DriftedResource> {
    let DriftStatus::Drifted { mut resources } = status else { panic!("{status:?}") };
    resources.sort_by(|a, b| a.logical_id.cmp(&b.logical_id));
    resources
}

#[tokio::test]
async fn what_was_changed_or_deleted_by_hand_is_told_with_both_values() {
    let account = development().await;
    let name = fresh("drifting");
    account.create(&name, &values(&name)).await;
    assert_eq!(status(&name).await, DriftStatus::InSync);

    change_by_hand(&format!("/{name}/one"), "as changed").await;
    let gone = format!("/{name}/two");
    aws_sdk_ssm::Client::new(&owner()).delete_parameter().name(&gone).send().await.expect("may");
    let found = drifted(status(&name).await);
    let [one, two] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(
        (one.logical_id.as_str(), one.resource_type.as_str()),
        ("One", "AWS::SSM::Parameter")
    );
    assert_eq!(one.physical_id, Some(format!("/{name}/one")));
    let ResourceDrift::Modified { differences } = &one.deed else { panic!("{one:?}") };
    let [value] = differences.as_slice() else { panic!("{differences:?}") };
    assert_eq!(value.path, "/Value");
    assert_eq!(value.expected.as_deref(), Some("as declared"));
    assert_eq!(value.actual.as_deref(), Some("as changed"));
    assert_eq!((two.logical_id.as_str(), &two.deed), ("Two", &ResourceDrift::Deleted));

    change_by_hand(&format!("/{name}/one"), "as declared").await;
    change_by_hand(&gone, "as declared").await;
    assert_eq!(status(&name).await, DriftStatus::InSync);
}

#[tokio::test]
async fn a_stack_that_is_gone_or_cannot_be_compared_is_never_called_in_sync() {
    let account = development().await;
    assert_eq!(status(&fresh("never")).await, DriftStatus::Deleted);
    let name = fresh("unborn");
    account.create(&name, &failing(&name, &["Create"], 1)).await;
    let DriftStatus::NotChecked { reason } = status(&name).await else { panic!("it never was") };
    assert!(reason.contains("ROLLBACK_COMPLETE"), "{reason}");
}

#[tokio::test]
async fn a_session_without_the_right_says_which_is_missing() {
    let account_ = development().await;
    let name = fresh("unreadable");
    account_.create(&name, &values(&name)).await;
    let reader = account(scoped(SessionScope::ReadOnly).await);
    let drift = reader.stacks.detect_drift(&name, PATIENCE).await.expect("CloudFormation answers");
    let DriftStatus::NotChecked { reason } = drift.status else { panic!("{drift:?}") };
    assert!(reason.contains("DetectStackDrift") && reason.contains("deploy policy"), "{reason}");
}

#[tokio::test]
async fn the_drift_of_a_nested_stack_is_told_of_its_parent() {
    let account = development().await;
    let (name, store) = (fresh("parent"), fresh("store"));
    let bucket = format!("{}-frontend-s", &store[store.len() - 16..]);
    let room = json!({ "Resources": { "B": {
        "Type": "AWS::S3::Bucket", "Properties": { "BucketName": bucket }
    } } });
    account.create(&store, &room.to_string()).await;
    account.create_around(&name, &bucket, &values(&name)).await;
    Owner::new().delete(&bucket, "inner.template").await;
    change_by_hand(&format!("/{name}/three"), "as changed").await;
    let found = drifted(status(&name).await);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].logical_id, "Inner.Three");
}
