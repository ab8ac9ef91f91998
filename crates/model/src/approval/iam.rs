//! Which of the resources that change decide who may do what: shown apart, since they are what an
//! approver must not overlook.

use serde::Serialize;

use super::Asked;
use crate::change_set::ResourceChange;
use crate::{Region, ServiceName};

/// Resources that say who may use another resource, beside all of `AWS::IAM` (AWS CloudFormation
/// template reference: resource types that are a policy, a permission or an authorizer, and keys,
/// whose policy is all there is to say who may use them).
const POLICIES: [&str; 27] = [
    "AWS::ApiGateway::Authorizer",
    "AWS::ApiGatewayV2::Authorizer",
    "AWS::CodeArtifact::Domain",
    "AWS::CodeArtifact::Repository",
    "AWS::Cognito::IdentityPoolRoleAttachment",
    "AWS::ECR::RegistryPolicy",
    "AWS::Events::EventBusPolicy",
    "AWS::KMS::Key",
    "AWS::KMS::ReplicaKey",
    "AWS::Kinesis::ResourcePolicy",
    "AWS::Lambda::LayerVersionPermission",
    "AWS::Lambda::Permission",
    "AWS::Logs::ResourcePolicy",
    "AWS::OpenSearchServerless::AccessPolicy",
    "AWS::RAM::ResourceShare",
    "AWS::S3::AccessPoint",
    "AWS::S3::BucketPolicy",
    "AWS::S3ObjectLambda::AccessPointPolicy",
    "AWS::S3Tables::TableBucketPolicy",
    "AWS::SNS::TopicInlinePolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueueInlinePolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SSM::ResourcePolicy",
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::VpcLattice::AuthPolicy",
    "AWS::XRay::ResourcePolicy",
];

/// Whether a resource of this type decides who may do what.
pub fn is_access(resource_type: &str) -> bool {
    resource_type.starts_with("AWS::IAM::")
        || resource_type.starts_with("AWS::SSO::")
        || POLICIES.contains(&resource_type)
}

/// A change of one resource, with where it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Part<'a> {
    pub service: &'a ServiceName,
    pub region: &'a Region,
    pub stack: &'a str,
    #[serde(flatten)]
    pub change: &'a ResourceChange,
}

/// The changes of who may do what, and all others; each in the order it is listed in.
pub fn parts(services: &[Asked]) -> (Vec<Part<'_>>, Vec<Part<'_>>) {
    services.iter().flat_map(of).partition(|part| is_access(&part.change.resource_type))
}

fn of(asked: &Asked) -> impl Iterator<Item = Part<'_>> {
    asked.change.iter().flat_map(move |stack| {
        stack.changes.iter().map(move |change| Part {
            service: &asked.service,
            region: &asked.region,
            stack: &stack.stack,
            change,
        })
    })
}
