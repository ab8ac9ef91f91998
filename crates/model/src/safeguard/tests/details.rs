//! The finer points of single policies.

use rstest::rstest;

use super::*;
use crate::app::Policy;

#[test]
fn the_level_is_that_of_the_safeguard_and_both_may_stand_side_by_side() {
    let safeguards = json!([
        { "policy": "allowed-stages", "level": "warning", "config": ["prod"] },
        { "policy": "allowed-stages", "level": "error", "config": "prod|dev" },
        { "policy": "allowed-regions", "level": "error", "config": ["eu-west-1"] },
    ]);
    let found = Example::service().found(&safeguards);
    let levels: Vec<_> = found.iter().map(|finding| (finding.check, finding.level)).collect();
    assert_eq!(
        levels,
        [
            (Check::Safeguard(Policy::AllowedStages), Level::Warning),
            (Check::Safeguard(Policy::AllowedRegions), Level::Error),
        ]
    );
}

#[rstest]
#[case(Some((Tool::Osls, Some("4.3.1"))), json!({ "serverless": "^3" }), 1)]
#[case(Some((Tool::Osls, Some("4.3.1"))), json!({ "serverless": "^3", "osls": "^4" }), 0)]
#[case(Some((Tool::Serverless, Some("3.40.0"))), json!("^3"), 0)]
#[case(Some((Tool::Serverless, None)), json!("^3"), 1)]
#[case(Some((Tool::Serverless, Some("new"))), json!("^3"), 1)]
#[case(Some((Tool::Cdk, Some("2.1148.1"))), json!({ "cdk": "^2" }), 0)]
#[case(Some((Tool::Cdk, Some("3.0.0"))), json!({ "cdk": "^2" }), 1)]
#[case(Some((Tool::Sam, Some("1.170.0"))), json!("^3"), 0)]
#[case(None, json!("^3"), 0)]
fn a_range_is_for_its_framework_alone(
    #[case] framework: Option<(Tool, Option<&'static str>)>,
    #[case] config: Value,
    #[case] findings: usize,
) {
    let framework = framework.map(|(tool, version)| Framework { tool, version });
    let example = Example { framework, ..Example::service() };
    assert_eq!(example.found(&safeguard("framework-version", &config)).len(), findings);
}

#[test]
fn stack_tags_that_the_state_has_elsewhere_are_followed() {
    let state = json!({
        "custom": { "tags": [{ "team": "shop" }] },
        "provider": { "stackTags": { "$ref": "$[\"service\"][\"custom\"][\"tags\"][0]" } },
    });
    let example = Example { state: Some(state), ..Example::service() };
    let config = json!({ "team": "shop", "STAGE": "dev" });
    assert_eq!(example.told(&safeguard("required-stack-tags", &config)), "");
}

#[rstest]
#[case(json!({ "provider": { "cfnRole": "arn:aws:iam::111111111111:role/cfn" } }), 0)]
#[case(json!({ "provider": { "iam": { "deploymentRole": { "Fn::ImportValue": "role" } } } }), 0)]
#[case(json!({ "provider": { "iam": { "deploymentRole": "" } } }), 1)]
#[case(json!({ "provider": "aws" }), 1)]
fn both_spellings_of_the_deployment_role_are_known(#[case] state: Value, #[case] findings: usize) {
    let example = Example { state: Some(state), ..Example::service() };
    assert_eq!(example.found(&safeguard("require-cfn-role", &Value::Null)).len(), findings);
}

#[rstest]
#[case(json!("s3:*"), json!("x"), 1)]
#[case(json!("s3:Get*"), json!("arn:aws:s3:::*"), 1)]
#[case(json!("s3:Get*"), json!("arn:aws:s3:::shop/*"), 0)]
#[case(json!("s3:Get*"), json!("arn:aws:*"), 1)]
#[case(json!("s3:Get*"), json!({ "Fn::If": ["c", "arn:aws:s3:::shop/*", "*"] }), 1)]
#[case(json!("s3:Get*"), json!({ "Ref": "Parameter" }), 0)]
#[case(json!(["xray:PutTraceSegments", "s3:GetObject"]), json!("*"), 1)]
#[case(json!(["cloudwatch:PutMetricData"]), json!(["*"]), 0)]
#[case(json!(["XRAY:puttracesegments"]), json!(["*"]), 0)]
fn wild_is_what_grants_a_whole_service(
    #[case] action: Value,
    #[case] resource: Value,
    #[case] findings: usize,
) {
    let mut example = Example::service();
    example.template = json!({ "Resources": { "Policy": {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": { "PolicyDocument": { "Statement": [
            { "Effect": "Allow", "Action": action, "Resource": resource },
        ] } },
    } } });
    let found = example.found(&safeguard("no-wild-iam-role-statements", &Value::Null));
    assert_eq!(found.len(), findings, "{found:?}");
}

#[test]
fn a_finding_never_repeats_the_credential() {
    let example = Example::of(include_str!("templates/no-secret-env-vars.broken.yml"));
    let told = example.told(&safeguard("no-secret-env-vars", &Value::Null));
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn a_value_given_for_a_parameter_takes_the_place_of_its_default() {
    let mut example = Example::of(include_str!("templates/no-secret-env-vars.broken.yml"));
    example.parameters.insert("Address".into(), "/shop/dev/database".into());
    let told = example.told(&safeguard("no-secret-env-vars", &Value::Null));
    assert!(!told.contains("DATABASE"), "{told}");
}

#[rstest]
#[case(json!([{ "s3": "pictures" }]), 1)]
#[case(json!([{ "httpApi": "*" }, { "eventBridge": {} }]), 1)]
#[case(json!([]), 1)]
#[case(json!(["httpApi"]), 0)]
#[case(json!([{ "schedule": "rate(1 hour)" }, { "sqs": "arn" }]), 0)]
fn the_events_of_serverless_yml_say_whether_a_function_is_asynchronous(
    #[case] events: Value,
    #[case] findings: usize,
) {
    let example = Example {
        state: Some(json!({ "functions": { "hello": { "events": events } } })),
        ..Example::of("Resources: { HelloLambdaFunction: { Type: AWS::Lambda::Function } }")
    };
    assert_eq!(example.found(&safeguard("require-dlq", &Value::Null)).len(), findings);
}

#[rstest]
#[case(json!({ "minLength": 5 }), 0)]
#[case(json!({ "minLength": 6 }), 1)]
#[case(json!({ "minLength": 1, "maxLength": 4 }), 1)]
#[case(json!({ "minLength": 1, "maxLength": 10 }), 0)]
#[case(json!({ "maxLength": 5 }), 0)]
fn the_length_of_a_description_is_set(#[case] config: Value, #[case] findings: usize) {
    let example = Example::of(
        "Resources: { Hello: { Type: AWS::Lambda::Function, Properties: { Description: Hello } } }",
    );
    assert_eq!(example.found(&safeguard("require-description", &config)).len(), findings);
}

#[test]
fn one_subnet_can_be_enough() {
    let example = Example::of(
        "Resources: { Hello: { Type: AWS::Lambda::Function, Properties: { VpcConfig: { SecurityGroupIds: [a], SubnetIds: [b] } } } }",
    );
    assert_eq!(example.told(&safeguard("require-global-vpc", &json!({ "minNumSubnets": 1 }))), "");
    assert_eq!(example.found(&safeguard("require-global-vpc", &Value::Null)).len(), 1);
}

#[test]
fn a_name_that_holds_signs_of_patterns_is_taken_to_the_letter() {
    let mut example = Example::of(
        "Resources: { Hello: { Type: AWS::Lambda::Function, Properties: { FunctionName: shopXdev-Hello } } }",
    );
    example.stage = "dev";
    let config = json!("${SERVICE}.${STAGE}-${FUNCTION}");
    assert_eq!(example.told(&safeguard("allowed-function-names", &config)), "");
    assert_eq!(
        example
            .found(&safeguard("allowed-function-names", &json!("${SERVICE}[.]${STAGE}-.*")))
            .len(),
        1
    );
}

#[test]
fn guarded_types_can_be_added_and_excepted() {
    let change = update(vec![
        changed("Log", "AWS::Logs::LogGroup", Effect::Removed),
        changed("Queue", "AWS::SQS::Queue", Effect::Removed),
    ]);
    let example = Example { change, ..Example::service() };
    let places = |config: Value| {
        let found = example.found(&safeguard("no-replacement", &config));
        found.into_iter().map(|finding| finding.place).collect::<Vec<_>>()
    };
    assert_eq!(places(json!(null)), ["Resources.Queue"]);
    let config = json!({ "also": ["AWS::Logs::LogGroup"], "except": ["AWS::SQS::Queue"] });
    assert_eq!(places(config), ["Resources.Log"]);
}

#[test]
fn the_moment_and_the_change_are_looked_at_again_at_the_deploy() {
    let safeguards: Vec<Safeguard> = serde_json::from_value(json!([
        { "policy": "allowed-regions", "level": "error", "config": ["eu-west-1"] },
        { "policy": "restricted-deploy-times", "level": "error", "config": [{ "time": "2026-12-24", "duration": "P3D" }] },
        { "policy": "no-replacement", "level": "warning" },
    ]))
    .expect("safeguards");
    let change = update(vec![changed("Table", "AWS::DynamoDB::Table", Effect::Removed)]);
    let places = |now, change: &[StackChange]| {
        let found = check_at_deploy(&safeguards, moment(now), change);
        found.into_iter().map(|finding| finding.place).collect::<Vec<_>>()
    };
    assert_eq!(places("2026-12-25T00:00:00Z", &change), ["time of the deploy", "Resources.Table"]);
    assert!(places("2026-12-27T00:00:00Z", &[]).is_empty());
}

#[test]
fn anything_that_is_no_template_is_passed_over() {
    let all = json!([
        { "policy": "allowed-runtimes", "level": "error", "config": ["x"] },
        { "policy": "no-wild-iam-role-statements", "level": "error" },
        { "policy": "no-secret-env-vars", "level": "error" },
        { "policy": "require-dlq", "level": "error" },
        { "policy": "forbid-s3-http-access", "level": "error" },
    ]);
    for template in [
        json!(null),
        json!({ "Resources": [] }),
        json!({ "Resources": { "A": 1, "B": { "Type": 2 }, "Fn::ForEach::X": ["a", [], {}] } }),
        json!({ "Resources": { "R": { "Type": "AWS::IAM::Role", "Properties": { "Policies": "x" } } } }),
    ] {
        let example = Example { template, ..Example::service() };
        assert_eq!(example.told(&all), "");
    }
}
