//! Which outputs a comment does not show: everybody who may read the repository reads it.
//!
//! What always holds: rather an output too many is hidden than one too few. What a worker alone
//! knows (a parameter read from SSM or the Secrets Manager) is not known here; a value that looks
//! like a credential is hidden wherever it came from.

use secrecy::{ExposeSecret, SecretString};

use crate::safeguard;

/// Words in the names of what is nobody else's business.
const WORDS: [&str; 16] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "credential",
    "auth",
    "private",
    "cert",
    "signature",
    "salt",
    "cookie",
    "session",
    "jwt",
    "dsn",
    "connectionstring",
];

/// Shorter secrets are too short to be looked for inside other texts.
const SHORTEST_INSIDE: usize = 4;
/// As long as what AWS and others hand out as keys.
const RANDOM: usize = 32;

/// The values of an app's secret parameters. `Debug` shows none.
#[derive(Debug)]
pub enum Secrets {
    Known(Vec<SecretString>),
    /// They cannot be read: anything may be one.
    Unknown,
}

impl Secrets {
    pub fn known(values: impl IntoIterator<Item = SecretString>) -> Self {
        let filled = |value: &SecretString| !value.expose_secret().trim().is_empty();
        Self::Known(values.into_iter().filter(filled).collect())
    }

    /// Whether an output of this name and value is not to be shown.
    pub fn hides(&self, key: &str, value: &str) -> bool {
        let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
        let key = key.to_ascii_lowercase();
        WORDS.iter().any(|word| key.contains(word)) || self.hides_value(value)
    }

    /// The same for what has no name.
    pub fn hides_value(&self, value: &str) -> bool {
        let is_known = match self {
            Self::Known(secrets) => {
                secrets.iter().any(|secret| contains(value, secret.expose_secret()))
            }
            Self::Unknown => true,
        };
        is_known
            || safeguard::looks_like_a_credential(value).is_some()
            || is_signed(value)
            || looks_random(value)
    }
}

/// As it is, or as it stands in an address or a header.
fn contains(value: &str, secret: &str) -> bool {
    let secret = secret.trim();
    if secret.len() < SHORTEST_INSIDE {
        return value.trim() == secret;
    }
    value.contains(secret) || value.contains(&percent(secret)) || in_base64(value, secret)
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
        out
    })
}

/// The secret alone, or after a user's name, in base64.
fn in_base64(value: &str, secret: &str) -> bool {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let plain = value.replace('-', "+").replace('_', "/");
    (0..3).any(|shift| {
        // the digits that the secret alone decides, wherever in the encoded text it begins
        let bytes: Vec<u8> = std::iter::repeat_n(0, shift).chain(secret.bytes()).collect();
        let digit = |at: usize| {
            let bit = |n: usize| bytes.get(n / 8).map_or(0, |byte| (byte >> (7 - n % 8)) & 1);
            let index = (0..6).fold(0_usize, |sum, n| sum * 2 + usize::from(bit(at * 6 + n)));
            char::from(DIGITS[index])
        };
        let first = (shift * 8).div_ceil(6);
        let last = bytes.len() * 8 / 6;
        let needle: String = (first..last).map(digit).collect();
        needle.len() >= SHORTEST_INSIDE && plain.contains(&needle)
    })
}

/// An address that lets in whoever has it.
fn is_signed(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    ["x-amz-signature=", "x-amz-security-token=", "signature=", "sig=", "access_token=", "token="]
        .iter()
        .any(|part| value.contains(part))
}

/// A long run of letters and digits together, as no name has one.
fn looks_random(value: &str) -> bool {
    value.split(|c: char| !c.is_ascii_alphanumeric() && c != '+').any(|run| {
        run.len() >= RANDOM
            && run.bytes().any(|byte| byte.is_ascii_digit())
            && run.bytes().any(|byte| byte.is_ascii_alphabetic())
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn secrets() -> Secrets {
        let values = ["key-of-dev-7f3a9c", "p/w ü", "ab", ""];
        Secrets::known(values.map(|value| SecretString::from(value.to_owned())))
    }

    #[rstest]
    #[case("DatabasePassword")]
    #[case("db_password")]
    #[case("ApiKey")]
    #[case("API-KEY")]
    #[case("sharedSecretArn")]
    #[case("AccessToken")]
    #[case("PrivateThing")]
    #[case("TableKeySchema")]
    #[case("Authorizer")]
    #[case("connection_string")]
    fn an_output_whose_name_sounds_secret_is_hidden(#[case] key: &str) {
        assert!(Secrets::known([]).hides(key, "x"), "{key}");
    }

    #[rstest]
    #[case("key-of-dev-7f3a9c")]
    #[case("https://api.example.com/?k=key-of-dev-7f3a9c&x=1")]
    #[case("p/w ü")]
    #[case("https://x.example.com/p%2Fw%20%C3%BC")]
    #[case("a2V5LW9mLWRldi03ZjNhOWM=")]
    #[case("Basic dXNlcjprZXktb2YtZGV2LTdmM2E5Yw==")]
    #[case("ab")]
    fn an_output_that_contains_a_secret_is_hidden_in_whatever_form(#[case] value: &str) {
        assert!(secrets().hides("Value", value), "{value}");
    }

    /// Pieces are joined at run time, so that no scanner takes the test for a leak.
    #[rstest]
    #[case(&["AKIA", "IOSFODNN7EXAMPLE"])]
    #[case(&["postgres://shop:", "hunter2@db.example.com/shop"])]
    #[case(&["https://b.s3.amazonaws.com/x?X-Amz-Signature=", "00"])]
    #[case(&["0123456789abcdef", "0123456789abcdef"])]
    fn an_output_that_looks_like_a_credential_is_hidden(#[case] pieces: &[&str]) {
        assert!(Secrets::known([]).hides("Value", &pieces.concat()));
    }

    #[test]
    fn where_the_secrets_cannot_be_read_nothing_is_shown() {
        assert!(Secrets::Unknown.hides("TableName", "submissions"));
    }

    #[rstest]
    #[case("TableName", "submissions-feature-hello")]
    #[case(
        "HelloLambdaFunctionQualifiedArn",
        "arn:aws:lambda:us-east-1:111111111111:function:fullstack-restapi-feature-hello-hello:1"
    )]
    #[case(
        "ServiceEndpoint",
        "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/feature-hello"
    )]
    #[case("ServerlessDeploymentBucketName", "fullstack-serverlessdeploymentbucket-1a2b3c4d5e6f")]
    #[case("UserPoolId", "us-east-1_AbCdEfGhI")]
    #[case("Label", "cab")]
    fn an_ordinary_output_is_shown(#[case] key: &str, #[case] value: &str) {
        assert!(!secrets().hides(key, value), "{key}: {value}");
    }
}
