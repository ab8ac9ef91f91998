//! Who calls: the App by its JWT, its installation by a minted token, a person by a personal access
//! token, or nobody. And what each may see and do.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

use crate::clock::now;
use crate::rest::ApiError;
use crate::state::{APP_ID, APP_SLUG, DEVELOPER, Repo, Shared, Stand};

/// An App's JWT may not live longer than this.
const JWT_LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// Clocks may differ by this much.
const CLOCK_DRIFT: TimeDelta = TimeDelta::seconds(60);

/// An installation token.
#[derive(Clone, Debug)]
pub(crate) struct MintedToken {
    pub(crate) token: String,
    pub(crate) expires_at: DateTime<Utc>,
    /// The ids of the repositories that it is restricted to.
    pub(crate) repositories: Option<Vec<u64>>,
    /// `{"contents": "read", …}`
    pub(crate) permissions: Map<String, Value>,
}

/// Who is behind a request.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Nobody,
    App,
    Installation(MintedToken),
    Person,
    /// Somebody by OAuth, who lets a client ask who they are and no more.
    SignedIn(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Caller {
    /// The name that is written under what the caller makes.
    pub(crate) fn login(&self) -> String {
        match self {
            Self::App | Self::Installation(_) => format!("{APP_SLUG}[bot]"),
            Self::Person | Self::Nobody => DEVELOPER.to_owned(),
            Self::SignedIn(login) => login.clone(),
        }
    }

    pub(crate) fn sees(&self, repo: &Repo) -> bool {
        match self {
            Self::Nobody | Self::App | Self::SignedIn(_) => !repo.private,
            Self::Person => repo.granted || !repo.private,
            Self::Installation(token) => {
                let listed = token.repositories.as_ref().is_none_or(|ids| ids.contains(&repo.id));
                (repo.granted && listed) || !repo.private
            }
        }
    }

    /// Whether the caller may touch one kind of thing (`statuses`, `contents`, …) of a repository
    /// that it sees.
    pub(crate) fn may(&self, repo: &Repo, permission: &str, access: Access) -> bool {
        match self {
            Self::Nobody | Self::App | Self::SignedIn(_) => access == Access::Read,
            Self::Person => repo.granted || access == Access::Read,
            Self::Installation(token) => {
                let held = token.permissions.get(permission).and_then(Value::as_str);
                match access {
                    Access::Read => held.is_some() || permission == "metadata",
                    Access::Write => repo.granted && matches!(held, Some("write" | "admin")),
                }
            }
        }
    }
}

impl Shared {
    /// Finds out who presents this token; nothing when nobody could.
    pub(crate) fn who_presents(&self, token: &str) -> Option<Caller> {
        let minted = {
            let state = self.state();
            if state.personal_tokens.iter().any(|known| known == token) {
                return Some(Caller::Person);
            }
            if let Some(login) = state.people.tokens.get(token) {
                return Some(Caller::SignedIn(login.clone()));
            }
            state.minted_tokens.iter().find(|known| known.token == token).cloned()
        };
        if let Some(minted) = minted {
            return (minted.expires_at > now()).then_some(Caller::Installation(minted));
        }
        None
    }

    /// Who sends a request with these headers, to REST or to git.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        let Some(header) = headers.get(AUTHORIZATION) else {
            return Ok(Caller::Nobody);
        };
        let header = header.to_str().map_err(|_| ApiError::bad_credentials())?;
        let (scheme, value) = header.split_once(' ').unwrap_or((header, ""));
        let value = value.trim();
        let token = match scheme.to_ascii_lowercase().as_str() {
            "bearer" | "token" => value.to_owned(),
            "basic" => basic_password(value).ok_or_else(ApiError::bad_credentials)?,
            _ => return Err(ApiError::bad_credentials()),
        };
        if token.matches('.').count() == 2 {
            self.check_jwt(&token)?;
            return Ok(Caller::App);
        }
        self.who_presents(&token).ok_or_else(ApiError::bad_credentials)
    }

    fn check_jwt(&self, token: &str) -> Result<(), ApiError> {
        // as whom it is signed stands inside: the made App's key is tried before the first one's
        let made = self.state().made_app.clone();
        let (app_id, pem) =
            made.filter(|made| unverified_issuer(token) == Some(made.id.to_string())).map_or_else(
                || (APP_ID, self.key.public_pem.clone()),
                |made| (made.id, made.key.public_pem),
            );
        let key =
            DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| ApiError::bad_credentials())?;
        let mut rules = Validation::new(Algorithm::RS256);
        rules.validate_exp = false;
        rules.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Value>(token, &key, &rules)
            .map_err(|_| ApiError::unauthorized("A JSON web token could not be decoded"))?
            .claims;
        let issuer = match &claims["iss"] {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.clone(),
            _ => String::new(),
        };
        if issuer != app_id.to_string() {
            return Err(ApiError::not_found_integration());
        }
        let now = now();
        let at = |name: &str| {
            claims[name]
                .as_i64()
                .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
                .ok_or_else(|| claim(name, "must be an Integer"))
        };
        let (issued, expires) = (at("iat")?, at("exp")?);
        if issued > now + CLOCK_DRIFT {
            return Err(claim("iat", "must not be in the future"));
        }
        if expires <= now {
            return Err(claim("exp", "must be in the future"));
        }
        if expires > now + JWT_LIFETIME + CLOCK_DRIFT
            || expires - issued > JWT_LIFETIME + CLOCK_DRIFT
        {
            return Err(claim("exp", "is too far in the future"));
        }
        Ok(())
    }
}

/// Who a JWT says that it is of, before its signature is checked.
fn unverified_issuer(token: &str) -> Option<String> {
    let body = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&body).ok()?;
    match &claims["iss"] {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn claim(name: &str, problem: &str) -> ApiError {
    let name =
        if name == "exp" { "'Expiration time' claim ('exp')" } else { "'Issued at' claim ('iat')" };
    ApiError::unauthorized(&format!("{name} {problem}"))
}

fn basic_password(value: &str) -> Option<String> {
    let decoded = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    // `https://TOKEN@host` puts the token in the user's place.
    let token = if password.is_empty() { user } else { password };
    Some(token.to_owned())
}

impl FromRequestParts<Stand> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, stand: &Stand) -> Result<Self, ApiError> {
        stand.caller(&parts.headers)
    }
}
