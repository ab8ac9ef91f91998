//! All template policies on real packages of the Serverless Framework (osls 4.3.1).

use super::*;

fn package(template: &str, state: &str) -> Example {
    Example {
        state: Some(serde_json::from_str(state).expect("JSON")),
        framework: Some(Framework { tool: Tool::Osls, version: Some("4.3.1") }),
        ..Example::of(template)
    }
}

fn all() -> Value {
    json!([
        { "policy": "allowed-regions", "level": "error", "config": ["us-east-1"] },
        { "policy": "allowed-stages", "level": "error", "config": ["dev"] },
        { "policy": "allowed-runtimes", "level": "error", "config": "nodejs.*" },
        { "policy": "framework-version", "level": "error", "config": "^3 || ^4" },
        { "policy": "required-stack-tags", "level": "warning", "config": { "team": ".+", "STAGE": "dev" } },
        { "policy": "no-wild-iam-role-statements", "level": "error" },
        { "policy": "no-secret-env-vars", "level": "error" },
        { "policy": "require-cfn-role", "level": "warning" },
        { "policy": "require-dlq", "level": "warning" },
        { "policy": "require-description", "level": "warning" },
        { "policy": "require-global-vpc", "level": "error" },
        { "policy": "allowed-function-names", "level": "error", "config": "${SERVICE}-${STAGE}-${FUNCTION}" },
        { "policy": "forbid-s3-http-access", "level": "error" },
        { "policy": "restricted-deploy-times", "level": "error", "config": { "time": "2026-12-24", "duration": "P3D" } },
        { "policy": "no-replacement", "level": "error" },
    ])
}

#[test]
fn a_serverless_service_can_hold_to_every_policy() {
    let example =
        package(include_str!("osls-good/template.json"), include_str!("osls-good/state.json"));
    assert_eq!(example.told(&all()), "");
}

#[test]
fn findings_name_the_keys_of_serverless_yml() {
    let example =
        package(include_str!("osls-bad/template.json"), include_str!("osls-bad/state.json"));
    insta::with_settings!({ snapshot_path => "words", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("serverless", example.told(&all()));
    });
}
