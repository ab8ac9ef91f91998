//! Members: who signed in here, what they may where, and by what.
//!
//! What always holds: roles come from GitHub and the configuration and are changed there; this page
//! shows what was found and has it looked at again. An admin of some apps sees who may something in
//! those, and nothing of others.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Extension, Path, State as Extract};
use axum::response::{Html, Redirect};
use chrono::{DateTime, Utc};
use model::PersonId;
use model::permission::{Action, Readable};
use serde_json::json;
use store::audit::Deed;
use store::person::{Held, Person};

use super::account::{PersonView, RoleView, person_roles};
use super::view::Time;
use super::{Shell, html};
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::login;
use crate::login::roles;
use crate::state::State;

/// The pages about who may what.
pub(super) const PAGES: [(&str, &str); 3] =
    [("Members", "/members"), ("Tokens", "/tokens"), ("Audit log", "/audit")];

/// These pages as tabs, with the one that is looked at.
pub(super) fn tabs(here: &str) -> Vec<(&'static str, &'static str, bool)> {
    PAGES.into_iter().map(|(name, url)| (name, url, url == here)).collect()
}

#[derive(Template)]
#[template(path = "members.html")]
struct MembersPage {
    shell: Shell,
    tabs: Vec<(&'static str, &'static str, bool)>,
    /// People can sign in with GitHub.
    possible: bool,
    /// Nobody needs to sign in to read.
    anonymous: bool,
    /// Whom the configuration names: (name, role).
    configured: Vec<(String, &'static str)>,
    members: Vec<MemberView>,
}

struct MemberView {
    id: String,
    login: String,
    person: PersonView,
    roles: Vec<RoleView>,
    signed_in: Time,
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Html<String>> {
    let now = state.now();
    let mut conn = state.db.acquire().await?;
    let people = store::person::list(&mut conn).await?;
    let held = store::person::roles(&mut conn).await?;
    drop(conn);
    let apps = caller.rights.allowing(Action::Configure);
    let configured = match &apps {
        Readable::All => state
            .settings
            .login
            .roles
            .iter()
            .map(|(named, role)| (named.to_string(), role.as_str()))
            .collect(),
        Readable::These(_) => Vec::new(),
    };
    html(&MembersPage {
        shell: Shell::new("Members", "people").of(&caller),
        tabs: tabs("/members"),
        possible: login::is_possible(&state),
        anonymous: state.settings.login.anonymous_read,
        configured,
        members: members(people, held, &apps, now),
    })
}

/// Those who may something that the caller administers; all of them to an admin of the server.
fn members(
    people: Vec<Person>,
    held: Vec<Held>,
    apps: &Readable,
    now: DateTime<Utc>,
) -> Vec<MemberView> {
    let mut by_person: BTreeMap<PersonId, Vec<Held>> = BTreeMap::new();
    for one in held.into_iter().filter(|one| is_of(one, apps)) {
        by_person.entry(one.person_id).or_default().push(one);
    }
    people
        .into_iter()
        .filter_map(|person| {
            let held = by_person.remove(&person.id).unwrap_or_default();
            let roles = person_roles(&person, held, now);
            let shown = *apps == Readable::All || !roles.is_empty();
            shown.then(|| MemberView {
                id: person.id.to_string(),
                person: PersonView::of(&person, now),
                roles,
                signed_in: Time::new(person.signed_in_at, now),
                login: person.login.into(),
            })
        })
        .collect()
}

/// A role in the whole server is one in each app.
fn is_of(held: &Held, apps: &Readable) -> bool {
    held.app.as_ref().is_none_or(|app| apps.includes(app))
}

/// Asks GitHub now what somebody may.
pub(super) async fn check(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Redirect> {
    let id: PersonId = segment("member", &id)?;
    let gone = || Error::NotFound(format!("there is no member {id}"));
    let mut conn = state.db.acquire().await?;
    let person = store::person::find(&mut conn, id).await?.ok_or_else(gone)?;
    let held = store::person::roles_of(&mut conn, id).await?;
    drop(conn);
    let apps = caller.rights.allowing(Action::Configure);
    let is_shown = person.granted.is_some() || held.iter().any(|one| is_of(one, &apps));
    if apps != Readable::All && !is_shown {
        return Err(gone());
    }
    roles::look(&state, &person).await?;
    let mut tx = state.db.begin().await?;
    let did = Did::of_server(Deed::CheckRoles).detail(json!({ "person": person.login }));
    audit::record(&state, &mut tx, &caller, did).await?;
    tx.commit().await.map_err(Error::internal)?;
    Ok(Redirect::to("/members"))
}
