//! The digest of a stage's parameters: kept with each deployment, so that a later look tells
//! whether they have changed since.
//!
//! What always holds: it holds no secret's value, and is the same for the same settings and times.
//! That a value changed in SSM or Secrets Manager cannot be told from it: only its name is known.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use chrono::{DateTime, Utc};

use super::{SecretPlace, Settings, StageParameter, Value};
use crate::{ParameterKey, StageName};

/// When each stored secret last got another value.
pub type SecretTimes = BTreeMap<(SecretPlace, ParameterKey), DateTime<Utc>>;

/// The digest of what [`Settings::parameters_of`] answers for the stage.
pub fn parameters_digest(
    settings: &Settings,
    stage: &StageName,
    secret_times: &SecretTimes,
) -> String {
    digest_of(&settings.parameters_of(stage), secret_times)
}

/// The digest of these parameters.
pub fn digest_of(
    parameters: &BTreeMap<&ParameterKey, StageParameter<'_>>,
    secret_times: &SecretTimes,
) -> String {
    let mut digest = Context::new(&SHA256);
    // each part with its length, so that no two lists of parts run together to the same bytes
    let mut part = |text: &str| {
        digest.update(&(text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    };
    for (key, parameter) in parameters {
        part(key.as_str());
        match parameter.value {
            Value::Plain(value) => {
                part("plain");
                part(value);
            }
            Value::Secret(_) => {
                part("secret");
                part(&parameter.place.to_string());
                let place = (parameter.place.clone(), (*key).clone());
                // PostgreSQL keeps microseconds
                let time = secret_times.get(&place).map(DateTime::timestamp_micros);
                part(&time.map_or_else(String::new, |micros| micros.to_string()));
            }
            Value::Remote(remote) => {
                part("remote");
                part(&remote.to_string());
            }
        }
    }
    hex::encode(digest.finish())
}

#[cfg(test)]
mod tests;
