//! How much of a role one session gets. Pure.
//!
//! A session policy can only take away: a role without these rights does not gain them.

/// How much of the role a session gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionScope {
    /// All that the role's policies allow: deploy, rollback, remove.
    Whole,
    /// Only reading what resolving a template and foreseeing its change needs: package.
    ReadMostly,
}

/// What a `package` job may do at most: look values up, have CloudFormation work out a change,
/// and lay a large template where CloudFormation reads it for that. It executes no change set,
/// and writes no template that a deploy reads (those lie below `greenroom/deploy/`). The two
/// tag rights are no calls of their own: CloudFormation asks for them when a change set has tags.
const READ: [&str; 15] = [
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

/// The policy of a session in the partition (`aws`, `aws-cn`, …); none when it gets the whole role.
pub(super) fn policy(scope: SessionScope, partition: &str) -> Option<String> {
    match scope {
        SessionScope::Whole => None,
        SessionScope::ReadMostly => {
            let read = READ.map(|action| format!("\"{action}\"")).join(",");
            Some(format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":[{read}],"Resource":"*"}},{{"Effect":"Allow","Action":["s3:PutObject","s3:DeleteObject"],"Resource":"arn:{partition}:s3:::*/greenroom/look/*"}}]}}"#
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// STS's limit of a session policy, before packing (STS API reference, `AssumeRole`).
    const LONGEST: usize = 2048;

    #[test]
    fn a_package_session_reads_and_foresees_and_executes_nothing() {
        let policy = policy(SessionScope::ReadMostly, "aws-cn").expect("a policy");
        assert!(policy.len() <= LONGEST);
        let policy: serde_json::Value = serde_json::from_str(&policy).expect("JSON");
        let actions: Vec<&str> = policy["Statement"][0]["Action"]
            .as_array()
            .expect("actions")
            .iter()
            .map(|action| action.as_str().expect("text"))
            .collect();
        for needed in
            ["cloudformation:CreateChangeSet", "ssm:GetParameter*", "secretsmanager:GetSecretValue"]
        {
            assert!(actions.contains(&needed), "{needed}");
        }
        for power in ["Execute", "CreateStack", "UpdateStack", "DeleteStack", "PassRole", "s3:Put"]
        {
            assert!(!actions.iter().any(|action| action.contains(power)), "{power}");
        }
        let place = &policy["Statement"][1]["Resource"];
        assert_eq!(place, "arn:aws-cn:s3:::*/greenroom/look/*");
    }

    #[test]
    fn a_deploy_session_gets_the_whole_role() {
        assert_eq!(policy(SessionScope::Whole, "aws"), None);
    }
}
