//! Members: who signed in here, what they may where, and by what.
//!
//! What always holds: roles come from GitHub and the configuration and are changed there; this page
//! shows what was found and has it looked at again. An admin of some apps sees who may something in
//! those, and nothing of others.

use askama::Template;
use axum::extract::{Extension, Path, State as Extract};
use axum::response::{Html, Redirect};
use chrono::{DateTime, Utc};
use model::permission::{Action, Readable};

use super::account::{PersonView, RoleView, person_roles};
use super::view::Time;
use super::{Shell, html};
use crate::api;
use crate::api::members::Member;
use crate::auth::Caller;
use crate::error::Result;
use crate::login;
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
    let seen = api::members::seen_by(&state, &caller).await?;
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
        members: members(seen, &apps, now),
    })
}

/// Those who may something that the caller administers; all of them to an admin of the server.
fn members(seen: Vec<Member>, apps: &Readable, now: DateTime<Utc>) -> Vec<MemberView> {
    seen.into_iter()
        .filter_map(|Member { person, held }| {
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

/// Asks GitHub now what somebody may.
pub(super) async fn check(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Redirect> {
    api::members::check_member(&state, &caller, &id).await?;
    Ok(Redirect::to("/members"))
}
