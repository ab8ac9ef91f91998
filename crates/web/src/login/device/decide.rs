//! Whoever is signed in says of a program whether it is let in, as what, and for how long.

use chrono::{DateTime, TimeDelta, Utc};
use model::permission::Role;
use serde_json::json;
use store::PgConnection;
use store::audit::Deed;
use store::device::{Device, Grant};
use store::session::Owner;

use super::code::UserCode;
use crate::audit::{self, Did};
use crate::auth::{By, Caller, Who};
use crate::error::{Error, Result};
use crate::state::State;

/// For how many days a program may be let in, with the words for it.
pub(crate) const DAYS: [(u16, &str); 5] =
    [(1, "a day"), (7, "a week"), (30, "30 days"), (90, "90 days"), (365, "a year")];
pub(crate) const USUAL_DAYS: u16 = 30;

/// What came of a code that somebody entered.
pub(crate) enum Found {
    Waiting(Device),
    /// None that is shown anywhere now.
    Nothing,
    /// Too many that were none.
    TooMany,
}

/// The program that shows this code. A wrong one counts.
pub(crate) async fn find(state: &State, caller: &Caller, text: &str) -> Result<Found> {
    let now = state.now();
    let mut tx = state.db.begin().await?;
    if !store::device::may_try(&mut tx, &caller.name, now).await? {
        return Ok(Found::TooMany);
    }
    let device = match UserCode::parse(text) {
        Some(code) => store::device::waiting(&mut tx, &code.hash(), now).await?,
        None => None,
    };
    let found = match device {
        Some(device) => Found::Waiting(device),
        None => {
            store::device::missed(&mut tx, &caller.name, now).await?;
            Found::Nothing
        }
    };
    tx.commit().await.map_err(Error::internal)?;
    Ok(found)
}

/// The roles that the caller can lend, the strongest first.
pub(crate) fn lendable(caller: &Caller) -> &'static [Role] {
    match caller.rights.strongest() {
        Some(Role::Admin) => &[Role::Admin, Role::Deployer, Role::Viewer],
        Some(Role::Deployer) => &[Role::Deployer, Role::Viewer],
        Some(Role::Viewer) => &[Role::Viewer],
        Some(Role::Worker) | None => &[],
    }
}

/// Lets the program in; whether it still waited.
pub(crate) async fn grant(
    state: &State,
    caller: &Caller,
    device: &Device,
    role: Role,
    days: u16,
) -> Result<bool> {
    if !lendable(caller).contains(&role) {
        let message = format!("{} has not the role {} to lend", caller.name, role.as_str());
        return Err(Error::invalid("role", message));
    }
    let now = state.now();
    let wanted = now + TimeDelta::days(i64::from(days));
    let mut tx = state.db.begin().await?;
    let grant = lent(&mut tx, caller, role, wanted).await?;
    let done = store::device::grant(&mut tx, device.id, &grant, now).await?;
    tx.commit().await.map_err(Error::internal)?;
    Ok(done)
}

/// What the caller has to give: only in a browser, so that no program lets in another.
async fn lent(
    conn: &mut PgConnection,
    caller: &Caller,
    role: Role,
    wanted: DateTime<Utc>,
) -> Result<Grant> {
    let by = caller.name.clone();
    let grant = |owner| Grant { by, owner, role, app: None, expires_at: wanted };
    match &caller.who {
        Who::Person { person, by: By::Session(_), .. } => Ok(grant(Some(Owner::Person(person.id)))),
        Who::Token { token, session: Some(_) } => {
            let app = match &token.app {
                Some(name) => store::app::find(conn, name).await?.map(|app| app.id),
                None => None,
            };
            let own = token.expires_at.unwrap_or(wanted);
            let grant = grant(Some(Owner::Token(token.id)));
            Ok(Grant { app, expires_at: wanted.min(own), ..grant })
        }
        Who::Local => Ok(grant(None)),
        Who::Person { by: By::Token(_), .. }
        | Who::Token { session: None, .. }
        | Who::Anyone
        | Who::Embedded
        | Who::Setup => Err(Error::Forbidden(
            "a program is let in from a browser in which somebody is signed in".into(),
        )),
    }
}

/// Turns the program away; whether it still waited.
pub(crate) async fn refuse(state: &State, caller: &Caller, device: &Device) -> Result<bool> {
    let mut tx = state.db.begin().await?;
    let done = store::device::refuse(&mut tx, device.id, state.now()).await?;
    if done {
        // of whom it came from, who refuses knows no more than this
        let did = Did::of_server(Deed::RefuseToken).detail(json!({
            "machine": device.machine,
            "asked_from": device.from_ip,
            "role": device.role,
            "for": "a command line",
        }));
        audit::record(state, &mut tx, caller, did).await?;
    }
    tx.commit().await.map_err(Error::internal)?;
    let from = device.from_ip.as_deref().unwrap_or("unknown");
    tracing::warn!(by = caller.name, machine = device.machine, from, "a program was refused");
    Ok(done)
}
