//! How much of a role one session gets. Pure.
//!
//! A session policy can only take away: a role without these rights does not gain them.

/// How much of the role a session gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionScope {
    /// All that the role's policies allow: deploy, roll back, recover, remove.
    Whole,
    /// Only reading what resolving a template and foreseeing its change needs: package.
    ReadMostly,
    /// Only looking at stacks and their templates, without a secret: a commit's commands run with
    /// it that the stage has not seen yet. For foreseeing what it would change there.
    ReadOnly,
    /// Looking at stacks and at their resources, to compare the two, without a secret and without
    /// what the apps keep. No command of a commit runs with it: drift and sweep.
    Inspect,
}

/// What a `package` job may do at most: look values up, have CloudFormation work out a change,
/// and lay a large template where CloudFormation reads it for that. It executes no change set,
/// and writes no template that a deploy reads (those lie below `greenroom/deploy/`). The two
/// tag rights are no calls of their own: CloudFormation asks for them when a change set has tags.
const READ_MOSTLY: [&str; 15] = [
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:Describe*",
    "cloudformation:Get*",
    "cloudformation:List*",
    "cloudformation:TagResource",
    "cloudformation:UntagResource",
    "cloudformation:ValidateTemplate",
    "ec2:Describe*",
    "kms:Decrypt",
    "s3:Get*",
    "s3:List*",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter*",
    "sts:GetCallerIdentity",
];

/// Enough for `${cf:…}` and `${aws:…}`, and to compare the deployed template with the new one.
const READ_ONLY: [&str; 6] = [
    "cloudformation:Describe*",
    "cloudformation:Get*",
    "cloudformation:List*",
    "cloudformation:ValidateTemplate",
    "ec2:Describe*",
    "sts:GetCallerIdentity",
];

/// CloudFormation reads each resource with the rights of whoever has the drift detected
/// (CloudFormation user guide, "Detect drift": considerations); of a resource that these do not
/// cover it says that it could not be compared. Values of parameters and secrets are never read,
/// nor are objects, items and messages.
const INSPECT: [&str; 38] = [
    "apigateway:GET",
    "appsync:Get*",
    "cloudformation:BatchDescribe*",
    "cloudformation:Describe*",
    "cloudformation:DetectStack*",
    "cloudformation:Get*",
    "cloudformation:List*",
    "cloudfront:Get*",
    "cloudwatch:Describe*",
    "cognito-idp:Describe*",
    "cognito-idp:Get*Config*",
    "dynamodb:Describe*",
    "dynamodb:List*",
    "ec2:Describe*",
    "events:Describe*",
    "events:List*",
    "iam:Get*",
    "iam:List*",
    "kinesis:Describe*",
    "kms:DescribeKey",
    "kms:GetKey*",
    "kms:List*",
    "lambda:Get*",
    "lambda:List*",
    "logs:Describe*",
    "logs:List*",
    "rds:Describe*",
    "s3:Get*Configuration",
    "s3:GetBucket*",
    "secretsmanager:DescribeSecret",
    "sns:Get*",
    "sns:List*",
    "sqs:GetQueueAttributes",
    "sqs:List*",
    "ssm:DescribeParameters",
    "states:Describe*",
    "states:List*",
    "sts:GetCallerIdentity",
];

/// The policy of a session in the partition (`aws`, `aws-cn`, …); none when it gets the whole role.
pub(super) fn policy(scope: SessionScope, partition: &str) -> Option<String> {
    match scope {
        SessionScope::Whole => None,
        SessionScope::ReadMostly => {
            let place = format!(
                r#",{{"Effect":"Allow","Action":["s3:PutObject","s3:DeleteObject"],"Resource":"arn:{partition}:s3:::*/greenroom/look/*"}}"#
            );
            Some(allowing(&READ_MOSTLY, &place))
        }
        SessionScope::ReadOnly => Some(allowing(&READ_ONLY, "")),
        SessionScope::Inspect => Some(allowing(&INSPECT, "")),
    }
}

fn allowing(actions: &[&str], more: &str) -> String {
    let actions: Vec<String> = actions.iter().map(|action| format!("\"{action}\"")).collect();
    let actions = actions.join(",");
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":[{actions}],"Resource":"*"}}{more}]}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// STS's limit of a session policy is 2048 (STS API reference, `AssumeRole`), and a lower one
    /// that nobody can compute holds for what it makes of policy and tags together.
    const LONGEST: usize = 1200;

    fn read(scope: SessionScope) -> (serde_json::Value, Vec<String>) {
        let policy = policy(scope, "aws-cn").expect("a policy");
        assert!(policy.len() <= LONGEST, "{scope:?}: {}", policy.len());
        let policy: serde_json::Value = serde_json::from_str(&policy).expect("JSON");
        let actions = policy["Statement"][0]["Action"].as_array().expect("actions");
        let actions = actions.iter().map(|action| action.as_str().expect("text").to_owned());
        let actions = actions.collect();
        (policy, actions)
    }

    #[test]
    fn a_package_session_reads_and_foresees_and_executes_nothing() {
        let (policy, actions) = read(SessionScope::ReadMostly);
        for needed in
            ["cloudformation:CreateChangeSet", "ssm:GetParameter*", "secretsmanager:GetSecretValue"]
        {
            assert!(actions.iter().any(|action| action == needed), "{needed}");
        }
        for power in ["Execute", "CreateStack", "UpdateStack", "DeleteStack", "PassRole", "s3:Put"]
        {
            assert!(!actions.iter().any(|action| action.contains(power)), "{power}");
        }
        let place = &policy["Statement"][1]["Resource"];
        assert_eq!(place, "arn:aws-cn:s3:::*/greenroom/look/*");
    }

    #[test]
    fn sessions_that_only_look_change_nothing_and_see_no_secret_and_no_data() {
        for scope in [SessionScope::ReadOnly, SessionScope::Inspect] {
            let (policy, actions) = read(scope);
            assert_eq!(policy["Statement"].as_array().map(Vec::len), Some(1), "{scope:?}");
            for power in [
                "Change",
                "Create",
                "Update",
                "Delete",
                "Put",
                "Pass",
                "Tag",
                "Execute",
                "Decrypt",
                "GetParameter",
                "GetSecretValue",
                "GetObject",
                "GetItem",
                "Receive",
                "s3:Get*\"",
            ] {
                let held = actions.iter().find(|action| action.contains(power));
                assert_eq!(held, None, "{scope:?}: {power}");
            }
            for data in ["s3:Get*", "s3:*", "dynamodb:Get*", "sqs:*", "ssm:Get*", "kms:*"] {
                assert!(!actions.iter().any(|action| action == data), "{scope:?}: {data}");
            }
        }
        assert!(read(SessionScope::Inspect).1.iter().any(|one| one.ends_with(":DetectStack*")));
    }

    #[test]
    fn a_commit_that_is_only_foreseen_sees_no_resources() {
        let (_, actions) = read(SessionScope::ReadOnly);
        assert!(!actions.iter().any(|action| action.starts_with("lambda:")), "{actions:?}");
        assert!(!actions.iter().any(|action| action.contains("Drift")), "{actions:?}");
    }

    #[test]
    fn a_deploy_session_gets_the_whole_role() {
        assert_eq!(policy(SessionScope::Whole, "aws"), None);
    }
}
