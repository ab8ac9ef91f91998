//! Writes down what people do, in the transaction in which they do it.

use model::permission::{Action, Readable, Scope};
use model::{AppName, StageName};
use serde_json::{Value, json};
use store::PgConnection;
use store::audit::{About, Deed, Entry};

use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::state::State;

/// What is needed to read the log: it has the addresses that people came from.
pub(crate) const READERS: Action = Action::Configure;

/// The entries that the caller may read: of this app, or of all that they administer.
pub(crate) fn readable(caller: &Caller, app: Option<AppName>) -> Result<About> {
    match (app, caller.rights.allowing(READERS)) {
        (Some(app), apps) if apps.includes(&app) => Ok(About::Apps(vec![app])),
        (Some(app), _) => Err(Error::NotFound(format!("there is no app {:?}", app.as_str()))),
        (None, Readable::All) => Ok(About::All),
        (None, Readable::These(apps)) => Ok(About::Apps(apps.into_iter().collect())),
    }
}

/// What somebody did; where the caller was all there is to say.
pub(crate) struct Did<'a> {
    pub(crate) deed: Deed,
    pub(crate) app: Option<&'a AppName>,
    pub(crate) stage: Option<&'a StageName>,
    pub(crate) build: Option<i64>,
    /// An object; never a secret.
    pub(crate) detail: Value,
}

impl<'a> Did<'a> {
    pub(crate) fn new(deed: Deed, app: &'a AppName) -> Self {
        Self { deed, app: Some(app), stage: None, build: None, detail: json!({}) }
    }

    /// Of no app.
    pub(crate) fn of_server(deed: Deed) -> Self {
        Self { deed, app: None, stage: None, build: None, detail: json!({}) }
    }

    pub(crate) fn stage(self, stage: impl Into<Option<&'a StageName>>) -> Self {
        Self { stage: stage.into(), ..self }
    }

    pub(crate) fn build(self, number: i64) -> Self {
        Self { build: Some(number), ..self }
    }

    pub(crate) fn detail(self, detail: Value) -> Self {
        Self { detail, ..self }
    }
}

pub(crate) async fn record(
    state: &State,
    conn: &mut PgConnection,
    caller: &Caller,
    did: Did<'_>,
) -> Result<()> {
    let scope = did.app.map_or(Scope::Server, Scope::App);
    let entry = Entry {
        at: state.now(),
        who: caller.name.clone(),
        role: caller.rights.role(scope),
        via: caller.via,
        from: caller.from,
        deed: did.deed,
        app: did.app.cloned(),
        stage: did.stage.cloned(),
        build: did.build,
        detail: did.detail,
    };
    store::audit::record(conn, state.id(), &entry).await?;
    match &caller.once {
        Some(once) => once.done(state, conn, &entry).await,
        None => Ok(()),
    }
}
