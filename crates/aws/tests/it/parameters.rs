//! Reading values of SSM and Secrets Manager with a job's session.

use std::sync::Arc;

use aws::{Credentials, ParameterError, Parameters};
use aws_sdk_ssm::types::ParameterType;
use model::app::RemoteParameter;
use secrecy::ExposeSecret;

use crate::bench::{REGION, endpoint, fresh, owner, reading, server_key};

fn parameters(credentials: Credentials) -> Parameters {
    Parameters::new(Arc::new(credentials), REGION, &endpoint()).expect("a usable endpoint")
}

fn ssm(name: &str) -> RemoteParameter {
    RemoteParameter::Ssm { name: name.to_owned() }
}

fn secret(id: &str, key: Option<&str>) -> RemoteParameter {
    RemoteParameter::SecretsManager { id: id.to_owned(), key: key.map(str::to_owned) }
}

async fn value(parameters: &Parameters, of: &RemoteParameter) -> String {
    parameters.read(of).await.expect("it is there").expose_secret().to_owned()
}

async fn error(parameters: &Parameters, of: &RemoteParameter) -> (ParameterError, String) {
    let error = parameters.read(of).await.expect_err("it cannot be read");
    let words = error.to_string();
    (error, words)
}

#[tokio::test]
async fn a_package_reads_plain_and_encrypted_parameters_of_ssm() {
    let store = aws_sdk_ssm::Client::new(&owner());
    let plain = format!("/{}/plain", fresh("shop"));
    let encrypted = format!("/{}/encrypted", fresh("shop"));
    for (name, kind) in [(&plain, ParameterType::String), (&encrypted, ParameterType::SecureString)]
    {
        let put = store.put_parameter().name(name).value(format!("value of {name}")).r#type(kind);
        put.send().await.expect("the owner may");
    }
    let parameters = parameters(reading().await);
    for name in [&plain, &encrypted] {
        assert_eq!(value(&parameters, &ssm(name)).await, format!("value of {name}"));
    }
}

#[tokio::test]
async fn a_package_reads_a_secret_by_name_and_arn_whole_and_by_key() {
    let name = fresh("secret");
    let text = r#"{"user":"shop","port":5432}"#;
    let made = aws_sdk_secretsmanager::Client::new(&owner())
        .create_secret()
        .name(&name)
        .secret_string(text)
        .send()
        .await
        .expect("the owner may");
    let arn = made.arn().expect("it has an ARN");
    let parameters = parameters(reading().await);
    assert_eq!(value(&parameters, &secret(&name, None)).await, text);
    assert_eq!(value(&parameters, &secret(&name, Some("user"))).await, "shop");
    assert_eq!(value(&parameters, &secret(arn, Some("port"))).await, "5432");

    let (kind, words) = error(&parameters, &secret(&name, Some("password"))).await;
    assert!(matches!(kind, ParameterError::Unusable { .. }), "{kind:?}");
    assert!(words.contains("port, user") && words.contains(REGION), "{words}");
}

#[tokio::test]
async fn what_is_not_there_is_named_with_its_region() {
    let parameters = parameters(reading().await);
    for missing in [ssm("/no/such/parameter"), secret("no-such-secret", None)] {
        let (kind, words) = error(&parameters, &missing).await;
        assert!(matches!(kind, ParameterError::Missing { .. }), "{kind:?}");
        assert!(words.contains(&missing.to_string()) && words.contains(REGION), "{words}");
    }
}

#[tokio::test]
async fn a_role_without_the_right_is_told_which_action_it_needs() {
    // The server's own user may do nothing but assume roles.
    let parameters = parameters(server_key());
    for (refused, action) in [
        (ssm("/shop/key"), "ssm:GetParameter"),
        (secret("shop", None), "secretsmanager:GetSecretValue"),
    ] {
        let (kind, words) = error(&parameters, &refused).await;
        assert!(matches!(kind, ParameterError::Denied { .. }), "{kind:?}");
        assert!(words.contains(action) && words.contains(&refused.to_string()), "{words}");
    }
}
