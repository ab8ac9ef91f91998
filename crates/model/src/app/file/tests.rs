//! What an app file allows, and how each mistake in it is named.

use rstest::rstest;
use secrecy::ExposeSecret;
use serde_json::json;

use super::*;
use crate::app::{Destroy, Rule, SecretSource, Trigger, Value, diff};
use crate::{ProfileName, StageName};

mod lifecycle;
mod own;

const EXAMPLE: &str = r#"app: workshop
repository: acme/workshop
default_profile: development
profiles:
  development:
    role_arn: arn:aws:iam::111111111111:role/greenroom-deploy
    external_id: acme-greenroom
    region: us-east-1
    parameters:
      env: dev
      endpoint: https://dev.example.com
      version: 1.10
      debug: true
      endpoint_api_key: { secret_env: DEV_ENDPOINT_API_KEY }
      token: { secret: "hunter2" }
      kept: { secret: }
  production: &production
    role_arn: arn:aws:iam::333333333333:role/greenroom-deploy
    region: us-east-1
  staging:
    <<: *production
    role_arn: arn:aws:iam::222222222222:role/greenroom-deploy
stages:
  dev:     { profile: development }
  staging: { profile: staging }
  prod:    { profile: production, approvers: [release-team] }
rules:
  - { branch: master, stage: staging }
  - { branch: prod, stage: prod, trigger: manual }
  - { tag: 'v*', stage: prod }
  - preview: { base: [master], stage_name: branch, destroy: branch-deleted, expires_after: 7d }
"#;

fn example() -> AppFile {
    parse_yaml(EXAMPLE).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn key(text: &str) -> ParameterKey {
    text.parse().expect("a key")
}

fn development() -> ProfileName {
    "development".parse().expect("a profile")
}

fn of_development(text: &str) -> (SecretPlace, ParameterKey) {
    (SecretPlace::Profile(development()), key(text))
}

#[test]
fn the_design_s_example_is_read() {
    let settings = example().settings;
    assert_eq!(settings.app.as_str(), "workshop");
    assert_eq!(settings.profiles.len(), 3);
    let long_lived: Vec<&str> = settings.long_lived().map(StageName::as_str).collect();
    assert_eq!(long_lived, ["dev", "prod", "staging"]);
    assert_eq!(settings.rules.len(), 4);
    assert!(matches!(&settings.rules[1], Rule::Branch { trigger: Trigger::Manual, .. }));
    let Rule::Preview { preview } = &settings.rules[3] else {
        panic!("the last rule is a preview's")
    };
    assert_eq!(preview.destroy, Destroy::BranchDeleted);
    assert_eq!(preview.expires_after.map(|after| after.to_string()).as_deref(), Some("7d"));
    let staging = settings.profile_of(&"staging".parse().expect("a stage")).1;
    assert_eq!(
        (staging.role_arn.account(), staging.region.as_str()),
        ("222222222222", "us-east-1")
    );
}

#[test]
fn scalars_become_texts_as_they_were_written() {
    let parameters = &example().settings.profiles[&development()].parameters;
    assert_eq!(parameters[&key("version")], Value::Plain("1.10".into()));
    assert_eq!(parameters[&key("debug")], Value::Plain("true".into()));
    assert_eq!(parameters[&key("env")], Value::Plain("dev".into()));
}

#[test]
fn secrets_leave_the_settings() {
    let AppFile { settings, secrets, .. } = example();
    let secret = |text: &str| &secrets[&of_development(text)];
    assert_eq!(secrets.len(), 3);
    assert!(
        matches!(secret("endpoint_api_key"), SecretInput::Env(name) if name == "DEV_ENDPOINT_API_KEY")
    );
    assert!(
        matches!(secret("token"), SecretInput::Given(value) if value.expose_secret() == "hunter2")
    );
    assert!(matches!(secret("kept"), SecretInput::Keep));
    let shown = serde_json::to_string(&settings).expect("plain data");
    assert!(!shown.contains("hunter2") && shown.contains(r#""token":{"secret":null}"#), "{shown}");
    assert!(!format!("{settings:?} {secrets:?}").contains("hunter2"));
    let parameters = &settings.profiles[&development()].parameters;
    assert_eq!(parameters[&key("token")], Value::Secret(SecretSource::Given(())));
}

#[test]
fn settings_can_be_sent_back_as_they_were_answered() {
    let AppFile { settings, secrets, .. } = example();
    let shown = serde_json::to_value(&settings).expect("plain data");
    let again = parse_json(&shown).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(again.settings, settings);
    assert!(matches!(again.secrets[&of_development("token")], SecretInput::Keep));
    assert_eq!(again.secrets.len(), secrets.len());
    let stored: Settings = serde_json::from_value(shown).expect("what is stored can be read");
    assert_eq!(stored, settings);
}

#[test]
fn a_problem_in_json_has_a_key_and_no_line() {
    let body =
        json!({ "app": "workshop", "repository": 5, "default_profile": "x", "profiles": {} });
    let problems = parse_json(&body).expect_err("it has mistakes");
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(shown[0].starts_with("repository: \"5\" is not a valid repository"), "{shown:?}");
    assert!(shown[1].starts_with("default_profile: there is no profile x"), "{shown:?}");
    let not_a_map = parse_json(&json!([1])).expect_err("a list is no app");
    assert_eq!(not_a_map[0].to_string(), "this must be a map, and is a list");
}

/// The example with one text replaced, and its problems as shown.
fn mistakes(from: &str, to: &str) -> Vec<String> {
    assert!(EXAMPLE.contains(from), "the example has {from:?}");
    let problems = parse_yaml(&EXAMPLE.replacen(from, to, 1)).expect_err("it has a mistake");
    problems.iter().map(|problem| problem.located("app.yml")).collect()
}

#[rstest]
#[case(
    "app: workshop",
    "app: Work Shop",
    "app.yml:1: app: \"Work Shop\" is not a valid app name: use"
)]
#[case(
    "app: workshop",
    "appp: workshop",
    "app.yml:1: appp: this key is not known here; known are app,"
)]
#[case(
    "acme/workshop",
    "workshop",
    "app.yml:2: repository: \"workshop\" is not a valid repository: write it as owner/name"
)]
#[case(
    "default_profile: development",
    "default_profile: dev",
    "app.yml:3: default_profile: there is no profile dev"
)]
#[case(
    "arn:aws:iam::111111111111:role/greenroom-deploy",
    "greenroom-deploy",
    "app.yml:6: profiles.development.role_arn: \"greenroom-deploy\" is not a valid role ARN: write it like"
)]
#[case(
    "region: us-east-1",
    "region: Ohio",
    "app.yml:8: profiles.development.region: \"Ohio\" is not a valid AWS region"
)]
#[case(
    "external_id: acme-greenroom",
    "external_id: 'a b'",
    "app.yml:7: profiles.development.external_id: this must be"
)]
#[case(
    "env: dev",
    "env: [dev]",
    "app.yml:10: profiles.development.parameters.env: this must be a map"
)]
#[case(
    "env: dev",
    "env:",
    "app.yml:10: profiles.development.parameters.env: this parameter has no value"
)]
#[case(
    "env: dev",
    "1env: dev",
    "app.yml:10: profiles.development.parameters.1env: \"1env\" is not a valid parameter key"
)]
#[case(
    "env: dev",
    "to-ken: 1\n      to.ken: 2",
    "app.yml:11: profiles.development.parameters.to.ken: steps would see this and `to-ken` as one"
)]
#[case(
    "secret_env: DEV_ENDPOINT_API_KEY",
    "secret_env: dev-key",
    "app.yml:14: profiles.development.parameters.endpoint_api_key.secret_env: this must be the name of"
)]
#[case(
    "secret_env: DEV_ENDPOINT_API_KEY",
    "ssm: dev/key",
    "app.yml:14: profiles.development.parameters.endpoint_api_key.ssm: this is no name of a parameter of SSM"
)]
#[case(
    "secret_env: DEV_ENDPOINT_API_KEY",
    "ssm:",
    "app.yml:14: profiles.development.parameters.endpoint_api_key.ssm: this is no name of a parameter of SSM"
)]
#[case(
    "secret_env: DEV_ENDPOINT_API_KEY",
    "secretsmanager: 'dev key'",
    "app.yml:14: profiles.development.parameters.endpoint_api_key.secretsmanager: this is no secret of Secrets Manager"
)]
#[case(
    "secret_env: DEV_ENDPOINT_API_KEY",
    "secretsmanager: 'dev#'",
    "app.yml:14: profiles.development.parameters.endpoint_api_key.secretsmanager: there is nothing behind the #"
)]
#[case(
    "secret_env: DEV_ENDPOINT_API_KEY",
    "secret: a, secret_env: B",
    "app.yml:14: profiles.development.parameters.endpoint_api_key: write a value"
)]
#[case(
    "secret: \"hunter2\"",
    "secret: \"\"",
    "app.yml:15: profiles.development.parameters.token.secret: the secret is empty"
)]
#[case(
    "staging: { profile: staging }",
    "staging: { profile: stagign }",
    "app.yml:25: stages.staging.profile: there is no profile stagign"
)]
#[case(
    "staging: { profile: staging }",
    "staging: {}",
    "app.yml:25: stages.staging: `profile` is missing"
)]
#[case(
    "staging: { profile: staging }",
    "staging: { profile: staging }\n  Prod: { profile: staging }",
    "app.yml:27: stages.prod: the stage Prod has the same name"
)]
#[case(
    "approvers: [release-team]",
    "approvers: release-team",
    "app.yml:26: stages.prod.approvers: this must be a list, and is text"
)]
#[case(
    "{ branch: master, stage: staging }",
    "{ branch: master, stage: stagign }",
    "app.yml:28: rules[0].stage: there is no stage stagign"
)]
#[case(
    "{ branch: master, stage: staging }",
    "{ branch: prod, stage: prod }",
    "app.yml:29: rules[1]: rules[0] is for branch prod and stage prod already"
)]
#[case(
    "{ branch: master, stage: staging }",
    "{ branch: master }",
    "app.yml:28: rules[0]: `stage` is missing"
)]
#[case(
    "{ branch: master, stage: staging }",
    "{ branch: '--x', stage: staging }",
    "app.yml:28: rules[0].branch: \"--x\" is not a valid branch name"
)]
#[case(
    "{ branch: master, stage: staging }",
    "{ branch: master, tag: v1, stage: staging }",
    "app.yml:28: rules[0]: a rule has exactly one of"
)]
#[case(
    "trigger: manual",
    "trigger: sometimes",
    "app.yml:29: rules[1].trigger: this must be one of: auto, manual"
)]
#[case("tag: 'v*'", "tag: 'v[' ", "app.yml:30: rules[2].tag: this is no pattern (unclosed")]
#[case(
    "branch: master, stage: staging",
    "branch: 'release/[', stage: staging",
    "app.yml:28: rules[0].branch: this is no pattern (unclosed"
)]
#[case(
    "branch: master, stage: staging",
    "branch: master, stage: staging, services: []",
    "app.yml:28: rules[0].services: list at least one service, or leave `services` out"
)]
#[case(
    "branch: master, stage: staging",
    "branch: master, stage: staging, services: [a, b, a]",
    "app.yml:28: rules[0].services: a is listed twice; remove one"
)]
#[case(
    "branch: master, stage: staging",
    "branch: master, stage: staging, services: [a/b]",
    "app.yml:28: rules[0].services[0]: \"a/b\" is not a valid service name"
)]
#[case(
    "stage_name: branch",
    "stage_name: branch, deploy: some",
    "app.yml:31: rules[3].preview.deploy: this must be one of: changed, all"
)]
#[case(
    "expires_after: 7d }",
    "expires_after: 7d }\n    services: [a]",
    "app.yml:32: rules[3].services: move `services` into `preview`"
)]
#[case("tag: 'v*'", "tag: ''", "app.yml:30: rules[2].tag: the pattern is empty")]
#[case("base: [master]", "base: []", "app.yml:31: rules[3].preview.base: list at least one branch")]
#[case(
    "base: [master]",
    "base: [master, master]",
    "app.yml:31: rules[3]: rules[3] is for pull requests against master already"
)]
#[case(
    "stage_name: branch",
    "stage_name: number",
    "app.yml:31: rules[3].preview.stage_name: this must be `branch` (each branch"
)]
#[case(
    "destroy: branch-deleted",
    "destroy: tomorrow",
    "app.yml:31: rules[3].preview.destroy: this must be one of: branch-deleted, pull-request-closed, never"
)]
#[case(
    "expires_after: 7d",
    "expires_after: 7 days",
    "app.yml:31: rules[3].preview.expires_after: \"7 days\" is no length of time"
)]
fn a_mistake_is_named_with_its_line_key_and_remedy(
    #[case] from: &str,
    #[case] to: &str,
    #[case] expected: &str,
) {
    let shown = mistakes(from, to);
    assert!(shown[0].starts_with(expected), "{shown:?}");
}

#[test]
fn a_wrong_place_for_a_value_is_named_without_repeating_it() {
    let shown = mistakes("secret: \"hunter2\"", "ssm: hunter2 tr0ub4dor");
    assert!(!shown.iter().any(|line| line.contains("hunter2")), "{shown:?}");
}

#[test]
fn every_mistake_of_a_file_is_found_at_once() {
    let problems = parse_yaml(
        "app: A
repository: acme
colour: green
profiles:
  one: { region: nowhere }
stages:
  a: { profile: two }
rules:
  - { branch: x, stage: b }
  - { }
",
    )
    .expect_err("it has many mistakes");
    let shown: Vec<(Option<usize>, &str)> =
        problems.iter().map(|problem| (problem.line, problem.key.as_str())).collect();
    let expected = [
        (Some(1), "app"),
        (Some(1), ""),
        (Some(2), "repository"),
        (Some(3), "colour"),
        (Some(5), "profiles.one"),
        (Some(5), "profiles.one.region"),
        (Some(7), "stages.a.profile"),
        (Some(9), "rules[0].stage"),
        (Some(10), "rules[1]"),
    ];
    let mut sorted = shown.clone();
    sorted.sort();
    let mut wanted = expected.to_vec();
    wanted.sort();
    assert_eq!(sorted, wanted, "{problems:?}");
}

#[test]
fn no_problem_repeats_a_secret() {
    for text in ["secret: [hunter2]", "secret: \"hunter2\\0\"", "secret: hunter2, secrte: hunter2"]
    {
        let shown = mistakes("secret: \"hunter2\"", text);
        assert!(!shown.iter().any(|line| line.contains("hunter2")), "{shown:?}");
    }
}

#[test]
fn a_stage_of_a_profile_that_is_not_right_is_not_called_wrong_as_well() {
    let shown = mistakes("arn:aws:iam::111111111111:role/greenroom-deploy", "greenroom-deploy");
    assert_eq!(shown.len(), 1, "{shown:?}");
}

#[test]
fn an_empty_file_says_what_it_needs() {
    let problems = parse_yaml("# nothing\n").expect_err("it is empty");
    assert!(problems[0].message.contains("the file is empty"), "{problems:?}");
}

#[test]
fn the_difference_names_what_changes_and_nothing_else() {
    let before = example().settings;
    assert!(diff(Some(&before), &before).is_empty());
    let text = EXAMPLE
        .replace("env: dev", "env: test")
        .replace("  dev:     { profile: development }\n", "")
        .replace("{ branch: master, stage: staging }", "{ branch: main, stage: staging }");
    let after = parse_yaml(&text).expect("it is right").settings;
    let shown: Vec<String> = diff(Some(&before), &after).iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "~ profiles.development.parameters.env: dev -> test",
            r#"~ rules[0]: {"branch":"master","stage":"staging","trigger":"auto"} -> {"branch":"main","stage":"staging","trigger":"auto"}"#,
            "- stages.dev.profile: development",
        ]
    );
    assert!(diff(None, &after).iter().all(|change| change.from.is_none()));
}
