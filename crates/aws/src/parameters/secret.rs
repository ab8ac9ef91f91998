//! One value of a secret that is a JSON object. Pure.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

/// The value under `key` as text, or what is wrong, without any value in it.
pub(super) fn value_of(secret: &SecretString, key: &str) -> Result<SecretString, String> {
    // serde_json's own sentences quote no text of the input
    let object: Map<String, Value> =
        serde_json::from_str(secret.expose_secret()).map_err(|_| {
            format!(
                "it is no JSON object, so it has no key {key:?}: leave the #{key} out to take the \
             whole secret"
            )
        })?;
    match object.get(key) {
        None => {
            let keys: Vec<&str> = object.keys().map(String::as_str).collect();
            Err(format!("it has no key {key:?}; it has: {}", keys.join(", ")))
        }
        Some(Value::Null) => Err(format!("its key {key:?} is null")),
        Some(Value::String(text)) => Ok(SecretString::from(text.clone())),
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => {
            Ok(SecretString::from(other.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(secret: &str, key: &str) -> Result<String, String> {
        value_of(&SecretString::from(secret), key).map(|value| value.expose_secret().to_owned())
    }

    #[test]
    fn a_key_gives_its_value_as_text() {
        let secret = r#"{"user":"shop","port":5432,"tls":true,"hosts":["a","b"]}"#;
        assert_eq!(value(secret, "user").unwrap(), "shop");
        assert_eq!(value(secret, "port").unwrap(), "5432");
        assert_eq!(value(secret, "tls").unwrap(), "true");
        assert_eq!(value(secret, "hosts").unwrap(), r#"["a","b"]"#);
    }

    #[test]
    fn a_missing_key_names_the_keys_that_are_there_and_no_value() {
        let problem = value(r#"{"user":"very-secret","pass":"x"}"#, "name").unwrap_err();
        assert!(problem.contains("\"name\"") && problem.contains("pass, user"), "{problem}");
        assert!(!problem.contains("very-secret"));
        assert!(value(r#"{"a":null}"#, "a").unwrap_err().contains("null"));
    }

    #[test]
    fn a_secret_that_is_no_object_has_no_keys() {
        for secret in ["very-secret", "[1]", "{"] {
            let problem = value(secret, "k").unwrap_err();
            assert!(problem.contains("no JSON object") && !problem.contains("very-secret"));
        }
    }
}
