//! Puts an app file into force: the one way settings change, for the API and for
//! `greenroom apply`.
//!
//! What always holds: all of it is the caller's transaction, so an app is never half applied, and
//! a dry run is the same work rolled back. Applying a file twice changes nothing the second time.
//! A secret's value is never part of an answer.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::app::{AppFile, Change, SecretInput, diff};
use model::{AppId, ParameterKey, ProfileName};
use secrecy::{ExposeSecret, SecretString};
use store::PgConnection;
use store::vault::Vault;
use uuid::Uuid;

/// What was (or, in a dry run, would be) changed.
#[derive(Debug, Clone)]
pub struct Applied {
    pub app: AppId,
    pub created: bool,
    /// Empty: everything is in force already.
    pub changes: Vec<Change>,
}

/// Why a file cannot be put into force.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The place in the file, and what to mend there.
    #[error("{}", .0.iter().map(|(key, message)| format!("{key}: {message}")).collect::<Vec<_>>().join("; "))]
    Mistakes(Vec<(String, String)>),
    #[error(transparent)]
    Store(#[from] store::Error),
}

type Secrets = BTreeMap<(ProfileName, ParameterKey), SecretString>;

/// Applies `file`. `lookup` reads the environment of the process that applies it.
pub async fn apply(
    conn: &mut PgConnection,
    vault: &Vault,
    file: &AppFile,
    lookup: &(dyn Fn(&str) -> Option<SecretString> + Send + Sync),
    now: DateTime<Utc>,
    ids: &(dyn Fn() -> Uuid + Send + Sync),
) -> Result<Applied, ApplyError> {
    let settings = &file.settings;
    let before = store::app::find(conn, &settings.app).await?;
    let mut changes = diff(before.as_ref().map(|app| &app.settings), settings);
    let id = match &before {
        Some(app) if changes.is_empty() => app.id,
        Some(_) | None => put(conn, ids(), file, now).await?,
    };
    let stored = stored(conn, vault, id, file).await?;
    let wanted = wanted(file, &stored, lookup).map_err(ApplyError::Mistakes)?;
    for ((profile, key), value) in &wanted {
        let known = stored.get(&(profile.clone(), key.clone()));
        if known.is_some_and(|known| known.expose_secret() == value.expose_secret()) {
            continue;
        }
        store::secret::put(conn, vault, ids(), id, profile, key, value, now).await?;
        changes.push(Change {
            path: format!("profiles.{profile}.parameters.{key} (value)"),
            from: known.map(|_| "a secret".to_owned()),
            to: Some("a new secret".to_owned()),
        });
    }
    let keep: Vec<_> = wanted.into_keys().collect();
    store::secret::retain(conn, id, &keep).await?;
    Ok(Applied { app: id, created: before.is_none(), changes })
}

async fn put(
    conn: &mut PgConnection,
    new_id: Uuid,
    file: &AppFile,
    now: DateTime<Utc>,
) -> Result<AppId, ApplyError> {
    let settings = &file.settings;
    // asked first: a refused statement would end the caller's transaction
    let other = store::app::find_by_repository(conn, &settings.repository).await?;
    if let Some(other) = other.filter(|other| other.name != settings.app) {
        return Err(ApplyError::Mistakes(vec![(
            "repository".into(),
            format!("{} belongs to the app {} already", settings.repository, other.name),
        )]));
    }
    Ok(store::app::put(conn, AppId(new_id), settings, now).await?)
}

async fn stored(
    conn: &mut PgConnection,
    vault: &Vault,
    app: AppId,
    file: &AppFile,
) -> Result<Secrets, ApplyError> {
    let mut found = Secrets::new();
    for profile in file.settings.profiles.keys() {
        let secrets = store::secret::open(conn, vault, app, profile).await?;
        found.extend(secrets.into_iter().map(|(key, value)| ((profile.clone(), key), value)));
    }
    Ok(found)
}

/// The value that each secret parameter is to have.
fn wanted(
    file: &AppFile,
    stored: &Secrets,
    lookup: &(dyn Fn(&str) -> Option<SecretString> + Send + Sync),
) -> Result<Secrets, Vec<(String, String)>> {
    let mut found = Secrets::new();
    let mut mistakes = Vec::new();
    for (place, input) in &file.secrets {
        let value = match input {
            SecretInput::Given(value) => Ok(value.clone()),
            SecretInput::Keep => stored
                .get(place)
                .cloned()
                .ok_or_else(|| "no value is stored for this secret yet: give one".to_owned()),
            SecretInput::Env(name) => from_environment(name, lookup),
        };
        match value {
            Ok(value) => {
                found.insert(place.clone(), value);
            }
            Err(message) => {
                mistakes.push((format!("profiles.{}.parameters.{}", place.0, place.1), message));
            }
        }
    }
    if mistakes.is_empty() { Ok(found) } else { Err(mistakes) }
}

/// Whoever may change settings must not be able to read the server's own credentials through them.
fn from_environment(
    name: &str,
    lookup: &(dyn Fn(&str) -> Option<SecretString> + Send + Sync),
) -> Result<SecretString, String> {
    if ["AWS_", "GREENROOM_"].iter().any(|own| name.to_ascii_uppercase().starts_with(own)) {
        return Err(format!(
            "{name} is the server's own: variables that begin with AWS_ or GREENROOM_ cannot be \
             parameters; choose another name"
        ));
    }
    lookup(name).ok_or_else(|| {
        format!(
            "the environment variable {name} is not set where the file is applied: set it there"
        )
    })
}
