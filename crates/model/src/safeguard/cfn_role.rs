//! `require-cfn-role`: CloudFormation deploys as a role of its own, not as whoever calls it.

use super::{View, Violation};

pub(super) fn check(view: &View<'_>) -> Vec<Violation> {
    let given = view.subject.deployment_role.is_some_and(|role| !role.is_empty());
    if given || view.state.has_deployment_role() {
        return Vec::new();
    }
    let (place, remedy) = if view.state.is_known() {
        (
            "provider.iam.deploymentRole",
            "write the ARN of a role that CloudFormation may assume as `provider.iam.deploymentRole` in serverless.yml",
        )
    } else {
        (
            "deployment role",
            "give the deploy the ARN of a role that CloudFormation may assume: `role_arn` in samconfig.toml for SAM; for the CDK, bootstrap the account with an execution role",
        )
    };
    vec![Violation {
        place: place.to_owned(),
        problem: "CloudFormation is given no role of its own for the deploy".to_owned(),
        remedy: remedy.to_owned(),
    }]
}
