//! A change of settings on its way from the page that shows it to the one that saves it.
//!
//! What always holds: it travels inside the form, sealed with the server's key for one app and one
//! person, so that neither the page nor a browser's history holds the value of a secret, and what is
//! saved is what was shown.

use std::collections::BTreeMap;

use model::app::{AppFile, Problem, SecretInput, SecretPlace, parse_yaml, write};
use model::{AppName, ParameterKey};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use store::vault::Sealed;

use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::state::State;

/// The values of secrets that were typed into fields of their own.
type Typed = BTreeMap<(SecretPlace, ParameterKey), SecretString>;

pub(super) struct Draft {
    /// An app file, as it was typed or written.
    pub(super) text: String,
    /// The revision it was made from; 0: there is none yet.
    pub(super) base: i64,
    pub(super) secrets: Typed,
}

#[derive(Serialize, Deserialize)]
struct Written {
    text: String,
    base: i64,
    secrets: Vec<Secret>,
}

#[derive(Serialize, Deserialize)]
struct Secret {
    profile: Option<String>,
    stage: Option<String>,
    receiver: Option<String>,
    key: String,
    value: String,
}

impl Draft {
    /// What somebody typed; browsers end lines as Windows does.
    pub(super) fn typed(text: &str, base: i64) -> Self {
        Self { text: text.replace("\r\n", "\n"), base, secrets: Typed::new() }
    }

    /// A file as a person would write it; values of secrets it gives are kept apart.
    pub(super) fn of(file: AppFile, base: i64) -> Self {
        let given = file.secrets.into_iter().filter_map(|(place, input)| match input {
            SecretInput::Given(value) => Some((place, value)),
            SecretInput::Env(_) | SecretInput::Keep => None,
        });
        Self { text: write(&file.settings), base, secrets: given.collect() }
    }

    /// The file, with the secrets that were typed apart from it.
    pub(super) fn file(&self) -> std::result::Result<AppFile, Vec<Problem>> {
        let mut file = parse_yaml(&self.text)?;
        for (place, value) in &self.secrets {
            // the text may have lost the parameter since
            if let Some(input @ SecretInput::Keep) = file.secrets.get_mut(place) {
                *input = SecretInput::Given(value.clone());
            }
        }
        Ok(file)
    }

    pub(super) fn seal(
        &self,
        state: &State,
        caller: &Caller,
        app: Option<&AppName>,
    ) -> Result<String> {
        let secrets = self.secrets.iter().map(|((place, key), value)| {
            let (profile, stage, receiver) = match place {
                SecretPlace::Profile(name) => (Some(name.to_string()), None, None),
                SecretPlace::Stage(name) => (None, Some(name.to_string()), None),
                SecretPlace::Receiver(name) => (None, None, Some(name.to_string())),
            };
            let value = value.expose_secret().to_owned();
            Secret { profile, stage, receiver, key: key.to_string(), value }
        });
        let written =
            Written { text: self.text.clone(), base: self.base, secrets: secrets.collect() };
        let plain = serde_json::to_vec(&written).map_err(Error::internal)?;
        let sealed = state.vault.seal(&plain, &context(caller, app)).map_err(Error::internal)?;
        Ok(format!("{}.{}", sealed.key_id, digits(&sealed.ciphertext)))
    }

    /// Only what this server sealed for the same app and person opens.
    pub(super) fn open(
        state: &State,
        caller: &Caller,
        app: Option<&AppName>,
        text: &str,
    ) -> Result<Self> {
        let stale = || {
            Error::BadRequest(
                "this form was not made here, for somebody else, or before the server's key was \
                 changed; open the settings again"
                    .into(),
            )
        };
        let (key_id, ciphertext) = text.split_once('.').ok_or_else(stale)?;
        let ciphertext = bytes(ciphertext).ok_or_else(stale)?;
        let sealed = Sealed { key_id: key_id.to_owned(), ciphertext };
        let plain = state.vault.open(&sealed, &context(caller, app)).map_err(|_| stale())?;
        let written: Written = serde_json::from_slice(&plain).map_err(|_| stale())?;
        let mut secrets = Typed::new();
        for Secret { profile, stage, receiver, key, value } in written.secrets {
            let place = match (profile, stage, receiver) {
                (Some(name), None, None) => {
                    SecretPlace::Profile(name.parse().map_err(|_| stale())?)
                }
                (None, Some(name), None) => SecretPlace::Stage(name.parse().map_err(|_| stale())?),
                (None, None, Some(name)) => {
                    SecretPlace::Receiver(name.parse().map_err(|_| stale())?)
                }
                (Some(_), Some(_), _)
                | (Some(_), _, Some(_))
                | (_, Some(_), Some(_))
                | (None, None, None) => return Err(stale()),
            };
            let key = key.parse().map_err(|_| stale())?;
            secrets.insert((place, key), SecretString::from(value));
        }
        Ok(Self { text: written.text, base: written.base, secrets })
    }
}

fn context(caller: &Caller, app: Option<&AppName>) -> Vec<u8> {
    let app = app.map_or("", AppName::as_str);
    format!("settings/{app}/{}", caller.name).into_bytes()
}

fn digits(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|it| u8::try_from(it).ok());
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let found = pairs.iter().map(|[high, low]| Some(value(*high)? << 4 | value(*low)?));
    rest.is_empty().then(|| found.collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_from_their_digits() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(bytes(&digits(&all)), Some(all));
        for wrong in ["0", "0g", "é"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
