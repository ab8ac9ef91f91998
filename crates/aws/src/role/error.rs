//! Why a role could not be assumed, in words that say what to change and where.

use crate::endpoint::EndpointError;
use crate::failure::Failure;

/// Why there are no credentials for a job.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    #[error(
        "AWS refused to let Greenroom assume {role_arn}: {detail}. Check that the role exists, \
         that its trust policy allows sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity \
         to the server's principal, and that {external_id}; the server's own policy must allow \
         the same three actions on this role."
    )]
    Refused { role_arn: String, external_id: ExternalId, detail: String },
    #[error(
        "the Greenroom server has no AWS credentials to assume roles with: {detail}. Give the \
         server an identity: an instance or task role, AWS_PROFILE, or AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY in its environment."
    )]
    NoServerCredentials { detail: String },
    #[error(
        "AWS does not accept the Greenroom server's own credentials: {detail}. Renew or correct \
         them (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or the profile the \
         server runs with), and check the server's clock."
    )]
    BadServerCredentials { detail: String },
    #[error("role_arn {role_arn:?} is no role's ARN. Write arn:aws:iam::ACCOUNT:role/NAME.")]
    NotARole { role_arn: String },
    #[error(
        "AWS turned the request for {role_arn} down as invalid ({code}): {detail}. Check the \
         profile's role_arn, external_id and region, and the role's maximum session duration."
    )]
    Invalid { role_arn: String, code: String, detail: String },
    #[error("AWS STS could not be reached or is busy: {detail}. This is tried again.")]
    Unavailable { detail: String },
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

/// Whether the profile has an external id, which decides what to look at after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExternalId {
    Given,
    Absent,
}

impl std::fmt::Display for ExternalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Given => "the profile's external_id equals the sts:ExternalId of its condition",
            Self::Absent => {
                "it demands no sts:ExternalId, for the profile has no external_id (or set one)"
            }
        })
    }
}

impl RoleError {
    /// Whether trying again later may work without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Refused { .. }
            | Self::NoServerCredentials { .. }
            | Self::BadServerCredentials { .. }
            | Self::NotARole { .. }
            | Self::Invalid { .. }
            | Self::Endpoint(_) => false,
        }
    }

    pub(super) fn of(failure: Failure, role_arn: String, external_id: ExternalId) -> Self {
        match failure {
            Failure::Denied(detail) => Self::Refused { role_arn, external_id, detail },
            Failure::NoCredentials(detail) => Self::NoServerCredentials { detail },
            Failure::BadCredentials(detail) => Self::BadServerCredentials { detail },
            Failure::Invalid { code, message } => Self::Invalid { role_arn, code, detail: message },
            Failure::Unavailable(detail) => Self::Unavailable { detail },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_role_the_three_actions_and_the_external_id() {
        let role = "arn:aws:iam::111111111111:role/greenroom-deploy";
        let denied = Failure::Denied("not authorized".to_owned());
        let error = RoleError::of(denied, role.to_owned(), ExternalId::Given);
        let words = error.to_string();
        for part in
            [role, "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity", "external_id"]
        {
            assert!(words.contains(part), "{part} is missing in: {words}");
        }
        assert!(!error.is_transient());
    }

    #[test]
    fn only_an_unreachable_sts_is_worth_another_try() {
        let of = |failure| RoleError::of(failure, String::new(), ExternalId::Absent).is_transient();
        assert!(of(Failure::Unavailable("timeout".to_owned())));
        assert!(!of(Failure::NoCredentials("none".to_owned())));
        assert!(!of(Failure::BadCredentials("expired".to_owned())));
    }
}
