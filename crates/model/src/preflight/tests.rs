//! Every limit at its edge and beyond it, in the words a user reads.

use rstest::rstest;
use serde_json::json;

use super::*;

/// A stack `shop-dev` of a long-lived stage, unless a test says otherwise.
struct Example {
    stack: String,
    stage: &'static str,
    kind: StageKind,
    parameters: BTreeMap<String, String>,
    body_bytes: Option<usize>,
}

impl Default for Example {
    fn default() -> Self {
        Self {
            stack: "shop-dev".to_owned(),
            stage: "dev",
            kind: StageKind::LongLived,
            parameters: BTreeMap::new(),
            body_bytes: None,
        }
    }
}

impl Example {
    fn found(&self, template: &Value) -> Vec<Finding> {
        let (stage, region) =
            (self.stage.parse().expect("a stage"), "us-east-1".parse().expect("a region"));
        check(
            template,
            &About {
                stack: &self.stack,
                stage: &stage,
                kind: self.kind,
                region: &region,
                account: None,
                parameters: &self.parameters,
                body_bytes: self.body_bytes,
            },
        )
    }

    /// As a user reads it.
    fn told(&self, template: &Value) -> String {
        let found = self.found(template);
        let lines = found.iter().map(|finding| {
            let Finding { place, problem, remedy, .. } = finding;
            format!("{place}: {problem}; {remedy}\n")
        });
        lines.collect()
    }
}

/// The words are kept beside the tests.
fn words(name: &str, told: &str) {
    insta::with_settings!({ snapshot_path => "words", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, told);
    });
}

fn told(template: &Value) -> String {
    Example::default().told(template)
}

fn resource(kind: &str, properties: &Value) -> Value {
    json!({ "Resources": { "It": { "Type": kind, "Properties": properties } } })
}

#[rstest]
#[case("AWS::Lambda::Function", "FunctionName", 64)]
#[case("AWS::Serverless::Function", "FunctionName", 64)]
#[case("AWS::Lambda::LayerVersion", "LayerName", 140)]
#[case("AWS::IAM::Role", "RoleName", 64)]
#[case("AWS::IAM::User", "UserName", 64)]
#[case("AWS::IAM::Group", "GroupName", 128)]
#[case("AWS::IAM::Policy", "PolicyName", 128)]
#[case("AWS::IAM::ManagedPolicy", "ManagedPolicyName", 128)]
#[case("AWS::IAM::InstanceProfile", "InstanceProfileName", 128)]
#[case("AWS::DynamoDB::Table", "TableName", 255)]
#[case("AWS::SQS::Queue", "QueueName", 80)]
#[case("AWS::SNS::Topic", "TopicName", 256)]
#[case("AWS::Logs::LogGroup", "LogGroupName", 512)]
#[case("AWS::Events::Rule", "Name", 64)]
#[case("AWS::Events::EventBus", "Name", 256)]
#[case("AWS::Scheduler::Schedule", "Name", 64)]
#[case("AWS::StepFunctions::StateMachine", "StateMachineName", 80)]
#[case("AWS::Kinesis::Stream", "Name", 128)]
#[case("AWS::KinesisFirehose::DeliveryStream", "DeliveryStreamName", 64)]
#[case("AWS::SecretsManager::Secret", "Name", 512)]
#[case("AWS::Cognito::UserPool", "UserPoolName", 128)]
#[case("AWS::ElasticLoadBalancingV2::TargetGroup", "Name", 32)]
#[case("AWS::S3::Bucket", "BucketName", 63)]
fn a_name_may_be_as_long_as_aws_takes_it_and_no_longer(
    #[case] kind: &str,
    #[case] property: &str,
    #[case] most: usize,
) {
    assert_eq!(told(&resource(kind, &json!({ (property): "x".repeat(most) }))), "");
    let found =
        Example::default().found(&resource(kind, &json!({ (property): "x".repeat(most + 1) })));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].place, format!("Resources.It.Properties.{property}"));
    assert_eq!((found[0].check, found[0].level), (Check::Limit, Level::Error));
    let counted = format!("at most {most} characters");
    assert!(found[0].problem.contains(&counted), "{found:?}");
    assert!(found[0].problem.ends_with(&format!("has {} characters", most + 1)), "{found:?}");
    assert!(found[0].remedy.starts_with("take 1 character off"), "{found:?}");
}

#[rstest]
#[case("AWS::Lambda::Function", "FunctionName", "a.b")]
#[case("AWS::IAM::Role", "RoleName", "a/b")]
#[case("AWS::DynamoDB::Table", "TableName", "a/b")]
#[case("AWS::DynamoDB::Table", "TableName", "ab")]
#[case("AWS::SQS::Queue", "QueueName", "a.b")]
#[case("AWS::SNS::Topic", "TopicName", "a:b")]
#[case("AWS::Logs::LogGroup", "LogGroupName", "a:b")]
#[case("AWS::Events::Rule", "Name", "a/b")]
#[case("AWS::StepFunctions::StateMachine", "StateMachineName", "a b")]
#[case("AWS::S3::Bucket", "BucketName", "Pictures")]
#[case("AWS::S3::Bucket", "BucketName", "pic_tures")]
#[case("AWS::S3::Bucket", "BucketName", "ab")]
#[case("AWS::S3::Bucket", "BucketName", "-pictures")]
#[case("AWS::S3::Bucket", "BucketName", "pictures.")]
#[case("AWS::S3::Bucket", "BucketName", "pic..tures")]
#[case("AWS::S3::Bucket", "BucketName", "192.168.5.4")]
#[case("AWS::S3::Bucket", "BucketName", "xn--pictures")]
#[case("AWS::S3::Bucket", "BucketName", "pictures-s3alias")]
fn a_name_of_the_wrong_form_is_found(
    #[case] kind: &str,
    #[case] property: &str,
    #[case] name: &str,
) {
    let found = Example::default().found(&resource(kind, &json!({ (property): name })));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].problem.contains(name), "{found:?}");
}

#[rstest]
#[case("AWS::SQS::Queue", json!({ "QueueName": "orders.fifo" }))]
#[case("AWS::SNS::Topic", json!({ "TopicName": { "Fn::Sub": "${AWS::StackName}.fifo" } }))]
#[case("AWS::Logs::LogGroup", json!({ "LogGroupName": "/aws/lambda/shop-dev-hello_world" }))]
#[case("AWS::S3::Bucket", json!({ "BucketName": { "Fn::Sub": "pictures-${AWS::AccountId}" } }))]
#[case("AWS::S3::Bucket", json!({ "BucketName": { "Fn::Join": ["-", [{ "Ref": "Open" }, "x"]] } }))]
#[case("AWS::StepFunctions::StateMachine", json!({ "StateMachineName": "shop.dev" }))]
#[case("AWS::Lambda::Function", json!({ "FunctionName": "arn:aws:lambda:us-east-1:111111111111:function:x" }))]
#[case("AWS::Lambda::Function", json!({}))]
#[case("AWS::Lambda::Function", json!({ "FunctionName": { "Ref": "AWS::NoValue" } }))]
fn a_right_name_is_none_of_our_business(#[case] kind: &str, #[case] properties: Value) {
    assert_eq!(told(&resource(kind, &properties)), "");
}

#[test]
fn a_preview_s_long_name_is_told_with_what_its_stage_takes() {
    let example = Example {
        stack: "workshop-submissions-ph-a-rather-long-branch-name-1a2b3c".to_owned(),
        stage: "ph-a-rather-long-branch-name-1a2b3c",
        kind: StageKind::Preview,
        ..Example::default()
    };
    let template = json!({ "Resources": {
        "Function": { "Type": "AWS::Lambda::Function", "Properties": {
            "FunctionName": "workshop-submissions-ph-a-rather-long-branch-name-1a2b3c-notifier",
        } },
        // as the Serverless Framework writes it
        "IamRoleLambdaExecution": { "Type": "AWS::IAM::Role", "Properties": { "RoleName": {
            "Fn::Join": ["-", ["workshop-submissions", "ph-a-rather-long-branch-name-1a2b3c", { "Ref": "AWS::Region" }, "lambdaRole"]],
        } } },
    } });
    words("preview", &example.told(&template));
}

#[test]
fn the_other_limits_are_told_in_words() {
    let stage = Example::default();
    let function = json!({ "Resources": { "Hello": { "Type": "AWS::Lambda::Function", "Properties": {
        "FunctionName": { "Fn::Sub": format!("{}-${{Open}}-dev", "x".repeat(70)) },
        "Description": "x".repeat(300),
        "Handler": "x".repeat(129),
        "Layers": ["a", "b", "c", "d", "e", "f"],
        "Environment": { "Variables": {
            "AWS_REGION": "us-east-1", "A": "b", "my-key": "c", "LONG": "x".repeat(4096), "OPEN": { "Ref": "Open" },
        } },
    } } } });
    words("function", &stage.told(&function));

    let roles = json!({ "Resources": {
        "Role": { "Type": "AWS::IAM::Role", "Properties": {
            "AssumeRolePolicyDocument": { "Statement": "x".repeat(2048) },
            "Policies": [{ "PolicyName": "x".repeat(129), "PolicyDocument": { "Statement": "x".repeat(6000) } }],
        } },
        "Beside": { "Type": "AWS::IAM::Policy", "Properties": {
            "PolicyName": "beside", "Roles": [{ "Ref": "Role" }], "PolicyDocument": { "Statement": "x".repeat(6000) },
        } },
        "Managed": { "Type": "AWS::IAM::ManagedPolicy", "Properties": { "PolicyDocument": { "Statement": "x".repeat(6144) } } },
    } });
    words("roles", &stage.told(&roles).replace(&"x".repeat(129), "xxx"));
}

#[test]
fn the_limits_of_a_whole_template_are_told_in_words() {
    let many = |count: usize, value: &Value| -> Value {
        (0..count).map(|number| (format!("N{number}"), value.clone())).collect()
    };
    let template = json!({
        "Description": "x".repeat(1025),
        "Resources": many(501, &json!({ "Type": "AWS::SNS::Topic" })),
        "Outputs": many(201, &json!({ "Value": "{{resolve:ssm:/x}}" })),
        "Parameters": many(201, &json!({ "Type": "String" })),
        "Mappings": many(201, &many(1, &json!({}))),
    });
    let example = Example {
        stack: "1shop".to_owned(),
        parameters: BTreeMap::from([("N1".to_owned(), "x".repeat(4097))]),
        body_bytes: Some(1024 * 1024 + 1),
        ..Example::default()
    };
    words("template", &example.told(&template));
    let edge = json!({
        "Description": "x".repeat(1024),
        "Resources": many(500, &json!({ "Type": "AWS::SNS::Topic" })),
        "Outputs": many(200, &json!({ "Value": "x" })),
        "Parameters": many(200, &json!({ "Type": "String" })),
        "Mappings": many(200, &many(200, &json!({}))),
    });
    let example = Example { body_bytes: Some(1024 * 1024), ..Example::default() };
    assert_eq!(example.told(&edge), "");
}

#[rstest]
#[case("s".repeat(128), 0)]
#[case("s".repeat(129), 1)]
#[case("shop_dev".to_owned(), 1)]
#[case("-shop".to_owned(), 1)]
fn the_stack_s_name_is_looked_at(#[case] stack: String, #[case] findings: usize) {
    let example = Example { stack, ..Example::default() };
    assert_eq!(example.found(&resource("AWS::SNS::Topic", &json!({}))).len(), findings);
}

#[rstest]
// {"KEY":"value"}: 10 bytes around the value
#[case(4096 - 10, 0)]
#[case(4096 - 9, 1)]
fn an_environment_is_measured_as_lambda_measures_it(
    #[case] length: usize,
    #[case] findings: usize,
) {
    let variables = json!({ "Environment": { "Variables": { "KEY": "x".repeat(length) } } });
    let found = Example::default().found(&resource("AWS::Lambda::Function", &variables));
    assert_eq!(found.len(), findings, "{found:?}");
    let quotes =
        json!({ "Environment": { "Variables": { "KEY": "\"".repeat(length / 2 + findings) } } });
    let found = Example::default().found(&resource("AWS::Lambda::Function", &quotes));
    assert_eq!(found.len(), findings);
}

#[rstest]
#[case(json!(["a", "b", "c", "d", "e", { "Fn::If": ["c", "f", { "Ref": "AWS::NoValue" }] }]))]
#[case(json!({ "Ref": "Layers" }))]
fn layers_that_cannot_be_counted_are_not(#[case] layers: Value) {
    assert_eq!(told(&resource("AWS::Lambda::Function", &json!({ "Layers": layers }))), "");
}

#[test]
fn the_indexes_of_a_table_have_names_too() {
    let indexes =
        json!({ "GlobalSecondaryIndexes": [{ "IndexName": "by-user" }, { "IndexName": "i" }] });
    let found = Example::default().found(&resource("AWS::DynamoDB::Table", &indexes));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].place, "Resources.It.Properties.GlobalSecondaryIndexes[1].IndexName");
}

#[test]
fn a_real_package_of_the_serverless_framework_is_within_all_limits() {
    for template in [
        include_str!("../safeguard/tests/osls-good/template.json"),
        include_str!("../safeguard/tests/osls-bad/template.json"),
    ] {
        let template = serde_json::from_str(template).expect("JSON");
        assert_eq!(told(&template), "");
    }
}

#[rstest]
#[case(json!(null))]
#[case(json!({ "Resources": [1], "Outputs": 3, "Mappings": { "a": 1 } }))]
fn what_is_no_template_has_no_resource(#[case] template: Value) {
    let found = Example::default().found(&template);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].place, "Resources");
}
