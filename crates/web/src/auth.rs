//! Who calls, and whether that one may.
//!
//! What always holds: a token is looked up by its hash and never logged; a token that cannot be
//! found, one that was revoked and one that is over get the same answer.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::people::Known;
use model::permission::{Action, Rights, Role, Scope};
use model::{AppName, SessionId};
use secrecy::ExposeSecret;
use store::audit::Via;
use store::person::Person;
use store::session::Owner;
use store::token::Token;

use crate::error::{Error, Result};
use crate::login::roles;
use crate::once::Once;
use crate::state::State;

/// Someone who calls, and what they may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// As logs and pages call them.
    pub(crate) name: String,
    pub(crate) rights: Rights,
    pub(crate) who: Who,
    pub(crate) via: Via,
    /// As this server sees it: of a proxy, where there is one.
    pub(crate) from: Option<IpAddr>,
    /// By which key the request is known, if it is sent again.
    pub(crate) once: Option<Once>,
}

/// How it is known who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    /// It is not: everybody may look.
    Anyone,
    /// By being on this machine.
    Local,
    /// The worker inside this process.
    Embedded,
    /// By the printed link: for the setup pages alone.
    Setup,
    /// By a token, or by a session that was begun with one.
    Token { token: Box<Token>, session: Option<SessionId> },
    /// By GitHub, when the session was begun or the token was made.
    Person { person: Box<Person>, known: Known, by: By },
}

/// What a person shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum By {
    Session(SessionId),
    /// Of a command line that the person let in: it may no more than the token's role.
    Token(Box<Token>),
}

impl Caller {
    pub(crate) fn allows(&self, action: Action, app: &AppName) -> bool {
        self.rights.allows(action, Scope::App(app))
    }

    /// An error that says which role it takes, unless the caller may do it there.
    pub(crate) fn may(&self, action: Action, scope: Scope<'_>) -> Result<()> {
        if self.rights.allows(action, scope) {
            return Ok(());
        }
        let needed = match action {
            Action::Read => "viewer, deployer or admin",
            Action::Build => "deployer or admin",
            Action::Configure => "admin",
            Action::Work => "worker",
        };
        let place = match scope {
            Scope::Server => "this server".to_owned(),
            Scope::App(app) => format!("{app}"),
        };
        let held = self.held(scope);
        Err(Error::Forbidden(format!("{} has {held} in {place}; this needs {needed}", self.name)))
    }

    /// The role there, in words.
    pub(crate) fn held(&self, scope: Scope<'_>) -> String {
        self.rights
            .role(scope)
            .map_or_else(|| "no role".to_owned(), |role| format!("the role {}", role.as_str()))
    }

    /// Whether the caller may decide about deploys that these are named to approve.
    pub(crate) fn may_approve(&self, app: &AppName, approvers: &[String]) -> bool {
        let role = self.rights.role(Scope::App(app));
        role.is_some_and(|role| role.may_approve(&self.known(), approvers))
    }

    /// By what settings name the caller.
    fn known(&self) -> Known {
        match &self.who {
            Who::Anyone | Who::Local | Who::Embedded | Who::Setup => Known::Unnamed,
            Who::Token { token, .. } => Known::Token(token.name.clone()),
            Who::Person { known, .. } => known.clone(),
        }
    }

    /// The token that the caller shows.
    pub(crate) fn token(&self) -> Option<&Token> {
        match &self.who {
            Who::Token { token, .. } | Who::Person { by: By::Token(token), .. } => Some(token),
            Who::Person { by: By::Session(_), .. }
            | Who::Anyone
            | Who::Local
            | Who::Embedded
            | Who::Setup => None,
        }
    }

    /// Whose sessions and command lines the caller's are.
    pub(crate) fn owner(&self) -> Option<Owner> {
        match &self.who {
            Who::Person { person, .. } => Some(Owner::Person(person.id)),
            Who::Token { token, .. } => Some(Owner::Token(token.id)),
            Who::Anyone | Who::Local | Who::Embedded | Who::Setup => None,
        }
    }

    /// The session of the caller's browser, and whose it is.
    pub(crate) fn session(&self) -> Option<(SessionId, Owner)> {
        match &self.who {
            Who::Anyone | Who::Local | Who::Embedded | Who::Setup => None,
            Who::Token { token, session } => session.map(|id| (id, Owner::Token(token.id))),
            Who::Person { person, by: By::Session(session), .. } => {
                Some((*session, Owner::Person(person.id)))
            }
            Who::Person { by: By::Token(_), .. } => None,
        }
    }
}

/// The caller that the bearer token names.
pub(crate) async fn bearer(state: &State, headers: &HeaderMap) -> Result<Caller> {
    let token = bearer_token(headers).ok_or_else(|| {
        Error::Unauthorized(
            "send a token: `Authorization: Bearer …` (made by `greenroom login` or `greenroom token \
             create`)"
                .into(),
        )
    })?;
    by_token(state, token).await?.ok_or_else(|| {
        Error::Unauthorized("this token is not known here, was revoked, or is over".into())
    })
}

pub(crate) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// The password of basic authentication (RFC 7617); whatever the name is.
pub(crate) fn password(headers: &HeaderMap) -> Option<String> {
    let (scheme, pair) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let pair = scheme.eq_ignore_ascii_case("basic").then(|| BASE64.decode(pair.trim()))?.ok()?;
    let (_, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    (!password.is_empty()).then(|| password.to_owned())
}

/// The caller that a token names. It is looked up by its hash, so how long that takes tells nothing
/// of the text.
pub(crate) async fn by_token(state: &State, text: &str) -> Result<Option<Caller>> {
    if let Some(embedded) = &state.settings.embedded_worker_token {
        let (given, expected) = (digest(&SHA256, text.as_bytes()), embedded.expose_secret());
        if digest(&SHA256, expected.as_bytes()).as_ref() == given.as_ref() {
            return Ok(Some(Caller {
                name: "the embedded worker".into(),
                rights: Rights::everywhere(Role::Worker),
                who: Who::Embedded,
                via: Via::Api,
                from: None,
                once: None,
            }));
        }
    }
    let (now, hash) = (state.now(), store::token::hash(text));
    let mut conn = state.db.acquire().await?;
    let Some(token) = store::token::find_by_hash(&mut conn, &hash, now).await? else {
        return Ok(None);
    };
    store::token::used(&mut conn, &token, now).await?;
    let Some(person) = token.person else { return Ok(Some(of_token(token, None))) };
    let person = store::person::find(&mut conn, person).await?;
    drop(conn);
    let Some(person) = person else { return Ok(None) };
    let standing = roles::standing(state, person).await?;
    Ok(Some(Caller { via: Via::Api, ..of_person(standing, By::Token(Box::new(token))) }))
}

/// Somebody as GitHub knows them; a command line is that one too, and may at most what it was lent.
pub(crate) fn of_person((person, rights, known): (Person, Rights, Known), by: By) -> Caller {
    let rights = match &by {
        By::Session(_) => rights,
        By::Token(token) => rights.at_most(token.role),
    };
    Caller {
        name: person.login.to_string(),
        rights,
        who: Who::Person { person: Box::new(person), known, by },
        via: Via::Page,
        from: None,
        once: None,
    }
}

/// Whoever holds this token.
pub(crate) fn of_token(token: Token, session: Option<SessionId>) -> Caller {
    Caller {
        name: token.name.clone(),
        rights: token.rights(),
        who: Who::Token { token: Box::new(token), session },
        via: Via::Api,
        from: None,
        once: None,
    }
}
