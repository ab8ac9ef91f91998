//! The configuration of each policy: what it may be, and what is said of anything else.

use std::collections::BTreeSet;

use super::*;

/// One example of each policy, as it is written and as it is shown; it is shown again the same.
#[rstest]
#[case(Policy::AllowedRegions, "[us-east-1, eu-west-1]", json!(["us-east-1", "eu-west-1"]))]
#[case(Policy::AllowedStages, "[dev, prod]", json!(["dev", "prod"]))]
#[case(Policy::AllowedStages, "'(prod|qa|dev-.*)'", json!("(prod|qa|dev-.*)"))]
#[case(Policy::AllowedRuntimes, "[nodejs22.x]", json!(["nodejs22.x"]))]
#[case(Policy::AllowedRuntimes, "node.*", json!("node.*"))]
#[case(Policy::FrameworkVersion, "'>=1.44.0 <2.0.0'", json!(">=1.44.0 <2.0.0"))]
#[case(Policy::FrameworkVersion, "{ cdk: ^2, serverless: '3 || 4' }", json!({ "cdk": "^2", "serverless": "3 || 4" }))]
#[case(Policy::RequiredStackTags, "{ team: '.+', cost: 7 }", json!({ "team": ".+", "cost": "7" }))]
#[case(Policy::NoWildIamRoleStatements, "", json!(null))]
#[case(Policy::NoSecretEnvVars, "", json!(null))]
#[case(Policy::RequireCfnRole, "", json!(null))]
#[case(Policy::RequireDlq, "", json!(null))]
#[case(Policy::RequireDescription, "", json!(null))]
#[case(Policy::RequireDescription, "{ minLength: 50 }", json!({ "minLength": 50, "maxLength": 256 }))]
#[case(Policy::RequireDescription, "{ maxLength: 20 }", json!({ "minLength": 20, "maxLength": 20 }))]
#[case(Policy::RequireGlobalVpc, "", json!(null))]
#[case(Policy::RequireGlobalVpc, "{ minNumSubnets: 1 }", json!({ "minNumSubnets": 1 }))]
#[case(Policy::AllowedFunctionNames, "'${SERVICE}-${STAGE}-${FUNCTION}'", json!("${SERVICE}-${STAGE}-${FUNCTION}"))]
#[case(Policy::ForbidS3HttpAccess, "", json!(null))]
#[case(Policy::RestrictedDeployTimes, "{ time: 2019-12-25, duration: P1D, interval: P1Y }", json!({ "time": "2019-12-25", "duration": "P1D", "interval": "P1Y" }))]
#[case(Policy::RestrictedDeployTimes, "[{ time: '2019-09-29T18:20', duration: P2DT30M }, { time: 2019-03-08 12:00:00+01:00, duration: PT1H }]", json!([{ "time": "2019-09-29T18:20", "duration": "P2DT30M" }, { "time": "2019-03-08 12:00:00+01:00", "duration": "PT1H" }]))]
#[case(Policy::NoReplacement, "", json!(null))]
#[case(Policy::NoReplacement, "{ also: [AWS::Logs::LogGroup], except: [AWS::SQS::Queue] }", json!({ "also": ["AWS::Logs::LogGroup"], "except": ["AWS::SQS::Queue"] }))]
fn a_right_configuration_is_kept(
    #[case] policy: Policy,
    #[case] written: &str,
    #[case] shown: Value,
) {
    let written = format!("{{ policy: {}, level: error, config: {written} }}", policy.as_str());
    let file = right(&written);
    let safeguard = &of_development(&file.settings)[0];
    assert_eq!(safeguard.policy(), policy);
    let stored = serde_json::to_value(safeguard).expect("plain data");
    assert_eq!(stored.get("config").cloned().unwrap_or_default(), shown);
    let again: Safeguard = serde_json::from_value(stored).expect("what is stored can be read");
    assert_eq!(again, *safeguard);
}

#[rstest]
#[case("allowed-regions", "", "`config` is missing; list the regions, like [us-east-1]")]
#[case(
    "allowed-stages",
    "",
    "`config` is missing; list the stages, like [dev, prod], or write a pattern"
)]
#[case("allowed-runtimes", "", "`config` is missing; list the runtimes")]
#[case("framework-version", "", "`config` is missing; write the versions that are allowed")]
#[case("required-stack-tags", "", "`config` is missing; name the tags and their patterns")]
#[case("allowed-function-names", "", "`config` is missing; write a pattern")]
#[case("restricted-deploy-times", "", "`config` is missing; write when")]
fn a_configuration_that_is_missing_is_asked_for(
    #[case] policy: &str,
    #[case] config: &str,
    #[case] expected: &str,
) {
    let shown = located(
        &with(&format!("{{ policy: {policy}, level: error, config: {config} }}"))
            .expect_err("its configuration is missing"),
    );
    let place = "app.yml:14: profiles.development.safeguards[0]: ";
    assert!(shown.len() == 1 && shown[0].starts_with(&format!("{place}{expected}")), "{shown:?}");
}

#[rstest]
#[case("allowed-regions", "us-east-1", "", "this must be a list, and is text")]
#[case(
    "allowed-regions",
    "[]",
    "",
    "the list is empty, so nothing could be deployed; name at least one"
)]
#[case(
    "allowed-regions",
    "[us-east-1, Virginia]",
    "[1]",
    "\"Virginia\" is not a valid AWS region: write it like us-east-1"
)]
#[case("allowed-stages", "{ a: b }", "", "this must be a list, and is a map")]
#[case(
    "allowed-stages",
    "'('",
    "",
    "this is no regular expression that can be read (unclosed group)"
)]
#[case(
    "allowed-stages",
    "'a)|(b'",
    "",
    "this is no regular expression that can be read (unopened group)"
)]
#[case(
    "allowed-runtimes",
    "'(?!python).*'",
    "",
    "this is no regular expression that can be read (look-around"
)]
#[case(
    "framework-version",
    "'latest'",
    "",
    "\"latest\" is no range of versions; write one like '>=3.40.0 <5.0.0' or '^3 || ^4'"
)]
#[case(
    "framework-version",
    "{ sls: 3 }",
    ".sls",
    "this key is not known here; known are serverless, osls, sam, cdk"
)]
#[case(
    "framework-version",
    "{}",
    "",
    "no version is named; write one, like { serverless: '>=3', cdk: '^2' }"
)]
#[case("required-stack-tags", "[team]", "", "this must be a map, and is a list")]
#[case("required-stack-tags", "{}", "", "no tag is named; write at least one, like { team: '.+' }")]
#[case(
    "required-stack-tags",
    "{ team: '[' }",
    ".team",
    "this is no regular expression that can be read (unclosed character class)"
)]
#[case("require-dlq", "true", "", "require-dlq takes no configuration; remove this")]
#[case("no-secret-env-vars", "{}", "", "no-secret-env-vars takes no configuration; remove this")]
#[case(
    "require-description",
    "{ minLength: 300 }",
    ".minLength",
    "this must be a whole number from 1 to 256"
)]
#[case(
    "require-description",
    "{ minLength: 20, maxLength: 10 }",
    "",
    "minLength is 20 and maxLength 10, so no description fits; make minLength the smaller one"
)]
#[case(
    "require-description",
    "{ min: 3 }",
    ".min",
    "this key is not known here; known are minLength, maxLength"
)]
#[case(
    "require-global-vpc",
    "{ minNumSubnets: none }",
    ".minNumSubnets",
    "this must be a whole number from 1 to 16"
)]
#[case(
    "allowed-function-names",
    "'${APP}-x'",
    "",
    "`${APP}` is not known here; known are ${SERVICE}, ${STAGE} and ${FUNCTION}"
)]
#[case(
    "restricted-deploy-times",
    "{ duration: P1D }",
    "",
    "`time` is missing; write when it begins"
)]
#[case(
    "restricted-deploy-times",
    "{ time: 2026-12-24 }",
    "",
    "`duration` is missing; write how long it lasts"
)]
#[case(
    "restricted-deploy-times",
    "[]",
    "",
    "the list is empty; write at least one time, or remove the safeguard"
)]
#[case(
    "restricted-deploy-times",
    "{ time: christmas, duration: P1D }",
    ".time",
    "\"christmas\" is no time; write one like 2026-12-24"
)]
#[case(
    "restricted-deploy-times",
    "{ time: 2026-02-30, duration: P1D }",
    ".time",
    "\"2026-02-30\" is no time"
)]
#[case(
    "restricted-deploy-times",
    "{ time: 2026-12-24, duration: 3 days }",
    ".duration",
    "\"3 days\" is no length of time; write one like P3D, P1W, PT12H or P1Y"
)]
#[case(
    "restricted-deploy-times",
    "{ time: 2019-09-29T18:20, duration: P2D30M }",
    ".duration",
    "\"P2D30M\" is no length of time; hours, minutes and seconds stand behind a T, as in P2DT30M"
)]
#[case(
    "restricted-deploy-times",
    "[{ time: 2026-12-24, duration: P1W, interval: P7D }]",
    "[0]",
    "the interval P7D is not longer than the duration P1W, so nothing could be deployed ever after; write a longer interval"
)]
#[case(
    "no-replacement",
    "{ also: [Table] }",
    ".also[0]",
    "this must be a resource type, like AWS::Logs::LogGroup"
)]
#[case("no-replacement", "[AWS::Logs::LogGroup]", "", "this must be a map, and is a list")]
fn a_mistake_in_a_configuration_is_named_with_its_line_and_key(
    #[case] policy: &str,
    #[case] config: &str,
    #[case] key: &str,
    #[case] expected: &str,
) {
    let shown = located(
        &with(&format!("{{ policy: {policy}, level: error, config: {config} }}"))
            .expect_err("it has a mistake"),
    );
    let expected =
        format!("app.yml:14: profiles.development.safeguards[0].config{key}: {expected}");
    assert!(shown.len() == 1 && shown[0].starts_with(&expected), "{shown:?}\n{expected}");
}

#[test]
fn a_stored_safeguard_that_is_not_right_says_what_is_wrong() {
    let stored = json!({ "policy": "allowed-regions", "level": "error", "config": ["x"] });
    let error = serde_json::from_value::<Safeguard>(stored).expect_err("x is no region");
    assert_eq!(
        error.to_string(),
        "safeguard allowed-regions: [0]: \"x\" is not a valid AWS region: write it like us-east-1"
    );
}

#[test]
fn every_example_of_the_documentation_is_right() {
    let page = include_str!("../../../../../../docs/safeguards.md");
    let examples = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut policies = BTreeSet::new();
    for example in examples.filter(|example| example.starts_with("- ")) {
        let file =
            right(example.trim_start_matches("- ").trim_end().replace('\n', "\n      ").as_str());
        policies.extend(of_development(&file.settings).iter().map(|one| one.policy().as_str()));
    }
    let all: BTreeSet<&str> = POLICIES.into_iter().map(|(word, _)| word).collect();
    assert_eq!(policies, all);
}
