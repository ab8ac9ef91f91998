//! Parameters whose values lie in AWS: read with the job's credentials when the job runs, masked,
//! and never stored here.
//!
//! What always holds: the names of a value that [`RemoteParameter::ssm`] or
//! [`RemoteParameter::secrets_manager`] answered are ones that AWS can have.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Region;

/// Where the value of a parameter is read. To workers it goes as `{"source": "ssm", …}`; in an app
/// file it is written `{ ssm: /name }` (see [`as_written`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "source")]
pub enum RemoteParameter {
    /// A parameter of Systems Manager's Parameter Store, decrypted.
    Ssm { name: String },
    /// A secret of Secrets Manager, by its name or ARN.
    SecretsManager {
        id: String,
        /// The value of this key, where the secret is a JSON object.
        key: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRemote {
    #[error(
        "this is no name of a parameter of SSM: use 1 to 1011 letters, digits and characters of \
         _.-/; one with a / begins with it and has at most 15 levels, like /workshop/dev/api-key"
    )]
    Ssm,
    #[error(
        "this is no secret of Secrets Manager: write its name (1 to 512 letters, digits and \
         characters of /_+=.@-) or its ARN, and after a # the key of its JSON if you want one value \
         of it, like workshop/dev#api_key"
    )]
    SecretsManager,
    #[error("there is nothing behind the #: name a key of the secret's JSON, or remove the #")]
    NoKey,
}

/// Constraints of `PutParameter` (Systems Manager API reference).
const MAX_SSM_NAME: usize = 1011;
const MAX_SSM_LEVELS: usize = 15;
/// Constraint of `CreateSecret` (Secrets Manager API reference).
const MAX_SECRET_NAME: usize = 512;

impl RemoteParameter {
    /// Reads the name of a parameter of SSM.
    pub fn ssm(text: &str) -> Result<Self, InvalidRemote> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
        let levels = text.strip_prefix('/').unwrap_or(text).split('/').count();
        let valid = (1..=MAX_SSM_NAME).contains(&text.len())
            && text.chars().all(allowed)
            && (text.starts_with('/') || levels == 1)
            && levels <= MAX_SSM_LEVELS
            && !text.ends_with('/')
            && !text.contains("//");
        if valid { Ok(Self::Ssm { name: text.to_owned() }) } else { Err(InvalidRemote::Ssm) }
    }

    /// Reads a secret's name or ARN, with the key of its JSON after a `#`.
    pub fn secrets_manager(text: &str) -> Result<Self, InvalidRemote> {
        let (id, key) = match text.split_once('#') {
            Some((id, key)) => (id, Some(key)),
            None => (text, None),
        };
        if !secret_name(id) && !secret_arn(id) {
            return Err(InvalidRemote::SecretsManager);
        }
        if key.is_some_and(|key| key.is_empty() || key.chars().any(char::is_control)) {
            return Err(InvalidRemote::NoKey);
        }
        Ok(Self::SecretsManager { id: id.to_owned(), key: key.map(str::to_owned) })
    }
}

/// As in the app file: `ssm:/name`, `secretsmanager:id#key`.
impl fmt::Display for RemoteParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ssm { name } => write!(f, "ssm:{name}"),
            Self::SecretsManager { id, key: None } => write!(f, "secretsmanager:{id}"),
            Self::SecretsManager { id, key: Some(key) } => write!(f, "secretsmanager:{id}#{key}"),
        }
    }
}

fn secret_name(text: &str) -> bool {
    (1..=MAX_SECRET_NAME).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c))
}

fn secret_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(7, ':').collect();
    let ["arn", partition, "secretsmanager", region, account, "secret", name] = parts[..] else {
        return false;
    };
    ["aws", "aws-cn", "aws-us-gov"].contains(&partition)
        && region.parse::<Region>().is_ok()
        && account.len() == 12
        && account.chars().all(|c| c.is_ascii_digit())
        // AWS adds a dash and six characters to the name
        && name.len() <= MAX_SECRET_NAME + 7
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c))
}

/// The form of the app file, for settings: what they answer can be sent back as it is.
pub(super) mod as_written {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use super::RemoteParameter;

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "lowercase", deny_unknown_fields)]
    enum Written {
        Ssm(String),
        SecretsManager(String),
    }

    pub(in crate::app) fn serialize<S: Serializer>(
        parameter: &RemoteParameter,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let written = match parameter {
            RemoteParameter::Ssm { name } => Written::Ssm(name.clone()),
            RemoteParameter::SecretsManager { id, key: None } => {
                Written::SecretsManager(id.clone())
            }
            RemoteParameter::SecretsManager { id, key: Some(key) } => {
                Written::SecretsManager(format!("{id}#{key}"))
            }
        };
        written.serialize(serializer)
    }

    pub(in crate::app) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<RemoteParameter, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Ssm(text) => RemoteParameter::ssm(&text),
            Written::SecretsManager(text) => RemoteParameter::secrets_manager(&text),
        }
        .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("api-key", true)]
    #[case("/workshop/dev/api_key.v1", true)]
    #[case("/aws/service/global-infrastructure/current-region", true)]
    #[case("", false)]
    #[case("/", false)]
    #[case("workshop/dev", false)]
    #[case("/workshop/", false)]
    #[case("/workshop//dev", false)]
    #[case("/workshop/dev key", false)]
    #[case("/workshop/schlüssel", false)]
    #[case("/workshop/dev:3", false)]
    #[case("/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15", true)]
    #[case("/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", false)]
    fn a_name_of_ssm_is_one_that_aws_takes(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(RemoteParameter::ssm(text).is_ok(), valid);
    }

    #[test]
    fn a_name_of_ssm_has_at_most_1011_characters() {
        assert!(RemoteParameter::ssm(&"n".repeat(1011)).is_ok());
        assert_eq!(RemoteParameter::ssm(&"n".repeat(1012)), Err(InvalidRemote::Ssm));
    }

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:workshop/dev-AbCdEf";

    #[rstest]
    #[case("workshop/dev", "workshop/dev", None)]
    #[case("workshop/dev#api_key", "workshop/dev", Some("api_key"))]
    #[case("workshop/dev#a key # of json", "workshop/dev", Some("a key # of json"))]
    #[case(ARN, ARN, None)]
    #[case(&format!("{ARN}#api_key"), ARN, Some("api_key"))]
    fn a_secret_is_named_with_or_without_a_key(
        #[case] text: &str,
        #[case] id: &str,
        #[case] key: Option<&str>,
    ) {
        let expected =
            RemoteParameter::SecretsManager { id: id.into(), key: key.map(str::to_owned) };
        assert_eq!(RemoteParameter::secrets_manager(text), Ok(expected));
    }

    #[rstest]
    #[case("", InvalidRemote::SecretsManager)]
    #[case("#key", InvalidRemote::SecretsManager)]
    #[case("a b", InvalidRemote::SecretsManager)]
    #[case("arn:aws:secretsmanager:eu-west-1:111:secret:x", InvalidRemote::SecretsManager)]
    #[case("arn:aws:ssm:eu-west-1:111111111111:secret:x", InvalidRemote::SecretsManager)]
    #[case("workshop/dev#", InvalidRemote::NoKey)]
    #[case("workshop/dev#a\nb", InvalidRemote::NoKey)]
    fn what_is_no_secret_is_refused(#[case] text: &str, #[case] expected: InvalidRemote) {
        assert_eq!(RemoteParameter::secrets_manager(text), Err(expected));
    }

    #[test]
    fn a_worker_is_told_the_source_and_the_name() {
        let ssm = RemoteParameter::ssm("/a").expect("valid");
        assert_eq!(
            serde_json::to_value(ssm).expect("data"),
            json!({ "source": "ssm", "name": "/a" })
        );
        let secret = RemoteParameter::secrets_manager("a#k").expect("valid");
        let shown = json!({ "source": "secrets_manager", "id": "a", "key": "k" });
        assert_eq!(serde_json::to_value(&secret).expect("data"), shown);
        assert_eq!(serde_json::from_value::<RemoteParameter>(shown).expect("it"), secret);
    }

    #[test]
    fn it_is_shown_as_it_is_written() {
        for text in ["ssm:/a", "secretsmanager:a", "secretsmanager:a#k"] {
            let parameter = match text.split_once(':').expect("a source") {
                ("ssm", name) => RemoteParameter::ssm(name),
                (_, id) => RemoteParameter::secrets_manager(id),
            };
            assert_eq!(parameter.expect("valid").to_string(), text);
        }
    }
}
