//! Why a value could not be read, in words that name the parameter, the place and the remedy.

use model::app::RemoteParameter;

use super::Problem;
use crate::failure::Failure;

/// A value that could not be had. `parameter` is written as in the app file.
#[derive(Debug, thiserror::Error)]
pub enum ParameterError {
    #[error(
        "AWS does not let the stage's role read {parameter} in {region}: {detail}. Allow {action} \
         on it in the policy of the profile's role."
    )]
    Denied { parameter: String, region: String, action: &'static str, detail: String },
    #[error(
        "there is no {parameter} in {region} of the stage's AWS account. Create it there, or \
         correct its name in the app file."
    )]
    Missing { parameter: String, region: String },
    #[error("{parameter} in {region} cannot be used: {problem}")]
    Unusable { parameter: String, region: String, problem: String },
    #[error("there are no usable AWS credentials to read {parameter} in {region}: {detail}")]
    Credentials { parameter: String, region: String, detail: String },
    #[error("AWS refused to read {parameter} in {region} ({code}): {detail}")]
    Refused { parameter: String, region: String, code: String, detail: String },
    #[error("AWS could not be reached or is busy (reading {parameter} in {region}): {detail}")]
    Unavailable { parameter: String, region: String, detail: String },
}

impl ParameterError {
    /// Whether the same may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Denied { .. }
            | Self::Missing { .. }
            | Self::Unusable { .. }
            | Self::Credentials { .. }
            | Self::Refused { .. } => false,
        }
    }

    pub(super) fn of(problem: Problem, remote: &RemoteParameter, region: &str) -> Self {
        let (parameter, region) = (remote.to_string(), region.to_owned());
        match problem {
            Problem::Value(problem) => Self::Unusable { parameter, region, problem },
            Problem::Call(Failure::Denied(detail)) => {
                let action = action(remote, &detail);
                Self::Denied { parameter, region, action, detail }
            }
            Problem::Call(Failure::NoCredentials(detail) | Failure::BadCredentials(detail)) => {
                Self::Credentials { parameter, region, detail }
            }
            Problem::Call(Failure::Invalid { code, message }) => match code.as_str() {
                "ParameterNotFound" | "ResourceNotFoundException" => {
                    Self::Missing { parameter, region }
                }
                _ => Self::Refused { parameter, region, code, detail: message },
            },
            Problem::Call(Failure::Unavailable(detail)) => {
                Self::Unavailable { parameter, region, detail }
            }
        }
    }
}

/// What the role lacks: a value encrypted with a key of one's own needs the right to that key too.
fn action(remote: &RemoteParameter, detail: &str) -> &'static str {
    if detail.to_ascii_lowercase().contains("kms") {
        return "kms:Decrypt (of the key that encrypts it)";
    }
    match remote {
        RemoteParameter::Ssm { .. } => "ssm:GetParameter",
        RemoteParameter::SecretsManager { .. } => "secretsmanager:GetSecretValue",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(remote: &str, failure: Failure) -> String {
        let remote = match remote.strip_prefix('/') {
            Some(_) => RemoteParameter::Ssm { name: remote.to_owned() },
            None => RemoteParameter::SecretsManager { id: remote.to_owned(), key: None },
        };
        ParameterError::of(Problem::Call(failure), &remote, "eu-west-1").to_string()
    }

    #[test]
    fn a_refusal_names_the_parameter_the_region_and_the_action() {
        let denied = |detail: &str| Failure::Denied(detail.to_owned());
        for (remote, detail, action) in [
            ("/shop/key", "not authorized", "ssm:GetParameter"),
            ("shop", "not authorized", "secretsmanager:GetSecretValue"),
            ("shop", "Access to KMS is not allowed", "kms:Decrypt"),
        ] {
            let words = told(remote, denied(detail));
            for part in [remote, "eu-west-1", action, detail] {
                assert!(words.contains(part), "{part} is missing in: {words}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_told_apart_from_what_is_refused() {
        let invalid =
            |code: &str| Failure::Invalid { code: code.to_owned(), message: "m".to_owned() };
        assert!(
            told("/a", invalid("ParameterNotFound")).contains("there is no ssm:/a in eu-west-1")
        );
        assert!(
            told("a", invalid("ResourceNotFoundException"))
                .contains("there is no secretsmanager:a")
        );
        assert!(told("a", invalid("InvalidRequestException")).contains("InvalidRequestException"));
    }
}
