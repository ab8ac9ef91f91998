//! The policies on templates of the Serverless Application Model and of the CDK, which have no
//! state of the Serverless Framework beside them.

use super::*;

const SAM: &str = "
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Runtime: nodejs22.x
    Environment: { Variables: { STAGE: dev } }
    VpcConfig: { SecurityGroupIds: [sg-1], SubnetIds: [subnet-1, subnet-2] }
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub '${AWS::StackName}-Hello'
      Description: Answers the greeting of the shop at its door.
      Events: { Get: { Type: HttpApi } }
  Upload:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub '${AWS::StackName}-Upload'
      Description: Makes a small picture of every large one.
      DeadLetterQueue: { Type: SQS, TargetArn: !GetAtt Dead.Arn }
      Policies: [AWSLambdaBasicExecutionRole, { Statement: [{ Effect: Allow, Action: 's3:GetObject', Resource: 'arn:aws:s3:::pictures/*' }] }]
      Events: { Stored: { Type: S3 } }
";

fn template_policies() -> Value {
    json!([
        { "policy": "allowed-runtimes", "level": "error", "config": ["nodejs22.x"] },
        { "policy": "no-wild-iam-role-statements", "level": "error" },
        { "policy": "no-secret-env-vars", "level": "error" },
        { "policy": "require-dlq", "level": "error" },
        { "policy": "require-description", "level": "error" },
        { "policy": "require-global-vpc", "level": "error" },
        { "policy": "allowed-function-names", "level": "error", "config": "${SERVICE}-${STAGE}-${FUNCTION}" },
    ])
}

#[test]
fn a_sam_service_can_hold_to_every_policy() {
    assert_eq!(Example::of(SAM).told(&template_policies()), "");
}

#[test]
fn what_sam_says_for_all_functions_counts_for_each() {
    let broken = SAM
        .replace("nodejs22.x", "nodejs16.x")
        .replace("STAGE: dev", "DATABASE: 'postgres://shop:hunter2@db/shop'")
        .replace("[subnet-1, subnet-2]", "[subnet-1]")
        .replace("DeadLetterQueue: { Type: SQS, TargetArn: !GetAtt Dead.Arn }", "Timeout: 3")
        .replace("arn:aws:s3:::pictures/*", "*");
    insta::with_settings!({ snapshot_path => "words", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("sam", Example::of(&broken).told(&template_policies()));
    });
}

#[test]
fn functions_that_a_framework_adds_are_not_asked_for_what_nobody_can_give_them() {
    let example = Example::of(
        "
Resources:
  CustomS3AutoDeleteObjectsCustomResourceProviderHandler9D90184F:
    Type: AWS::Lambda::Function
    Metadata: { 'aws:cdk:path': 'shop/Custom::S3AutoDeleteObjectsCustomResourceProvider/Handler' }
    Properties: { Runtime: nodejs20.x }
  CustomDashresourceDashexistingDashs3LambdaFunction:
    Type: AWS::Lambda::Function
    Properties: { FunctionName: shop-dev-custom-resource-existing-s3, Runtime: nodejs20.x }
",
    );
    assert_eq!(example.told(&template_policies()), "");
}

#[test]
fn a_function_of_ones_own_gains_nothing_from_a_frameworks_name() {
    let example = Example {
        state: Some(json!({ "functions": { "custom-resource-x": {} } })),
        ..Example::of(
            "Resources: { CustomDashresourceDashxLambdaFunction: { Type: AWS::Lambda::Function } }",
        )
    };
    assert_eq!(example.found(&safeguard("require-description", &Value::Null)).len(), 1);
}
