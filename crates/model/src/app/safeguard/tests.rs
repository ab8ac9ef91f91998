//! Safeguards as an app file has them: every configuration is checked, kept and shown.

mod config;
mod parts;

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::app::{AppFile, Problem, Settings, diff, parse_json, parse_yaml};

/// The example of the design, its two placeholders filled.
const DESIGN: &str = r#"app: workshop
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
      endpoint_api_key: { secret_env: DEV_ENDPOINT_API_KEY }   # or { ssm: … }, { secretsmanager: … }
    safeguards:
      - { policy: allowed-regions, level: error, config: [us-east-1] }
  staging: { role_arn: 'arn:aws:iam::222222222222:role/greenroom-deploy', region: us-east-1 }
  production: { role_arn: 'arn:aws:iam::333333333333:role/greenroom-deploy', region: us-east-1 }
stages:
  dev:     { profile: development }
  staging: { profile: staging }
  prod:    { profile: production, approvers: [release-team] }
rules:
  - { branch: master, stage: staging }
  - { branch: prod, stage: prod }            # or { tag: 'v*', stage: prod }, or trigger: manual
  - preview: { base: [master], stage_name: branch, destroy: branch-deleted, expires_after: 7d }
"#;
const WRITTEN: &str = "{ policy: allowed-regions, level: error, config: [us-east-1] }";

/// The example with its safeguard replaced.
fn with(safeguard: &str) -> Result<AppFile, Vec<Problem>> {
    assert!(DESIGN.contains(WRITTEN), "the example has its safeguard");
    parse_yaml(&DESIGN.replacen(WRITTEN, safeguard, 1))
}

fn right(safeguard: &str) -> AppFile {
    with(safeguard).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn of_development(settings: &Settings) -> &[Safeguard] {
    &settings.profiles[&"development".parse().expect("a profile")].safeguards
}

fn located(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| problem.located("app.yml")).collect()
}

#[test]
fn the_design_s_example_is_read_to_the_letter() {
    let file = right(WRITTEN);
    let expected = Safeguard {
        level: Level::Error,
        demand: Demand::AllowedRegions(vec!["us-east-1".parse().expect("a region")]),
    };
    assert_eq!(of_development(&file.settings), [expected]);
}

#[test]
fn safeguards_are_enforced_so_nobody_is_warned_of_them() {
    let warnings = located(&right(WRITTEN).warnings);
    assert!(!warnings.iter().any(|warning| warning.contains("safeguards")), "{warnings:?}");
}

#[test]
fn a_policy_may_stand_twice() {
    let file = right(
        "{ policy: allowed-stages, level: warning, config: [dev] }\n      - { policy: allowed-stages, level: error, config: 'd.*' }",
    );
    assert_eq!(of_development(&file.settings).len(), 2);
}

#[test]
fn an_empty_list_is_none() {
    for safeguards in ["safeguards: []", "safeguards:"] {
        let text = DESIGN.replacen(&format!("safeguards:\n      - {WRITTEN}"), safeguards, 1);
        let file = parse_yaml(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
        assert!(of_development(&file.settings).is_empty());
    }
}

#[test]
fn settings_with_safeguards_can_be_sent_back() {
    let file = right(
        "{ policy: restricted-deploy-times, level: warning, config: { time: 2024-01-01T00:00:00Z, duration: P3D, interval: P1W } }",
    );
    let shown = serde_json::to_value(&file.settings).expect("plain data");
    assert_eq!(
        shown["profiles"]["development"]["safeguards"],
        json!([{
            "policy": "restricted-deploy-times",
            "level": "warning",
            "config": { "time": "2024-01-01T00:00:00Z", "duration": "P3D", "interval": "P1W" },
        }])
    );
    let again = parse_json(&shown).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(again.settings, file.settings);
    let stored: Settings = serde_json::from_value(shown).expect("what is stored can be read");
    assert_eq!(stored, file.settings);
}

#[test]
fn settings_stored_before_there_were_safeguards_are_read() {
    let mut shown = serde_json::to_value(right(WRITTEN).settings).expect("plain data");
    let development = shown["profiles"]["development"].as_object_mut().expect("a map");
    development.remove("safeguards").expect("it was there");
    let stored: Settings = serde_json::from_value(shown).expect("older settings can be read");
    assert!(of_development(&stored).is_empty());
}

#[test]
fn a_safeguard_without_a_config_is_shown_without_one() {
    for written in
        ["{ policy: require-dlq, level: error }", "{ policy: require-dlq, level: error, config: }"]
    {
        let shown = serde_json::to_value(of_development(&right(written).settings)).expect("data");
        assert_eq!(shown, json!([{ "policy": "require-dlq", "level": "error" }]));
    }
}

#[test]
fn a_version_that_looks_like_a_number_is_kept_as_it_was_written() {
    let file = right("{ policy: framework-version, level: error, config: 3.10 }");
    let shown = serde_json::to_value(of_development(&file.settings)).expect("data");
    assert_eq!(shown[0]["config"], json!("3.10"));
}

#[test]
fn the_difference_shows_the_safeguards() {
    let before = right(WRITTEN).settings;
    let after = right("{ policy: require-dlq, level: warning }").settings;
    let shown: Vec<String> = diff(Some(&before), &after).iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            r#"~ profiles.development.safeguards: [{"config":["us-east-1"],"level":"error","policy":"allowed-regions"}] -> [{"level":"warning","policy":"require-dlq"}]"#
        ]
    );
}

#[test]
fn every_policy_is_written_in_the_file_as_it_is_stored() {
    for (word, policy) in POLICIES {
        assert_eq!(serde_json::to_value(policy).expect("a word"), json!(word));
        assert_eq!(policy.as_str(), word);
    }
    for (word, level) in LEVELS {
        assert_eq!(serde_json::to_value(level).expect("a word"), json!(word));
    }
}

#[rstest]
#[case(
    "{ policy: allowed-region, level: error }",
    "app.yml:14: profiles.development.safeguards[0].policy: this must be one of: allowed-regions, allowed-stages, allowed-runtimes, framework-version, required-stack-tags, no-wild-iam-role-statements, no-secret-env-vars, require-cfn-role, require-dlq, require-description, require-global-vpc, allowed-function-names, forbid-s3-http-access, restricted-deploy-times, no-replacement"
)]
#[case(
    "{ policy: [require-dlq], level: error }",
    "app.yml:14: profiles.development.safeguards[0].policy: this must be one of: allowed-regions,"
)]
#[case(
    "{ level: error }",
    "app.yml:14: profiles.development.safeguards[0]: `policy` is missing; name what is to hold"
)]
#[case(
    "{ policy: require-dlq, level: fatal }",
    "app.yml:14: profiles.development.safeguards[0].level: this must be one of: warning, error"
)]
#[case(
    "{ policy: require-dlq }",
    "app.yml:14: profiles.development.safeguards[0]: `level` is missing; write warning or error"
)]
#[case(
    "{ policy: require-dlq, level: error, conifg: 1 }",
    "app.yml:14: profiles.development.safeguards[0].conifg: this key is not known here; known are policy, level, config"
)]
#[case(
    "require-dlq",
    "app.yml:14: profiles.development.safeguards[0]: this must be a map, and is text"
)]
fn a_mistake_in_a_safeguard_is_named_with_its_line_key_and_remedy(
    #[case] safeguard: &str,
    #[case] expected: &str,
) {
    let shown = located(&with(safeguard).expect_err("it has a mistake"));
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(shown[0].starts_with(expected), "{shown:?}");
}

#[test]
fn safeguards_that_are_no_list_are_refused() {
    let text = DESIGN.replacen(
        &format!("safeguards:\n      - {WRITTEN}"),
        "safeguards: { policy: require-dlq, level: error }",
        1,
    );
    let shown = located(&parse_yaml(&text).expect_err("it is a map"));
    let expected = "app.yml:13: profiles.development.safeguards: this must be a list, and is a map";
    assert_eq!(shown, [expected]);
}
