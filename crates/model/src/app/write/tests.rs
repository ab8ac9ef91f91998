//! What is written reads back as it was, and looks as a person would have written it.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{AppFile, parse_json, parse_yaml};
use super::write;

fn file(value: &Value) -> AppFile {
    parse_json(value).unwrap_or_else(|problems| panic!("{value}: {problems:?}"))
}

#[test]
fn a_file_is_written_as_a_person_would() {
    let settings = file(&json!({
        "app": "workshop", "repository": "acme/workshop", "default_profile": "development",
        "concurrency": 4,
        "profiles": {
            "development": {
                "role_arn": "arn:aws:iam::111111111111:role/greenroom-deploy", "region": "us-east-1",
                "parameters": {
                    "env": "staging", "level": "1.10", "motto": "it's: #1", "key": { "secret": null },
                    "dsn": { "secret_env": "DSN" }, "api": { "ssm": "/workshop/api" },
                },
                "safeguards": [
                    { "policy": "allowed-regions", "level": "error",
                        "config": ["us-east-1", "eu-west-1"] },
                    { "policy": "no-secret-env-vars", "level": "warning" },
                ],
            },
        },
        "services": { "restapi": { "regions": ["us-east-1", "eu-west-1"] } },
        "stages": {
            "staging": { "profile": "development" },
            "prod": {
                "profile": "development", "approvers": ["release-team"], "promote_from": "staging",
                "freeze": { "time": "2026-12-24", "duration": "P3D", "interval": "P1Y",
                    "reason": "Christmas" },
            },
        },
        "rules": [
            { "branch": "master", "stage": "staging" },
            { "branch": "release/*", "stage": "staging", "services": ["restapi", "tasks"] },
            { "tag": "v*", "stage": "prod", "trigger": "manual" },
            { "preview": { "base": ["master"], "expires_after": "7d" } },
        ],
    }))
    .settings;
    let expected = "\
app: workshop
repository: acme/workshop
default_profile: development
concurrency: 4

profiles:
  development:
    role_arn: arn:aws:iam::111111111111:role/greenroom-deploy
    region: us-east-1
    parameters:
      api: { ssm: /workshop/api }
      dsn: { secret_env: DSN }
      env: staging
      key: { secret: }
      level: '1.10'
      motto: 'it''s: #1'
    safeguards:
      - { policy: allowed-regions, level: error, config: [us-east-1, eu-west-1] }
      - { policy: no-secret-env-vars, level: warning }

services:
  restapi: { regions: [us-east-1, eu-west-1] }

stages:
  prod:
    profile: development
    promote_from: staging
    approvers: [release-team]
    freeze:
      - { time: '2026-12-24', duration: P3D, interval: P1Y, reason: Christmas }
  staging: { profile: development }

rules:
  - { branch: master, stage: staging }
  - { branch: 'release/*', stage: staging, services: [restapi, tasks] }
  - { tag: 'v*', stage: prod, trigger: manual }
  - preview: { base: [master], deploy: changed, destroy: branch-deleted, expires_after: 7d }
";
    assert_eq!(write(&settings), expected);
    let again = parse_yaml(expected).expect("what was written");
    assert_eq!(again.settings, settings);
    assert_eq!(again.secrets.len(), 2, "the secrets keep their values");
}

#[test]
fn the_smallest_file_has_no_empty_parts() {
    let settings = file(&json!({
        "app": "a", "repository": "a/b", "default_profile": "p",
        "profiles": { "p": {
            "role_arn": "arn:aws:iam::111111111111:role/r", "region": "us-east-1",
        } },
    }))
    .settings;
    let text = write(&settings);
    assert!(!text.contains("stages") && !text.contains("rules"), "{text}");
    assert_eq!(parse_yaml(&text).expect("what was written").settings, settings);
}

/// Names that some reader of YAML takes for a number, a truth value or nothing.
fn name() -> impl Strategy<Value = String> {
    let nasty = ["1e3", "true", "no", "0x1f", "null", "y", "123", "off", "1-2"].map(String::from);
    prop_oneof![proptest::sample::select(nasty.to_vec()), "[a-z][a-z0-9]{0,8}"]
}

/// Texts of every kind: what looks like something else, what needs quotes, what no line can hold.
fn text() -> impl Strategy<Value = String> {
    let nasty = [
        "",
        " ",
        "~",
        "null",
        "1",
        "1.10",
        "0o7",
        "-",
        "- a",
        "a: b",
        "a:",
        "# no",
        "a # b",
        "'",
        "\"",
        "{{x}}",
        "[1]",
        "&a",
        "*a",
        "!t",
        "%d",
        "@x",
        "`x`",
        "|",
        ">",
        "?",
        "a\nb",
        "a\n",
        "\t",
        "a\rb",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{7f}",
        "\\",
        "ünï",
        "🌱",
        "---",
        "...",
        " lead",
        "trail ",
        "a  b",
        "a, b",
        "<b>",
        "${output:a.b}",
        "=",
        "<<",
        "2026-12-24",
        "12:30:45",
        "1_000",
        ".inf",
    ]
    .map(String::from);
    prop_oneof![
        proptest::sample::select(nasty.to_vec()),
        any::<String>().prop_map(|text| text.replace('\0', "")),
        "[ -~]{0,120}",
    ]
}

fn parameter() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => text().prop_map(Value::String),
        1 => Just(json!({ "secret": null })),
        1 => "[A-Z][A-Z0-9_]{0,12}".prop_map(|name| json!({ "secret_env": name })),
        1 => "/[a-z0-9_.-]{1,12}".prop_map(|name| json!({ "ssm": name })),
        1 => "[a-z]{1,8}#[ -~]{1,12}".prop_map(|name| json!({ "secretsmanager": name })),
    ]
}

fn parameters() -> impl Strategy<Value = Value> {
    // keys that differ in no more than dashes would be one environment variable
    proptest::collection::btree_map("[a-zA-Z_][a-z0-9]{0,6}", parameter(), 0..5)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

fn safeguards() -> impl Strategy<Value = Value> {
    let known = [
        json!({ "policy": "allowed-regions", "level": "error", "config": ["us-east-1"] }),
        json!({ "policy": "allowed-stages", "level": "error", "config": "(?:dev|prod|[0-9]{1,3})" }),
        json!({ "policy": "required-stack-tags", "level": "error", "config": { "1": "'.+'", "a:b": ".*" } }),
        json!({ "policy": "framework-version", "level": "error", "config": { "osls": ">=3 <5", "sam": "^1" } }),
        json!({ "policy": "require-description", "level": "error", "config": { "minLength": 3, "maxLength": 200 } }),
        json!({ "policy": "no-replacement", "level": "error", "config": { "also": ["AWS::SQS::Queue"] } }),
        json!({ "policy": "restricted-deploy-times", "level": "warning", "config": [
            { "time": "2026-12-24", "duration": "P3D", "interval": "P1Y" },
            { "time": "2026-12-31T18:00:00+01:00", "duration": "PT12H" },
        ] }),
    ];
    proptest::sample::subsequence(known.to_vec(), 0..=known.len()).prop_map(Value::Array)
}

fn window() -> impl Strategy<Value = Value> {
    text().prop_filter("a reason is not empty", |text| !text.trim().is_empty()).prop_map(
        |reason| json!({ "time": "2026-12-24 18:00", "duration": "PT12H", "reason": reason }),
    )
}

fn approver() -> impl Strategy<Value = Value> {
    text().prop_filter("a name is not empty", |text| !text.trim().is_empty()).prop_map(Value::from)
}

fn stage() -> impl Strategy<Value = Value> {
    let lists = (
        proptest::collection::vec(approver(), 0..3),
        proptest::collection::vec(window(), 0..3),
        proptest::option::of(proptest::sample::select(vec!["never", "12h", "7d", "48h"])),
        parameters(),
        proptest::option::of(name()),
    );
    lists.prop_map(|(approvers, freeze, drift, parameters, service)| {
        let mut stage = json!({
            "profile": "p", "approvers": approvers, "freeze": freeze, "parameters": parameters,
            "drift_every": drift,
        });
        if let Some(service) = service {
            stage["services"] = json!({ service: { "regions": ["eu-west-1", "us-east-1"] } });
        }
        stage
    })
}

fn app() -> impl Strategy<Value = Value> {
    let parts = (
        parameters(),
        safeguards(),
        proptest::collection::btree_map(name(), stage(), 0..4),
        proptest::option::of(1..=1000u16),
        proptest::collection::btree_set(name(), 1..3),
        any::<(bool, bool)>(),
    );
    parts.prop_map(|(parameters, safeguards, stages, concurrency, services, (manual, only))| {
        let rules = stages.keys().enumerate().map(|(at, stage)| {
            let mut rule = match at % 3 {
                0 => json!({ "branch": format!("b{at}"), "stage": stage }),
                1 => json!({ "branch": "release/{a,b}*[0-9]", "stage": stage }),
                _two => json!({ "tag": "v*", "stage": stage }),
            };
            if manual {
                rule["trigger"] = json!("manual");
            }
            if only {
                rule["services"] = json!(services);
            }
            rule
        });
        let preview = json!({ "preview": {
            "base": ["1.0", "main", "team/*"], "services": services, "drafts": "ignore",
            "stage_name": { "fixed": "shared-1" }, "expires_after": "36h",
            "foresee": stages.keys().next(),
        } });
        let rules: Vec<Value> = rules.chain([preview]).collect();
        let stages: Map<String, Value> = stages.clone().into_iter().collect();
        json!({
            "app": "workshop", "repository": "acme/work.shop", "default_profile": "p",
            "concurrency": concurrency,
            "profiles": {
                "p": {
                    "role_arn": "arn:aws:iam::111111111111:role/a/b+c=d", "region": "us-east-1",
                    "external_id": "1234", "parameters": parameters, "safeguards": safeguards,
                },
            },
            "services": { "123": { "regions": ["us-east-1"] } },
            "stages": stages, "rules": rules,
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_written_reads_back_as_the_same_settings(value in app()) {
        // two parameters that would be one environment variable are no file to begin with
        let Ok(file) = parse_json(&value) else { return Err(TestCaseError::reject("no file")) };
        let text = write(&file.settings);
        match parse_yaml(&text) {
            Ok(again) => {
                prop_assert_eq!(&again.settings, &file.settings, "{}", text);
                prop_assert_eq!(
                    again.secrets.keys().collect::<Vec<_>>(),
                    file.secrets.keys().collect::<Vec<_>>()
                );
                prop_assert_eq!(write(&again.settings), text);
            }
            Err(problems) => prop_assert!(false, "{:?}\n{}", problems, text),
        }
    }
}
