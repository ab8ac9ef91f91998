//! What the server decides about services, single stages and rules.

use rstest::rstest;

use super::*;
use crate::ServiceName;
use crate::app::{Concurrency, PreviewDeploy, RemoteParameter};

const OWN: &str = r#"app: workshop
repository: acme/workshop
default_profile: development
concurrency: 4
profiles:
  development:
    role_arn: arn:aws:iam::111111111111:role/greenroom-deploy
    region: us-east-1
    parameters:
      env: dev
      key: { ssm: /workshop/dev/key }
services:
  restapi: { regions: [us-east-1, eu-west-1] }
stages:
  dev:
    profile: development
    parameters:
      endpoint: https://own.example.com
      key: { secret_env: OWN_KEY }
      other: { secretsmanager: 'workshop/dev#other' }
    services:
      restapi: { regions: [eu-west-1] }
  staging: { profile: development }
rules:
  - { branch: master, stage: staging }
  - { branch: 'release/*', stage: staging, services: [restapi, tasks] }
  - { branch: 'release/*', stage: dev }
  - { tag: 'v*', stage: staging, services: [restapi] }
  - preview: { base: [master, 'release/*'], services: [restapi], deploy: all }
"#;

fn own() -> AppFile {
    parse_yaml(OWN).unwrap_or_else(|problems| panic!("{problems:?}"))
}

#[test]
fn concurrency_services_and_a_stage_s_own_settings_are_read() {
    let AppFile { settings, secrets, .. } = own();
    assert_eq!(settings.concurrency.map(Concurrency::get), Some(4));
    let restapi: ServiceName = "restapi".parse().expect("a service");
    assert_eq!(settings.services[&restapi].regions.len(), 2);
    let stage: StageName = "dev".parse().expect("a stage");
    let dev = &settings.stages[&stage];
    assert_eq!(dev.services[&restapi].regions.len(), 1);
    assert_eq!(dev.parameters[&key("endpoint")], Value::Plain("https://own.example.com".into()));
    let other =
        RemoteParameter::SecretsManager { id: "workshop/dev".into(), key: Some("other".into()) };
    assert_eq!(dev.parameters[&key("other")], Value::Remote(other));
    let far = &settings.profiles[&development()].parameters[&key("key")];
    assert_eq!(*far, Value::Remote(RemoteParameter::Ssm { name: "/workshop/dev/key".into() }));
    // what lies in AWS is no secret of ours
    let places: Vec<_> = secrets.into_keys().collect();
    assert_eq!(places, [(SecretPlace::Stage(stage), key("key"))]);
}

#[test]
fn rules_may_have_globs_and_services_and_share_a_branch() {
    let rules = own().settings.rules;
    let shown: Vec<String> =
        rules.iter().map(|rule| serde_json::to_string(rule).expect("plain data")).collect();
    assert_eq!(
        shown,
        [
            r#"{"branch":"master","stage":"staging","trigger":"auto"}"#,
            r#"{"branch":"release/*","stage":"staging","trigger":"auto","services":["restapi","tasks"]}"#,
            r#"{"branch":"release/*","stage":"dev","trigger":"auto"}"#,
            r#"{"tag":"v*","stage":"staging","trigger":"auto","services":["restapi"]}"#,
            r#"{"preview":{"base":["master","release/*"],"stage_name":"branch","services":["restapi"],"deploy":"all","destroy":"branch-deleted"}}"#,
        ]
    );
    let Some(Rule::Preview { preview }) = example().settings.rules.pop() else {
        panic!("the last rule is a preview's")
    };
    assert_eq!((preview.deploy, preview.services), (PreviewDeploy::Changed, None));
}

#[test]
fn a_file_with_everything_can_be_sent_back_as_it_was_answered() {
    let settings = own().settings;
    let shown = serde_json::to_value(&settings).expect("plain data");
    assert_eq!(shown["concurrency"], json!(4));
    let parameters = &shown["stages"]["dev"]["parameters"];
    assert_eq!(parameters["other"], json!({ "secretsmanager": "workshop/dev#other" }));
    assert_eq!(
        shown["profiles"]["development"]["parameters"]["key"],
        json!({ "ssm": "/workshop/dev/key" })
    );
    let again = parse_json(&shown).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(again.settings, settings);
    let stored: Settings = serde_json::from_value(shown).expect("what is stored can be read");
    assert_eq!(stored, settings);
}

#[rstest]
#[case("concurrency: 4", "concurrency: 0", "app.yml:4: concurrency: this must be a whole number")]
#[case("concurrency: 4", "concurrency: 1001", "app.yml:4: concurrency: this must be a whole")]
#[case("concurrency: 4", "concurrency: many", "app.yml:4: concurrency: this must be a whole")]
#[case("concurrency: 4", "concurrency: [4]", "app.yml:4: concurrency: this must be a whole")]
#[case(
    "regions: [us-east-1, eu-west-1]",
    "regions: []",
    "app.yml:13: services.restapi.regions: list at least one region, or remove the service"
)]
#[case(
    "restapi: { regions: [us-east-1, eu-west-1] }",
    "restapi: {}",
    "app.yml:13: services.restapi: `regions` is missing; list where the service is deployed"
)]
#[case(
    "regions: [us-east-1, eu-west-1]",
    "regions: [us-east-1, eu-west-1, us-east-1]",
    "app.yml:13: services.restapi.regions: us-east-1 is listed twice; remove one"
)]
#[case(
    "regions: [us-east-1, eu-west-1]",
    "regions: [Ohio]",
    "app.yml:13: services.restapi.regions[0]: \"Ohio\" is not a valid AWS region"
)]
#[case(
    "regions: [us-east-1, eu-west-1]",
    "region: us-east-1",
    "app.yml:13: services.restapi.region: this key is not known here; known are regions"
)]
#[case(
    "restapi: { regions: [eu-west-1] }",
    "rest/api: { regions: [eu-west-1] }",
    "app.yml:22: stages.dev.services.rest/api: \"rest/api\" is not a valid service name"
)]
#[case(
    "restapi: { regions: [eu-west-1] }",
    "restapi: { regions: [] }",
    "app.yml:22: stages.dev.services.restapi.regions: list at least one region"
)]
#[case(
    "endpoint: https://own.example.com",
    "endpoint:",
    "app.yml:18: stages.dev.parameters.endpoint: this parameter has no value"
)]
#[case(
    "endpoint: https://own.example.com\n      key: { secret_env: OWN_KEY }",
    "en-v: a\n      en.v: b",
    "app.yml:19: stages.dev.parameters.en.v: steps would see this and `en-v` as one environment"
)]
#[case(
    "branch: 'release/*', stage: dev",
    "branch: 'release/*', stage: staging",
    "app.yml:27: rules[2]: rules[1] is for branch release/* and stage staging already"
)]
#[case(
    "tag: 'v*', stage: staging, services: [restapi]",
    "tag: 'v*', stage: dev }\n  - { tag: 'v*', stage: dev",
    "app.yml:29: rules[4]: rules[3] is for tag v* and stage dev already"
)]
#[case(
    "base: [master, 'release/*']",
    "base: ['release/*', 'release/*']",
    "app.yml:29: rules[4]: rules[4] is for pull requests against release/* already"
)]
fn a_mistake_in_what_the_server_decides_is_named_with_its_place(
    #[case] from: &str,
    #[case] to: &str,
    #[case] expected: &str,
) {
    assert!(OWN.contains(from), "{from:?}");
    let problems = parse_yaml(&OWN.replacen(from, to, 1)).expect_err("it has a mistake");
    let shown: Vec<String> = problems.iter().map(|problem| problem.located("app.yml")).collect();
    assert!(shown[0].starts_with(expected), "{shown:?}");
}

#[test]
fn a_stage_s_parameter_may_not_share_a_variable_with_another_of_its_profile() {
    let text = OWN
        .replace("endpoint: https://own.example.com", "en-v: x")
        .replace("env: dev", "en.v: dev");
    let problems = parse_yaml(&text).expect_err("steps would see one variable");
    assert_eq!(
        problems[0].located("app.yml"),
        "app.yml:18: stages.dev.parameters.en-v: steps would see this and `en.v` as one environment variable, en_v; rename one"
    );
}

#[test]
fn the_difference_shows_every_new_key() {
    let before = parse_yaml(&OWN.replace("concurrency: 4\n", "")).expect("it is right").settings;
    let text = OWN
        .replace("concurrency: 4", "concurrency: 8")
        .replace("regions: [us-east-1, eu-west-1]", "regions: [us-east-1]")
        .replace("own.example.com", "other.example.com")
        .replace("workshop/dev#other", "workshop/dev#more")
        .replace("restapi: { regions: [eu-west-1] }", "tasks: { regions: [eu-west-1] }")
        .replace("services: [restapi, tasks]", "services: [tasks]");
    let after = parse_yaml(&text).unwrap_or_else(|problems| panic!("{problems:?}")).settings;
    let shown: Vec<String> = diff(Some(&before), &after).iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "+ concurrency: 8",
            r#"~ rules[1]: {"branch":"release/*","services":["restapi","tasks"],"stage":"staging","trigger":"auto"} -> {"branch":"release/*","services":["tasks"],"stage":"staging","trigger":"auto"}"#,
            r#"~ services.restapi.regions: ["us-east-1","eu-west-1"] -> ["us-east-1"]"#,
            "~ stages.dev.parameters.endpoint: https://own.example.com -> https://other.example.com",
            "~ stages.dev.parameters.other.secretsmanager: workshop/dev#other -> workshop/dev#more",
            r#"- stages.dev.services.restapi.regions: ["eu-west-1"]"#,
            r#"+ stages.dev.services.tasks.regions: ["eu-west-1"]"#,
        ]
    );
}

#[test]
fn the_example_of_the_reference_is_right() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/app-file.md"));
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let file = parse_yaml(example.expect("an example")).unwrap_or_else(|found| panic!("{found:?}"));
    assert!(file.warnings.is_empty(), "{:?}", file.warnings);
}
