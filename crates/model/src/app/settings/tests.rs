//! What settings say of a stage: its regions, its parameters, its profile.

use super::*;
use crate::app::parse_yaml;

const FILE: &str = "app: workshop
repository: acme/workshop
default_profile: development
concurrency: 4
profiles:
  development:
    role_arn: arn:aws:iam::111111111111:role/g
    region: us-east-1
    parameters: { env: dev, endpoint: https://dev.example.com, key: { secret: a } }
  old:
    role_arn: arn:aws:iam::222222222222:role/g
    region: eu-central-1
    parameters: { env: old }
services:
  restapi: { regions: [us-east-1, eu-west-1] }
stages:
  dev:
    profile: development
    parameters: { endpoint: https://own.example.com, key: { secretsmanager: 'dev#key' }, more: 1 }
    services: { restapi: { regions: [eu-west-1] } }
  Staging: { profile: development, parameters: { key: { secret: b } } }
";

fn settings() -> Settings {
    parse_yaml(FILE).unwrap_or_else(|problems| panic!("{problems:?}")).settings
}

fn stage(text: &str) -> StageName {
    text.parse().expect("a stage")
}

fn regions(stage_name: &str, service: &str) -> Vec<String> {
    let service = service.parse().expect("a service");
    let regions = settings().regions_of(&stage(stage_name), &service);
    regions.into_iter().map(Into::into).collect()
}

#[test]
fn a_service_goes_where_the_stage_says_else_the_app_else_the_profile() {
    assert_eq!(regions("dev", "restapi"), ["eu-west-1"]);
    assert_eq!(regions("staging", "restapi"), ["us-east-1", "eu-west-1"]);
    assert_eq!(regions("feature-x", "restapi"), ["us-east-1", "eu-west-1"]);
    assert_eq!(regions("dev", "tasks"), ["us-east-1"]);
}

/// `key = value (place)` of each parameter of a stage.
fn shown(parameters: &BTreeMap<&ParameterKey, StageParameter<'_>>) -> Vec<String> {
    parameters
        .iter()
        .map(|(key, StageParameter { place, value })| {
            let value = match value {
                Value::Plain(value) => value.clone(),
                Value::Secret(_) => "a secret".into(),
                Value::Remote(remote) => remote.to_string(),
            };
            format!("{key} = {value} ({place})")
        })
        .collect()
}

#[test]
fn a_stage_s_parameters_override_those_of_its_profile() {
    let settings = settings();
    assert_eq!(
        shown(&settings.parameters_of(&stage("dev"))),
        [
            "endpoint = https://own.example.com (stages.dev)",
            "env = dev (profiles.development)",
            "key = secretsmanager:dev#key (stages.dev)",
            "more = 1 (stages.dev)",
        ]
    );
    let profile = "key = a secret (profiles.development)";
    assert_eq!(shown(&settings.parameters_of(&stage("feature-x")))[2], profile);
}

#[test]
fn a_stage_is_found_whatever_the_case_of_its_name() {
    let settings = settings();
    let own = "key = a secret (stages.Staging)";
    assert_eq!(shown(&settings.parameters_of(&stage("staging")))[2], own);
}

#[test]
fn a_stage_that_is_not_configured_keeps_the_profile_it_was_made_with() {
    let settings = settings();
    let old: ProfileName = "old".parse().expect("a profile");
    let gone: ProfileName = "gone".parse().expect("a profile");
    let kept = |name: &str, kept: &ProfileName| settings.profile_kept(&stage(name), kept).0.clone();
    assert_eq!(kept("feature-x", &old), old);
    assert_eq!(kept("feature-x", &gone).as_str(), "development");
    // a configured stage has the profile that the file gives it
    assert_eq!(kept("dev", &old).as_str(), "development");
    let parameters = settings.parameters_with(&old, &stage("feature-x"));
    assert_eq!(shown(&parameters), ["env = old (profiles.old)"]);
    let service = "tasks".parse().expect("a service");
    let region = &settings.regions_with(&old, &stage("feature-x"), &service)[0];
    assert_eq!(region.as_str(), "eu-central-1");
}

#[test]
fn settings_stored_before_there_were_services_are_read() {
    let mut shown = serde_json::to_value(settings()).expect("plain data");
    let root = shown.as_object_mut().expect("a map");
    root.remove("services").expect("it was there");
    root.remove("concurrency").expect("it was there");
    let dev = root["stages"]["dev"].as_object_mut().expect("a map");
    dev.retain(|key, _| key == "profile");
    let stored: Settings = serde_json::from_value(shown).expect("older settings can be read");
    assert!(stored.services.is_empty() && stored.concurrency.is_none());
}
