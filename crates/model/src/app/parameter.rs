//! The parameters of a profile or a stage: plain values, secrets that leave the settings at once,
//! and names of values that lie in AWS.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::{InvalidRemote, RemoteParameter, SecretPlace, SecretSource, Value};
use crate::ParameterKey;
use crate::document::Cursor;

/// What an app file says about a secret parameter, for whoever applies it.
#[derive(Debug, Clone)]
pub enum SecretInput {
    /// Take the value of this environment variable of the applying process.
    Env(String),
    /// The value itself.
    Given(SecretString),
    /// Keep the value that is stored; an error if there is none.
    Keep,
}

const FORMS: [&str; 4] = ["secret_env", "secret", "ssm", "secretsmanager"];

/// The values as settings show them, and the secrets by their keys.
#[derive(Default)]
pub(super) struct Parameters {
    pub(super) values: BTreeMap<ParameterKey, Value>,
    secrets: Vec<(ParameterKey, SecretInput)>,
}

impl Parameters {
    pub(super) fn secrets_at(
        &self,
        place: &SecretPlace,
    ) -> impl Iterator<Item = ((SecretPlace, ParameterKey), SecretInput)> {
        let at = |key: &ParameterKey| (place.clone(), key.clone());
        self.secrets.iter().map(move |(key, secret)| (at(key), secret.clone()))
    }
}

/// `shared` are those that these join, and replace where the key is the same.
pub(super) fn parameters(
    cursor: &Cursor<'_>,
    shared: &BTreeMap<ParameterKey, Value>,
) -> Option<Parameters> {
    let mut found = Parameters::default();
    let mut variables: BTreeMap<String, ParameterKey> =
        shared.keys().map(|key| (key.variable(), key.clone())).collect();
    for entry in cursor.entries()? {
        let key = entry.value.parsed::<ParameterKey>(entry.key);
        let parameter = parameter(&entry.value);
        let Some(key) = key else { continue };
        let other = variables.insert(key.variable(), key.clone());
        if let Some(other) = other.filter(|other| *other != key) {
            entry.value.problem(format!(
                "steps would see this and `{other}` as one environment variable, {}; rename one",
                key.variable()
            ));
        }
        let Some((value, secret)) = parameter else { continue };
        found.secrets.extend(secret.map(|secret| (key.clone(), secret)));
        found.values.insert(key, value);
    }
    Some(found)
}

fn parameter(cursor: &Cursor<'_>) -> Option<(Value, Option<SecretInput>)> {
    if let Some(text) = cursor.scalar() {
        let text = environment_safe(cursor, text)?;
        return Some((Value::Plain(text.to_owned()), None));
    }
    if cursor.is_null() {
        cursor.problem("this parameter has no value; write \"\" for an empty one");
        return None;
    }
    let fields = cursor.fields(&FORMS)?;
    let given: Vec<&str> = FORMS.into_iter().filter(|form| fields.given(form).is_some()).collect();
    let [form] = given[..] else {
        cursor.problem(
            "write a value, { secret_env: VARIABLE }, { secret: \"value\" }, { ssm: /name } or \
             { secretsmanager: 'name#key' }",
        );
        return None;
    };
    let place = fields.given(form)?;
    match form {
        "secret_env" => {
            let name = variable_name(place)?;
            let source = SecretSource::SecretEnv(name.clone());
            Some((Value::Secret(source), Some(SecretInput::Env(name))))
        }
        "secret" => {
            let input = if place.is_null() {
                SecretInput::Keep
            } else {
                SecretInput::Given(secret_value(place)?)
            };
            Some((Value::Secret(SecretSource::Given(())), Some(input)))
        }
        "ssm" => Some((Value::Remote(remote(place, RemoteParameter::ssm)?), None)),
        _secretsmanager => {
            Some((Value::Remote(remote(place, RemoteParameter::secrets_manager)?), None))
        }
    }
}

/// The text is not repeated in a problem: it could be a value put in the wrong place.
fn remote(
    place: &Cursor<'_>,
    read: fn(&str) -> Result<RemoteParameter, InvalidRemote>,
) -> Option<RemoteParameter> {
    read(place.scalar().unwrap_or_default()).map_err(|error| place.problem(error.to_string())).ok()
}

pub(super) fn secret_value(place: &Cursor<'_>) -> Option<SecretString> {
    let Some(text) = place.scalar() else {
        place.problem("a secret is one text; put it in quotes");
        return None;
    };
    if text.is_empty() {
        place.problem("the secret is empty; leave its value out to keep the stored one");
        return None;
    }
    Some(SecretString::from(environment_safe(place, text)?.to_owned()))
}

/// Parameters become environment variables, which end at the first NUL.
fn environment_safe<'t>(place: &Cursor<'_>, text: &'t str) -> Option<&'t str> {
    if text.contains('\0') {
        place.problem(
            "a value cannot hold the character NUL, for it becomes an environment variable",
        );
        return None;
    }
    Some(text)
}

pub(super) fn variable_name(place: &Cursor<'_>) -> Option<String> {
    let name = place.scalar().filter(|name| {
        name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    });
    if name.is_none() {
        place.problem("this must be the name of an environment variable, like DEV_API_KEY");
    }
    name.map(str::to_owned)
}
