//! Saves an app's settings for whoever asks, by the API or on a page: looked at against GitHub,
//! applied, written down and told to the engine, all by [`crate::apply`].
//!
//! What always holds: what is foreseen and what is saved go the same way, the one rolled back and
//! the other not; a file that was made against a revision is saved only while that one is in force.

use model::AppName;
use model::app::AppFile;
use model::permission::{Action, Scope};
use store::PgConnection;
use store::audit::Deed;
use store::signals::Topic;

use crate::apply::{Applied, ApplyError, Applying, Variables, apply, changed};
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Mistake, Result};
use crate::state::State;

/// What the settings in force may be for a file to be saved over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    Any,
    /// There is no such app yet.
    New,
    /// This revision.
    Revision(i64),
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    Done(Applied),
    /// Somebody changed the settings since: this revision is in force now. Nothing was done.
    Moved(i64),
}

/// What saving the file would change; nothing is.
pub(crate) async fn foresee(
    state: &State,
    caller: &Caller,
    file: &AppFile,
    (base, variables): (Base, Variables),
) -> Result<Outcome> {
    repository_id(state, file).await?;
    let mut tx = state.db.begin().await?;
    let outcome = applied(state, &mut tx, caller, file, (base, variables)).await;
    tx.rollback().await.map_err(Error::internal)?;
    outcome
}

pub(crate) async fn save(
    state: &State,
    caller: &Caller,
    file: &AppFile,
    (base, variables): (Base, Variables),
) -> Result<Outcome> {
    let name = &file.settings.app;
    let repository_id = repository_id(state, file).await?;
    let mut tx = state.db.begin().await?;
    let applied = match applied(state, &mut tx, caller, file, (base, variables)).await? {
        Outcome::Done(applied) => applied,
        moved @ Outcome::Moved(_) => return Ok(moved),
    };
    if let Some(id) = repository_id {
        let repository = &file.settings.repository;
        store::app::set_repository(&mut tx, applied.app, repository, Some(id)).await?;
    }
    if !applied.changes.is_empty() {
        let did = Did::new(Deed::Apply, name).detail(changed(&applied.changes));
        audit::record(state, &mut tx, caller, did).await?;
    }
    tx.commit().await.map_err(Error::internal)?;
    if !applied.changes.is_empty() {
        tracing::info!(app = %name, by = caller.name, changes = applied.changes.len(), "settings changed");
    }
    state.signals.wake_engine();
    state.signals.touched(Topic::Board);
    Ok(Outcome::Done(applied))
}

async fn applied(
    state: &State,
    tx: &mut PgConnection,
    caller: &Caller,
    file: &AppFile,
    (base, variables): (Base, Variables),
) -> Result<Outcome> {
    let name = &file.settings.app;
    let held = store::revision::hold(tx, name).await?;
    match (base, held) {
        (Base::New, Some(_)) => {
            let message = format!(
                "there is an app {name} already: choose another name, or change that one on its page"
            );
            return Err(Error::invalid("app", message));
        }
        (Base::Revision(wanted), Some(app)) => {
            let current = store::revision::current(tx, app).await?;
            if current != wanted {
                return Ok(Outcome::Moved(current));
            }
        }
        (Base::Any | Base::New, _) | (Base::Revision(_), None) => {}
    }
    let applying = Applying {
        by: &caller.name,
        via: caller.via,
        lookup: &*state.settings.secret_env,
        variables,
    };
    let (now, ids) = (state.now(), &*state.ids);
    let applied = apply(tx, &state.vault, file, &applying, now, ids).await.map_err(mistakes)?;
    Ok(Outcome::Done(applied))
}

/// An app that is there is its admins' to change, a new one the server's.
pub(crate) async fn may_save(state: &State, caller: &Caller, name: &AppName) -> Result<()> {
    let mut conn = state.db.acquire().await?;
    // one that the caller may not read is told like one that is not there
    let known =
        caller.allows(Action::Read, name) && store::app::find(&mut conn, name).await?.is_some();
    caller.may(Action::Configure, if known { Scope::App(name) } else { Scope::Server })
}

fn mistakes(error: ApplyError) -> Error {
    match error {
        ApplyError::Mistakes(found) => Error::Invalid(
            found.into_iter().map(|(key, message)| Mistake { key, message }).collect(),
        ),
        ApplyError::Store(error) => error.into(),
    }
}

/// GitHub's number of the repository. A repository that our identity cannot see is a mistake of
/// the file; a GitHub that does not answer is not.
async fn repository_id(state: &State, file: &AppFile) -> Result<Option<i64>> {
    let Some(github) = state.github.get() else { return Ok(None) };
    match github.repository(&file.settings.repository).await {
        Ok(repository) => Ok(i64::try_from(repository.id).ok()),
        Err(error) if error.is_transient() => {
            tracing::warn!(%error, "the repository was not looked up");
            Ok(None)
        }
        Err(error) => Err(Error::invalid("repository", error.to_string())),
    }
}
