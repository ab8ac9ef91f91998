//! Who calls, and whether that one may.
//!
//! What always holds: a token is looked up by its hash and never logged; a token that cannot be
//! found and one that was revoked get the same answer.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use model::permission::{Action, Role};
use secrecy::ExposeSecret;
use store::audit::Via;

use crate::error::{Error, Result};
use crate::state::State;

/// Someone who showed who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) via: Via,
    /// As this server sees it: of a proxy, where there is one.
    pub(crate) from: Option<IpAddr>,
}

impl Caller {
    pub(crate) fn may(&self, action: Action) -> Result<()> {
        if self.role.allows(action) {
            return Ok(());
        }
        let needed = match action {
            Action::Read => "viewer, deployer or admin",
            Action::Build => "deployer or admin",
            Action::Configure => "admin",
            Action::Work => "worker",
        };
        Err(Error::Forbidden(format!(
            "{} has the role {}; this needs {needed}",
            self.name,
            self.role.as_str()
        )))
    }
}

/// The caller that the bearer token names, if it may do `action`.
pub(crate) async fn bearer(state: &State, headers: &HeaderMap, action: Action) -> Result<Caller> {
    let token = bearer_token(headers).ok_or_else(|| {
        Error::Unauthorized(
            "send a token: `Authorization: Bearer …` (made by `greenroom token create`)".into(),
        )
    })?;
    let caller = by_token(state, token).await?.ok_or_else(|| {
        Error::Unauthorized("this token is not known here, or was revoked".into())
    })?;
    caller.may(action)?;
    Ok(caller)
}

pub(crate) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// Comparing hashes takes the same time wherever the texts differ.
pub(crate) async fn by_token(state: &State, token: &str) -> Result<Option<Caller>> {
    let hash = digest(&SHA256, token.as_bytes());
    if let Some(embedded) = &state.settings.embedded_worker_token {
        let expected = digest(&SHA256, embedded.expose_secret().as_bytes());
        if expected.as_ref() == hash.as_ref() {
            let name = "the embedded worker".into();
            return Ok(Some(Caller { name, role: Role::Worker, via: Via::Api, from: None }));
        }
    }
    let mut conn = state.db.acquire().await?;
    let found = store::token::find_by_hash(&mut conn, hash.as_ref()).await?;
    Ok(found.map(|token| Caller { name: token.name, role: token.role, via: Via::Api, from: None }))
}
