//! Account: who one is here, what one may and why, and in which browsers one is signed in.

use askama::Template;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use model::SessionId;
use model::permission::Scope;
use store::person::{Held, Person};
use store::session::Session;
use store::token::Token;

use super::view::Time;
use super::{Shell, html};
use crate::api;
use crate::auth::{Caller, Who};
use crate::error::Result;
use crate::login::roles;
use crate::state::State;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    shell: Shell,
    name: String,
    /// How it is known who this is.
    how: String,
    person: Option<PersonView>,
    roles: Vec<RoleView>,
    sessions: Vec<SessionView>,
    programs: Vec<ProgramView>,
}

/// A command line that one let in.
struct ProgramView {
    id: String,
    name: String,
    role: &'static str,
    used: Option<Time>,
    ends: Option<Time>,
}

pub(super) struct PersonView {
    pub(super) full_name: Option<String>,
    pub(super) checked: Option<Time>,
    pub(super) trouble: Option<String>,
}

/// One role, and where it comes from.
pub(super) struct RoleView {
    pub(super) place: String,
    pub(super) role: &'static str,
    pub(super) source: String,
    pub(super) checked: Option<Time>,
}

struct SessionView {
    id: String,
    agent: String,
    from: String,
    seen: Time,
    created: Time,
    /// The one in which this page is looked at.
    here: bool,
}

impl PersonView {
    pub(super) fn of(person: &Person, now: DateTime<Utc>) -> Self {
        Self {
            full_name: person.name.clone(),
            checked: person.checked_at.map(|at| Time::new(at, now)),
            trouble: person.trouble.clone(),
        }
    }
}

impl RoleView {
    pub(super) fn of(held: Held, now: DateTime<Utc>) -> Self {
        Self {
            place: place(held.app.map(String::from)),
            role: held.role.as_str(),
            source: held.source,
            checked: Some(Time::new(held.checked_at, now)),
        }
    }

    /// Where it does not come from GitHub.
    pub(super) fn given(app: Option<String>, role: &'static str, source: &str) -> Self {
        Self { place: place(app), role, source: source.to_owned(), checked: None }
    }
}

fn place(app: Option<String>) -> String {
    app.unwrap_or_else(|| "the whole server".into())
}

impl SessionView {
    fn of(session: Session, here: Option<SessionId>, now: DateTime<Utc>) -> Self {
        let unnamed = session.agent.is_empty();
        Self {
            here: here == Some(session.id),
            id: session.id.to_string(),
            agent: if unnamed { "a browser without a name".into() } else { session.agent },
            from: session.from_ip.unwrap_or_else(|| "unknown".into()),
            seen: Time::new(session.seen_at, now),
            created: Time::new(session.created_at, now),
        }
    }
}

impl ProgramView {
    fn of(token: Token, now: DateTime<Utc>) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name,
            role: token.role.as_str(),
            used: token.last_used_at.map(|at| Time::new(at, now)),
            ends: token.expires_at.map(|at| Time::new(at, now)),
        }
    }
}

pub(crate) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Html<String>> {
    let now = state.now();
    let mut conn = state.db.acquire().await?;
    let (sessions, programs) = match caller.session() {
        Some((_, owner)) => (
            store::session::list(&mut conn, owner, now).await?,
            store::token::lent_by(&mut conn, owner, now).await?,
        ),
        None => (Vec::new(), Vec::new()),
    };
    let (how, person, roles) = match &caller.who {
        Who::Person { person, .. } => {
            let held = store::person::roles_of(&mut conn, person.id).await?;
            let roles = person_roles(person, held, now);
            ("known by GitHub".to_owned(), Some(PersonView::of(person, now)), roles)
        }
        Who::Token { token, .. } => {
            let app = token.app.clone().map(String::from);
            let source = format!("the token, made by {}", token.created_by);
            let role = RoleView::given(app, token.role.as_str(), &source);
            ("known by a token".to_owned(), None, vec![role])
        }
        Who::Local | Who::Anyone | Who::Embedded | Who::Setup => {
            let role = caller.rights.role(Scope::Server).map(|role| {
                RoleView::given(None, role.as_str(), "nobody has to sign in on this machine")
            });
            ("not signed in".to_owned(), None, role.into_iter().collect())
        }
    };
    drop(conn);
    let here = caller.session().map(|(id, _)| id);
    html(&AccountPage {
        shell: Shell::new("Your account", "account").of(&caller),
        name: caller.name.clone(),
        how,
        person,
        roles,
        sessions: sessions.into_iter().map(|one| SessionView::of(one, here, now)).collect(),
        programs: programs.into_iter().map(|one| ProgramView::of(one, now)).collect(),
    })
}

/// All roles of somebody, those first that this server gave by itself.
pub(super) fn person_roles(person: &Person, held: Vec<Held>, now: DateTime<Utc>) -> Vec<RoleView> {
    let granted = person
        .granted
        .map(|role| RoleView::given(None, role.as_str(), "this server, when it was set up"));
    let counts = |one: &Held| now - one.checked_at < store::person::COUNTS_FOR;
    let held = held.into_iter().filter(counts).map(|one| RoleView::of(one, now));
    granted.into_iter().chain(held).collect()
}

/// Asks GitHub now what one may.
pub(crate) async fn check(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Redirect> {
    if let Who::Person { person, .. } = &caller.who {
        roles::look(&state, person).await?;
    }
    Ok(Redirect::to("/account"))
}

/// Ends one of one's own sessions.
pub(crate) async fn end(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Redirect> {
    let owner = caller.session().map(|(_, owner)| owner);
    api::sessions::end_session(&state, &caller, owner, &id).await?;
    Ok(Redirect::to("/account"))
}

/// Ends one of the command lines that one let in.
pub(crate) async fn revoke(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Redirect> {
    let owner = caller.session().map(|(_, owner)| owner);
    api::programs::end_program(&state, &caller, owner, &id).await?;
    Ok(Redirect::to("/account"))
}

#[derive(Template)]
#[template(path = "no_rights.html")]
struct NoRightsPage {
    shell: Shell,
    name: String,
    person: Option<PersonView>,
    /// Who can help, as far as it is known.
    admins: Vec<String>,
}

/// For somebody who is known, and may nothing.
pub(crate) async fn no_rights(state: &State, caller: &Caller) -> Result<Response> {
    let now = state.now();
    let mut conn = state.db.acquire().await?;
    let signed_in = store::person::server_admins(&mut conn).await?;
    drop(conn);
    let configured = state.settings.login.roles.admins.iter().map(ToString::to_string);
    let mut admins: Vec<String> =
        configured.chain(signed_in.into_iter().map(String::from)).collect();
    admins.sort_by_key(|name| name.to_ascii_lowercase());
    admins.dedup_by_key(|name| name.to_ascii_lowercase());
    let person = match &caller.who {
        Who::Person { person, .. } => Some(PersonView::of(person, now)),
        Who::Token { .. } | Who::Local | Who::Anyone | Who::Embedded | Who::Setup => None,
    };
    let name = caller.name.clone();
    let page = NoRightsPage { shell: Shell::plain("Nothing to see yet"), name, person, admins };
    Ok((StatusCode::FORBIDDEN, html(&page)?).into_response())
}
