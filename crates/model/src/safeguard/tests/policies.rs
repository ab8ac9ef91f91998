//! Every policy with an example that holds to it and one that does not, and its words.

use super::*;

/// An example that holds is not spoken of; one that does not is, in words that are kept.
#[track_caller]
fn policy(config: &Value, holds: &Example, broken: &Example, name: &str) {
    let safeguards = safeguard(name, config);
    assert_eq!(holds.told(&safeguards), "");
    insta::with_settings!({ snapshot_path => "words", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, broken.told(&safeguards));
    });
}

macro_rules! by_templates {
    ($($test:ident: $policy:literal, $config:expr;)+) => {$(
        #[test]
        fn $test() {
            policy(
                &$config,
                &Example::of(include_str!(concat!("templates/", $policy, ".holds.yml"))),
                &Example::of(include_str!(concat!("templates/", $policy, ".broken.yml"))),
                $policy,
            );
        }
    )+};
}

by_templates! {
    a_function_has_an_allowed_runtime: "allowed-runtimes", json!(["nodejs22.x", "image"]);
    a_role_may_not_do_everything: "no-wild-iam-role-statements", json!(null);
    no_credential_stands_in_an_environment: "no-secret-env-vars", json!(null);
    an_asynchronous_function_has_a_dead_letter_queue: "require-dlq", json!(null);
    a_function_has_a_description: "require-description", json!(null);
    a_function_is_in_a_network: "require-global-vpc", json!(null);
    a_function_is_called_as_agreed: "allowed-function-names", json!("${SERVICE}-${STAGE}-${FUNCTION}");
    a_bucket_refuses_what_comes_without_tls: "forbid-s3-http-access", json!(null);
}

#[test]
fn a_service_goes_to_an_allowed_region() {
    let config = json!(["us-east-1", "eu-west-1"]);
    let broken = Example { region: "ap-south-1", ..Example::service() };
    policy(&config, &Example::service(), &broken, "allowed-regions");
}

#[test]
fn a_service_goes_to_an_allowed_stage() {
    let config = json!("(prod|qa|dev-?.*)");
    let broken = Example { stage: "nonprod", ..Example::service() };
    policy(&config, &Example::service(), &broken, "allowed-stages");
}

#[test]
fn a_framework_has_an_allowed_version() {
    let with = |version| Example {
        framework: Some(Framework { tool: Tool::Osls, version: Some(version) }),
        ..Example::service()
    };
    policy(&json!(">=3.40.0 <5.0.0"), &with("4.3.1"), &with("5.0.0"), "framework-version");
}

#[test]
fn a_stack_has_the_required_tags() {
    let with = |tags: &[(&str, &str)]| Example {
        stack_tags: tags.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        ..Example::service()
    };
    policy(
        &json!({ "team": "[a-z]+", "cost": ".*" }),
        &with(&[("team", "shop"), ("cost", "")]),
        &with(&[("team", "shop-1")]),
        "required-stack-tags",
    );
}

#[test]
fn cloudformation_has_a_role_of_its_own() {
    let holds = Example {
        deployment_role: Some("arn:aws:iam::111111111111:role/cfn"),
        ..Example::service()
    };
    policy(&json!(null), &holds, &Example::service(), "require-cfn-role");
}

#[test]
fn nothing_is_deployed_at_a_closed_time() {
    let broken = Example { now: "2026-11-21T10:00:00Z", ..Example::service() };
    policy(
        &json!({ "time": "2019-03-08", "duration": "P3D", "interval": "P1W" }),
        &Example::service(),
        &broken,
        "restricted-deploy-times",
    );
}

#[test]
fn what_holds_data_is_not_replaced() {
    let holds = Example {
        change: update(vec![
            changed("Submissions", "AWS::DynamoDB::Table", Effect::Changed),
            changed("Fresh", "AWS::DynamoDB::Table", Effect::Added),
            changed("Hello", "AWS::Lambda::Function", Effect::Replaced),
        ]),
        ..Example::service()
    };
    let broken = Example {
        change: update(vec![
            ResourceChange {
                physical_id: Some("submissions-shop-dev".into()),
                because: vec!["KeySchema".into(), "TableName".into()],
                ..changed("Submissions", "AWS::DynamoDB::Table", Effect::Replaced)
            },
            changed("Pictures", "AWS::S3::Bucket", Effect::Removed),
            changed("Users", "AWS::Cognito::UserPool", Effect::MayBeReplaced),
        ]),
        ..Example::service()
    };
    policy(&json!(null), &holds, &broken, "no-replacement");
}
