//! Tokens: for programs and for who does not sign in with GitHub. Listed, made, revoked.

use askama::Template;
use axum::extract::{Extension, Form, Path, State as Extract};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use chrono::{DateTime, TimeDelta, Utc};
use model::permission::{Action, Readable, Role};
use secrecy::ExposeSecret;
use serde::Deserialize;
use store::token::Token;

use super::members::tabs;
use super::view::{Badge, Time};
use super::{Shell, html};
use crate::api::tokens::{Wanted, make, of_caller, revocable, revoke_token};
use crate::auth::Caller;
use crate::error::{Error, Mistake, Result};
use crate::extract::value;
use crate::state::State;

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    shell: Shell,
    tabs: Vec<(&'static str, &'static str, bool)>,
    /// The one that was just made: (name, text). Shown this once.
    made: Option<(String, String)>,
    tokens: Vec<TokenView>,
    form: FormView,
}

struct TokenView {
    id: String,
    name: String,
    badge: Badge,
    role: &'static str,
    app: String,
    created_by: String,
    created: Time,
    expires: Option<Time>,
    used: Option<Time>,
    revocable: bool,
}

/// The form as it was filled in, with what is wrong with it.
struct FormView {
    /// The caller may make one for the whole server.
    everywhere: bool,
    apps: Vec<String>,
    filled: Filled,
    mistakes: Vec<Mistake>,
}

impl FormView {
    fn mistake(&self, key: &str) -> Option<&str> {
        let found = self.mistakes.iter().find(|mistake| mistake.key == key);
        found.map(|mistake| mistake.message.as_str())
    }

    /// Those that belong to no field.
    fn others(&self) -> Vec<&str> {
        let of_field = |key: &str| ["name", "role", "app", "expires_at"].contains(&key);
        let others = self.mistakes.iter().filter(|mistake| !of_field(&mistake.key));
        others.map(|mistake| mistake.message.as_str()).collect()
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    name: String,
    #[serde(default)]
    role: String,
    /// Empty: the whole server.
    #[serde(default)]
    app: String,
    /// Days; empty: for ever.
    #[serde(default)]
    days: String,
}

impl TokenView {
    fn of(token: Token, now: DateTime<Utc>) -> Self {
        let is_over = token.expires_at.is_some_and(|end| end <= now);
        let badge = match (token.revoked_at.is_some(), is_over) {
            (true, _) => Badge::new("off", "revoked"),
            (false, true) => Badge::new("moot", "over"),
            (false, false) => Badge::new("ok", "in force"),
        };
        Self {
            id: token.id.to_string(),
            badge,
            role: token.role.as_str(),
            app: token.app.map_or_else(|| "the whole server".into(), String::from),
            created: Time::new(token.created_at, now),
            expires: token.expires_at.map(|at| Time::new(at, now)),
            used: token.last_used_at.map(|at| Time::new(at, now)),
            revocable: token.revoked_at.is_none() && !is_over,
            created_by: token.created_by,
            name: token.name,
        }
    }
}

async fn page(
    state: &State,
    caller: &Caller,
    made: Option<(String, String)>,
    filled: Filled,
    mistakes: Vec<Mistake>,
) -> Result<Html<String>> {
    let now = state.now();
    let tokens = of_caller(state, caller).await?;
    let mut conn = state.db.acquire().await?;
    let apps = store::app::list(&mut conn).await?;
    drop(conn);
    let configurable = caller.rights.allowing(Action::Configure);
    let apps = apps.into_iter().map(|app| app.name).filter(|app| configurable.includes(app));
    html(&TokensPage {
        shell: Shell::new("Tokens", "people").of(caller),
        tabs: tabs("/tokens"),
        made,
        tokens: tokens.into_iter().map(|token| TokenView::of(token, now)).collect(),
        form: FormView {
            everywhere: configurable == Readable::All,
            apps: apps.map(String::from).collect(),
            filled,
            mistakes,
        },
    })
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Html<String>> {
    let filled = Filled { role: "deployer".into(), days: "90".into(), ..Filled::default() };
    page(&state, &caller, None, filled, Vec::new()).await
}

/// Answers with the page itself instead of leading there: the text is shown this once.
pub(super) async fn create(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Filled>,
) -> Result<Response> {
    let made = match wanted(&filled, state.now()) {
        Ok(wanted) => make(&state, &caller, wanted).await,
        Err(error) => Err(error),
    };
    match made {
        Ok((text, token)) => {
            let made = Some((token.name, text.expose_secret().to_owned()));
            let page = page(&state, &caller, made, Filled::default(), Vec::new()).await?;
            Ok((StatusCode::CREATED, page).into_response())
        }
        Err(Error::Invalid(mistakes)) => {
            let page = page(&state, &caller, None, filled, mistakes).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        Err(error) => Err(error),
    }
}

fn wanted(filled: &Filled, now: DateTime<Utc>) -> Result<Wanted> {
    let role = match filled.role.as_str() {
        "admin" => Role::Admin,
        "deployer" => Role::Deployer,
        "viewer" => Role::Viewer,
        "worker" => Role::Worker,
        _ => return Err(Error::invalid("role", "take admin, deployer, viewer or worker")),
    };
    let days: Option<u32> = match filled.days.trim() {
        "" => None,
        days => Some(value("expires_at", days)?),
    };
    Ok(Wanted {
        name: filled.name.clone(),
        role,
        app: Some(filled.app.clone()),
        expires_at: days.map(|days| now + TimeDelta::days(i64::from(days))),
    })
}

#[derive(Template)]
#[template(path = "token_revoke.html")]
struct RevokePage {
    shell: Shell,
    token: TokenView,
}

pub(super) async fn ask(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Html<String>> {
    let token = revocable(&state, &caller, &id).await?;
    html(&RevokePage {
        shell: Shell::new(format!("Revoke {}", token.name), "people").of(&caller),
        token: TokenView::of(token, state.now()),
    })
}

pub(super) async fn revoke(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Redirect> {
    revoke_token(&state, &caller, &id).await?;
    Ok(Redirect::to("/tokens"))
}
