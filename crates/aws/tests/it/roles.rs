//! Assuming roles: who gets in, where a session lands, what it may do, and what a refusal says.

use std::sync::Arc;

use aws::role::{AssumeRole, RoleMinter};
use aws::{AwsEndpoint, RoleError};
use chrono::{TimeDelta, Utc};

use crate::bench::{
    DEVELOPMENT, REGION, STAGING, account, endpoint, fresh, importing, mint, minter, reading,
    request, server_key,
};

#[expect(clippy::disallowed_methods, reason = "STS counts by the real clock")]
#[tokio::test]
async fn a_session_lands_in_the_roles_account_and_ends_within_the_hour() {
    for (role, number) in [(DEVELOPMENT, "111111111111"), (STAGING, "222222222222")] {
        let credentials = mint(role).await;
        let left = credentials.expires_at - Utc::now();
        assert!(left > TimeDelta::minutes(10) && left <= TimeDelta::minutes(61), "{left}");

        let name = fresh("landing");
        let template = r#"{"Resources":{"Topic":{"Type":"AWS::SNS::Topic"}}}"#;
        let stack = account(credentials).create(&name, template).await;
        assert!(stack.id.contains(&format!(":{REGION}:{number}:stack/{name}/")), "{}", stack.id);
    }
}

#[tokio::test]
async fn a_wrong_external_id_is_refused_with_what_to_check() {
    let wrong = AssumeRole { external_id: Some("someone-else".to_owned()), ..request(DEVELOPMENT) };
    let error = minter().await.mint(wrong).await.expect_err("the external id is wrong");
    assert!(matches!(error, RoleError::Refused { .. }), "{error:?}");
    assert!(!error.is_transient());
    let words = error.to_string();
    for part in [DEVELOPMENT, "external_id", "sts:TagSession", "sts:SetSourceIdentity"] {
        assert!(words.contains(part), "{part} is missing in: {words}");
    }
}

#[tokio::test]
async fn a_missing_external_id_is_refused() {
    let without = AssumeRole { external_id: None, ..request(DEVELOPMENT) };
    let error = minter().await.mint(without).await.expect_err("the role demands an external id");
    assert!(matches!(error, RoleError::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_refused() {
    let role = "arn:aws:iam::111111111111:role/greenroom-nowhere";
    let error = minter().await.mint(request(role)).await.expect_err("there is no such role");
    assert!(matches!(error, RoleError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("the role exists"), "{error}");
}

#[tokio::test]
async fn a_role_outside_the_servers_policy_is_refused() {
    let role = "arn:aws:iam::111111111111:role/admin";
    let error = minter().await.mint(request(role)).await.expect_err("not a greenroom role");
    assert!(matches!(error, RoleError::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn an_arn_of_no_role_is_refused_without_asking() {
    let error = minter().await.mint(request("greenroom-deploy")).await.expect_err("no ARN");
    assert!(matches!(error, RoleError::NotARole { .. }), "{error:?}");
}

#[tokio::test]
async fn a_wrong_key_of_the_server_is_called_the_servers_fault() {
    let mut key = server_key();
    key.secret_access_key = "not-the-secret".to_owned().into();
    let minter =
        RoleMinter::with_source(Arc::new(key), &endpoint()).await.expect("a usable endpoint");
    let error = minter.mint(request(DEVELOPMENT)).await.expect_err("the signature is wrong");
    assert!(matches!(error, RoleError::BadServerCredentials { .. }), "{error:?}");
}

#[tokio::test]
async fn an_unreachable_sts_is_worth_another_try() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let nowhere = AwsEndpoint { url: Some(format!("https://127.0.0.1:{port}")), ..endpoint() };
    let minter =
        RoleMinter::with_source(Arc::new(server_key()), &nowhere).await.expect("a usable endpoint");
    let error = minter.mint(request(DEVELOPMENT)).await.expect_err("nobody listens there");
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn a_read_mostly_session_looks_but_changes_nothing() {
    let reader = account(reading().await);
    let name = fresh("reader");
    assert_eq!(reader.stacks.look(&name).await.expect("looking is allowed"), None);

    let created = reader
        .sdk
        .create_stack()
        .stack_name(&name)
        .template_body(importing(&name, "nothing"))
        .send()
        .await;
    let error = created.expect_err("creating is not allowed").into_service_error();
    assert!(error.meta().code().is_some_and(|code| code.contains("AccessDenied")), "{error:?}");

    let error = reader.stacks.delete(&name, "token").await.expect_err("nor is deleting");
    assert!(error.to_string().contains("DeleteStack"), "{error}");
    assert!(error.to_string().contains("deploy policy"), "{error}");

    let executed = reader
        .sdk
        .execute_change_set()
        .change_set_name("any")
        .stack_name(&name)
        .send()
        .await
        .expect_err("nor is executing a change set")
        .into_service_error();
    assert!(executed.meta().code().is_some_and(|code| code.contains("AccessDenied")));
}
