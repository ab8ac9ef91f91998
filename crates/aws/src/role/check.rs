//! Tries a role out before anything depends on it: whether the server gets in, where it is then,
//! and which statement of which policy to mend when it does not.
//!
//! What always holds: nothing is changed in AWS. AWS says only that it refuses; which of the three
//! actions it is about is found by asking again for less.

use std::fmt;
use std::sync::Arc;

use aws_config::Region;

use super::{AssumeRole, RoleError, RoleMinter};
use crate::count::Counted;
use crate::credentials::{Credentials, Provider};
use crate::failure::Failure;

/// No stack has this name; to look for it takes the right to look at stacks.
const NO_STACK: &str = "greenroom-looks-whether-it-may";

/// As whom AWS sees somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    pub account: String,
    pub arn: String,
}

impl CallerIdentity {
    /// What stands for it in a trust policy: of a session the role that it is a session of. A
    /// role's path does not stand in its sessions' names, so a role with one has to be looked up.
    pub fn principal(&self) -> String {
        let session = self.arn.split_once(":sts:").and_then(|(partition, rest)| {
            let (account, name) = rest.trim_start_matches(':').split_once(":assumed-role/")?;
            let (role, _) = name.rsplit_once('/')?;
            Some(format!("{partition}:iam::{account}:role/{role}"))
        });
        session.unwrap_or_else(|| self.arn.clone())
    }
}

/// What came of trying a role out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The server gets in with all that its sessions have, and may look at stacks.
    Works(CallerIdentity),
    /// It gets in, and may not even look at stacks there.
    Powerless {
        identity: CallerIdentity,
        detail: String,
    },
    Refused {
        statement: Statement,
        detail: String,
    },
}

/// What has to be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement {
    /// The role is not there, or does not trust the server, or asks for another external id.
    Trust,
    /// The server's own policy does not let it assume the role.
    Server,
    /// The role lets the server in, but without these.
    Tags,
    SourceIdentity,
    TagsAndSourceIdentity,
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = match self {
            Self::Trust => {
                return f.write_str(
                    "The role does not let this server in. Look at the statement \
                     GreenroomServerOnly of the role's trust policy: its Principal must be this \
                     server, its Action must have sts:AssumeRole, and its sts:ExternalId must be \
                     the external id that stands here. And see that a role of this name is there.",
                );
            }
            Self::Server => {
                return f.write_str(
                    "The server's own policy does not let it assume this role. Its statement \
                     AssumeDeployRoles must allow sts:AssumeRole, sts:TagSession and \
                     sts:SetSourceIdentity on this role (docs/iam/server-policy.json).",
                );
            }
            Self::Tags => "sts:TagSession",
            Self::SourceIdentity => "sts:SetSourceIdentity",
            Self::TagsAndSourceIdentity => "sts:TagSession and sts:SetSourceIdentity",
        };
        write!(
            f,
            "The role lets this server in, but refuses what says for whom: add {missing} to the \
             Action of the statement GreenroomServerOnly in the role's trust policy (and see that \
             AssumeDeployRoles in the server's own policy has it)."
        )
    }
}

impl RoleMinter {
    /// As whom the server itself comes to AWS.
    pub async fn identity(&self, region: &str) -> Result<CallerIdentity, RoleError> {
        let sts = aws_sdk_sts::config::Builder::from(&self.config)
            .region(Region::new(region.to_owned()))
            .interceptor(Counted)
            .build();
        identity(sts).await
    }

    /// Tries a role with the tags and the source identity that the sessions of jobs have.
    pub async fn check(&self, request: AssumeRole) -> Result<Checked, RoleError> {
        let region = request.region.clone();
        match self.mint(request.clone()).await {
            Ok(credentials) => self.within(&region, credentials).await,
            Err(RoleError::Refused { detail, .. }) => {
                let statement = self.refused(&request, &detail).await;
                Ok(Checked::Refused { statement, detail })
            }
            Err(error) => Err(error),
        }
    }

    async fn refused(&self, request: &AssumeRole, detail: &str) -> Statement {
        let bare = AssumeRole { tags: Vec::new(), source_identity: None, ..request.clone() };
        let tags = AssumeRole { source_identity: None, ..request.clone() };
        let source = AssumeRole { tags: Vec::new(), ..request.clone() };
        if self.mint(bare).await.is_err() {
            // AWS names the kind of policy that is missing ("Access denied error messages", IAM)
            return if detail.contains("no identity-based policy allows") {
                Statement::Server
            } else {
                Statement::Trust
            };
        }
        match (self.mint(tags).await.is_ok(), self.mint(source).await.is_ok()) {
            (true, _) => Statement::SourceIdentity,
            (false, true) => Statement::Tags,
            (false, false) => Statement::TagsAndSourceIdentity,
        }
    }

    async fn within(&self, region: &str, credentials: Credentials) -> Result<Checked, RoleError> {
        let provider = Provider(Arc::new(credentials));
        let region = Region::new(region.to_owned());
        let sts = aws_sdk_sts::config::Builder::from(&self.config)
            .region(region.clone())
            .credentials_provider(provider.clone())
            .interceptor(Counted)
            .build();
        let identity = identity(sts).await?;
        let cloudformation = aws_sdk_cloudformation::config::Builder::from(&self.config)
            .region(region)
            .credentials_provider(provider)
            .interceptor(Counted)
            .build();
        let looked = aws_sdk_cloudformation::Client::from_conf(cloudformation)
            .describe_stacks()
            .stack_name(NO_STACK)
            .send()
            .await;
        let refusal = match looked {
            Ok(_) => None,
            Err(error) => match Failure::of(&error) {
                Failure::Denied(detail) => Some(detail),
                // that there is no such stack
                Failure::Invalid { .. } => None,
                Failure::Unavailable(detail) => return Err(RoleError::Unavailable { detail }),
                Failure::NoCredentials(detail) | Failure::BadCredentials(detail) => Some(detail),
            },
        };
        Ok(match refusal {
            None => Checked::Works(identity),
            Some(detail) => Checked::Powerless { identity, detail },
        })
    }
}

async fn identity(config: aws_sdk_sts::Config) -> Result<CallerIdentity, RoleError> {
    match aws_sdk_sts::Client::from_conf(config).get_caller_identity().send().await {
        Ok(answer) => Ok(CallerIdentity {
            account: answer.account().unwrap_or_default().to_owned(),
            arn: answer.arn().unwrap_or_default().to_owned(),
        }),
        Err(error) => Err(match Failure::of(&error) {
            Failure::NoCredentials(detail) => RoleError::NoServerCredentials { detail },
            Failure::BadCredentials(detail) | Failure::Denied(detail) => {
                RoleError::BadServerCredentials { detail }
            }
            Failure::Invalid { message, .. } => RoleError::BadServerCredentials { detail: message },
            Failure::Unavailable(detail) => RoleError::Unavailable { detail },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(arn: &str) -> String {
        CallerIdentity { account: String::new(), arn: arn.to_owned() }.principal()
    }

    #[test]
    fn the_principal_of_a_session_is_its_role() {
        assert_eq!(
            principal("arn:aws:sts::111111111111:assumed-role/greenroom-server/i-0abc"),
            "arn:aws:iam::111111111111:role/greenroom-server"
        );
        let user = "arn:aws:iam::111111111111:user/greenroom";
        assert_eq!(principal(user), user);
    }

    #[test]
    fn a_refusal_names_the_statement_to_mend() {
        for (statement, words) in [
            (Statement::Trust, "sts:ExternalId"),
            (Statement::Server, "AssumeDeployRoles"),
            (Statement::Tags, "add sts:TagSession to"),
            (Statement::SourceIdentity, "add sts:SetSourceIdentity to"),
        ] {
            assert!(statement.to_string().contains(words), "{statement}");
        }
    }
}
