//! Puts an app file into force: the one way settings change, for the API and for
//! `greenroom apply`.
//!
//! What always holds: all of it is the caller's transaction, so an app is never half applied, and
//! a dry run is the same work rolled back. Applying a file twice changes nothing the second time.
//! Every change leaves a numbered revision behind, and nobody else changes the app meanwhile. A
//! secret's value is never part of an answer.

use chrono::{DateTime, Utc};
use model::app::{
    AppFile, Change, SecretInput, SecretPlace, SecretSource, SecretTimes, Settings, Value, diff,
    digest_of,
};
use model::rule::Preview;
use model::stage::{StageKind, same_stage};
use model::{AppId, AppName, ParameterKey, StageName};
use secrecy::{ExposeSecret, SecretString};
use store::PgConnection;
use store::app::App;
use store::audit::{Deed, Entry, Via};
use store::secret::Secrets;
use store::stage::Stage;
use store::vault::Vault;
use uuid::Uuid;

/// What was (or, in a dry run, would be) changed.
#[derive(Debug, Clone)]
pub struct Applied {
    pub app: AppId,
    pub created: bool,
    /// Empty: everything is in force already.
    pub changes: Vec<Change>,
    /// The stages in which something runs with parameters that this changed: they are in force
    /// there with the next deployment.
    pub parameters_changed: Vec<StageName>,
    /// The number of the settings in force after it.
    pub revision: i64,
}

/// Who applies a file, and what of the process around it counts.
pub struct Applying<'a> {
    pub by: &'a str,
    pub via: Via,
    /// Reads the environment of the process that applies it.
    pub lookup: &'a (dyn Fn(&str) -> Option<SecretString> + Send + Sync),
    pub variables: Variables,
}

/// What becomes of a secret whose variable (`secret_env`) the settings in force name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variables {
    /// The variable is read again: whoever applies a file from a shell means what is set there.
    Read,
    /// The stored value stays: the file may have been applied where the variable has another value
    /// than in the server's own environment, or is not set.
    Keep,
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

/// Applies `file`.
pub async fn apply(
    conn: &mut PgConnection,
    vault: &Vault,
    file: &AppFile,
    applying: &Applying<'_>,
    now: DateTime<Utc>,
    ids: &(dyn Fn() -> Uuid + Send + Sync),
) -> Result<Applied, ApplyError> {
    let settings = &file.settings;
    store::revision::hold(conn, &settings.app).await?;
    let before = store::app::find(conn, &settings.app).await?;
    let stages = match &before {
        Some(app) => store::stage::open(conn, app.id).await?,
        None => Vec::new(),
    };
    let mistakes = taken_names(before.as_ref(), settings, &stages);
    if !mistakes.is_empty() {
        return Err(ApplyError::Mistakes(mistakes));
    }
    let mut changes = diff(before.as_ref().map(|app| &app.settings), settings);
    let id = match &before {
        Some(app) if changes.is_empty() => app.id,
        Some(_) | None => put(conn, ids(), file, now).await?,
    };
    if !changes.is_empty() {
        let app = store::app::get(conn, id).await?;
        store::order::reschedule(conn, &app).await?;
    }
    let times = store::secret::times(conn, id).await?;
    let stored = store::secret::all(conn, vault, id).await?;
    let known = before.as_ref().map(|app| &app.settings);
    let wanted = wanted(file, known, &stored, applying).map_err(ApplyError::Mistakes)?;
    for (at, value) in &wanted {
        let known = stored.get(at);
        if known.is_some_and(|known| known.expose_secret() == value.expose_secret()) {
            continue;
        }
        let (place, key) = at;
        store::secret::put(conn, vault, ids(), id, place, key, value, now).await?;
        changes.push(Change {
            path: format!("{} (value)", place.path(key)),
            from: known.map(|_| "a secret".to_owned()),
            to: Some("a new secret".to_owned()),
        });
    }
    let keep: Vec<_> = wanted.into_keys().collect();
    store::secret::retain(conn, id, &keep).await?;
    let parameters_changed = match &before {
        Some(app) => {
            let now = store::secret::times(conn, id).await?;
            changed_stages(conn, &stages, (&app.settings, &times), (settings, &now)).await?
        }
        None => Vec::new(),
    };
    if !changes.is_empty() {
        // approvers and freezes may be others by now
        store::build::mark_app(conn, id).await?;
    }
    let revision = if changes.is_empty() {
        store::revision::current(conn, id).await?
    } else {
        let who = (applying.by, applying.via);
        store::revision::insert(conn, id, settings, &changes, who, now).await?
    };
    Ok(Applied { app: id, created: before.is_none(), changes, parameters_changed, revision })
}

/// Who a revision and the audit log name where `greenroom apply` did it.
pub const COMMAND: &str = "the command line";

/// What the audit log keeps of a file that the command has put into force.
pub fn by_command(app: &AppName, changes: &[Change], now: DateTime<Utc>) -> Entry {
    let entry = Entry::by_command(Deed::Apply, changed(changes), now);
    Entry { app: Some(app.clone()), ..entry }
}

/// Changes as the audit log keeps them.
pub(crate) fn changed(changes: &[Change]) -> serde_json::Value {
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    serde_json::json!({ "changes": changes })
}

/// The stages that the file names anew and whose names previews or people have: what they hold
/// would be taken over. Of a name that pull requests share, only what is not their preview stands
/// in the way.
fn taken_names(
    before: Option<&App>,
    settings: &Settings,
    stages: &[Stage],
) -> Vec<(String, String)> {
    let known = |name: &StageName| before.is_some_and(|app| app.settings.stage(name).is_some());
    let standing = |name: &StageName| stages.iter().find(|stage| same_stage(&stage.name, name));
    let long_lived = settings
        .long_lived()
        .filter(|name| !known(name))
        .filter_map(|name| Some((format!("stages.{name}"), standing(name)?)))
        .filter(|(_, stage)| stage.kind != StageKind::LongLived);
    let shared = settings
        .shared_previews()
        .filter_map(|name| Some(("rules".to_owned(), standing(name)?)))
        .filter(|(_, stage)| !matches!(stage.preview(), Some(Preview::Shared(_))));
    let mistake = |(key, stage): (String, &Stage)| {
        let whose = match (stage.kind, &stage.branch) {
            (StageKind::LongLived, _) => "a long-lived stage".to_owned(),
            (StageKind::Preview, Some(branch)) => format!("the preview of branch {branch}"),
            (StageKind::Preview, None) => "a preview".to_owned(),
            (StageKind::Personal, _) => "a personal stage".to_owned(),
        };
        let message = format!(
            "{whose} has the name {} and still stands: remove it first, or choose another name",
            stage.name
        );
        (key, message)
    };
    long_lived.chain(shared).map(mistake).collect()
}

/// The stages whose parameters differ between two states of the app, and in which something runs
/// that was deployed with others than those of `after`.
async fn changed_stages(
    conn: &mut PgConnection,
    stages: &[Stage],
    before: (&Settings, &SecretTimes),
    after: (&Settings, &SecretTimes),
) -> Result<Vec<StageName>, ApplyError> {
    let mut found = Vec::new();
    for stage in stages {
        let digest = |(settings, times): (&Settings, &SecretTimes)| {
            digest_of(&stage.parameters_in(settings), times)
        };
        let now = digest(after);
        if digest(before) == now {
            continue;
        }
        let instances = store::instance::list(conn, stage.id).await?;
        if instances.iter().any(|instance| instance.parameters_changed(&now)) {
            found.push(stage.name.clone());
        }
    }
    Ok(found)
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

/// The value that each secret parameter is to have.
fn wanted(
    file: &AppFile,
    known: Option<&Settings>,
    stored: &Secrets,
    applying: &Applying<'_>,
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
            SecretInput::Env(name) => match kept(place, name, known, stored, applying.variables) {
                Some(value) => Ok(value),
                None => from_environment(name, applying.lookup),
            },
        };
        match value {
            Ok(value) => {
                found.insert(place.clone(), value);
            }
            Err(message) => {
                mistakes.push((place.0.path(&place.1), message));
            }
        }
    }
    if mistakes.is_empty() { Ok(found) } else { Err(mistakes) }
}

/// The stored value, where the settings in force take it from this variable already and it is to
/// stay.
fn kept(
    (place, key): &(SecretPlace, ParameterKey),
    variable: &str,
    known: Option<&Settings>,
    stored: &Secrets,
    variables: Variables,
) -> Option<SecretString> {
    match variables {
        Variables::Read => None,
        Variables::Keep => {
            let same = match source(known?, place, key)? {
                SecretSource::SecretEnv(name) => name == variable,
                SecretSource::Given(()) => false,
            };
            stored.get(&(place.clone(), key.clone())).filter(|_| same).cloned()
        }
    }
}

/// Where settings take a secret from.
fn source<'s>(
    settings: &'s Settings,
    place: &SecretPlace,
    key: &ParameterKey,
) -> Option<&'s SecretSource> {
    let parameters = match place {
        SecretPlace::Profile(name) => &settings.profiles.get(name)?.parameters,
        SecretPlace::Stage(name) => &settings.stages.get(name)?.parameters,
        SecretPlace::Receiver(name) => {
            let secrets = settings.notifications.get(name)?.secrets();
            return secrets.into_iter().find(|(own, _)| own == key).map(|(_, source)| source);
        }
    };
    match parameters.get(key)? {
        Value::Secret(source) => Some(source),
        Value::Plain(_) | Value::Remote(_) => None,
    }
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
