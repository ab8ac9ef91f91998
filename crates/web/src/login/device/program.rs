//! What a program asks: for its codes, and whether it was let in. The forms and answers of RFC 8628.

use axum::Json;
use axum::extract::{ConnectInfo, Extension, Form, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use model::permission::Role;
use model::{DeviceId, TokenId};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::PgConnection;
use store::audit::{Deed, Entry, Via};
use store::device::{Grant, INTERVAL_SECONDS, LIFETIME, NewDevice, Polled};
use store::session::Owner;
use store::token::NewToken;

use super::PAGE;
use super::code::UserCode;
use crate::error::{Error, Result};
use crate::peer::Connection;
use crate::state::State;

type From = Option<Extension<ConnectInfo<Connection>>>;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// As much of a machine's name as tells it from another.
const MACHINE_CHARS: usize = 40;

#[derive(Deserialize)]
pub(crate) struct Asked {
    /// What it wants to be: deployer where it does not say.
    #[serde(default)]
    scope: String,
    /// What it calls its machine.
    #[serde(default)]
    machine: String,
}

#[derive(Serialize)]
struct Codes {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: i64,
    interval: i32,
}

pub(crate) async fn codes(
    Extract(state): Extract<State>,
    from: From,
    Form(asked): Form<Asked>,
) -> Result<Response> {
    let role = match asked.scope.as_str() {
        "" | "deployer" => Role::Deployer,
        "viewer" => Role::Viewer,
        "admin" => Role::Admin,
        _ => return Ok(refused("invalid_scope", "take admin, deployer or viewer")),
    };
    let device_code = store::token::random();
    let user_code = UserCode::from_random(&store::token::random());
    let from = from.map(|Extension(ConnectInfo(connection))| connection.peer.ip().to_canonical());
    let new = NewDevice {
        id: DeviceId(state.id()),
        hash: &store::token::hash(&device_code),
        user_hash: &user_code.hash(),
        machine: &machine(&asked.machine),
        from_ip: from.map(|address| address.to_string()),
        role,
        created_at: state.now(),
    };
    let mut tx = state.db.begin().await?;
    if !store::device::begin(&mut tx, &new).await? {
        return Err(Error::Unavailable(
            "too many programs wait to be let in: try again in a quarter of an hour".into(),
        ));
    }
    tx.commit().await.map_err(Error::internal)?;
    let verification_uri = format!("{}{PAGE}", state.settings.public_url);
    Ok(Json(Codes {
        verification_uri_complete: format!("{verification_uri}?code={user_code}"),
        verification_uri,
        device_code,
        user_code: user_code.to_string(),
        expires_in: LIFETIME.num_seconds(),
        interval: INTERVAL_SECONDS,
    })
    .into_response())
}

/// Names are shown to whoever decides: nothing in them may look like something else.
fn machine(name: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = name.chars().filter(plain).take(MACHINE_CHARS).collect();
    if name.is_empty() { "a machine without a name".into() } else { name }
}

#[derive(Deserialize)]
pub(crate) struct Question {
    #[serde(default)]
    grant_type: String,
    #[serde(default)]
    device_code: String,
}

#[derive(Serialize)]
struct Given {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    scope: &'static str,
}

pub(crate) async fn token(
    Extract(state): Extract<State>,
    Form(question): Form<Question>,
) -> Result<Response> {
    if question.grant_type != GRANT_TYPE {
        return Ok(refused("unsupported_grant_type", GRANT_TYPE));
    }
    let now = state.now();
    let hash = store::token::hash(&question.device_code);
    let mut tx = state.db.begin().await?;
    let answer = match store::device::poll(&mut tx, &hash, now).await? {
        Polled::Waiting => refused("authorization_pending", "nobody has confirmed it yet"),
        Polled::TooEarly => refused("slow_down", "wait five seconds longer between questions"),
        Polled::Refused => refused("access_denied", "it was refused in the browser"),
        Polled::Unknown => refused("expired_token", "the code is over, or was used: begin again"),
        Polled::Granted { machine, from_ip, grant } => {
            match make(&state, &mut tx, &machine, from_ip.as_deref(), &grant).await? {
                Some(text) => Json(Given {
                    access_token: text.expose_secret().to_owned(),
                    token_type: "Bearer",
                    expires_in: (grant.expires_at - now).num_seconds(),
                    scope: grant.role.as_str(),
                })
                .into_response(),
                None => refused("access_denied", "what it was confirmed with is no longer valid"),
            }
        }
    };
    tx.commit().await.map_err(Error::internal)?;
    Ok(answer)
}

/// The token, unless what stands behind it has ended since.
async fn make(
    state: &State,
    conn: &mut PgConnection,
    machine: &str,
    from_ip: Option<&str>,
    grant: &Grant,
) -> Result<Option<SecretString>> {
    let now = state.now();
    match grant.owner {
        Some(Owner::Token(parent)) => {
            let parent = store::token::find(conn, parent).await?;
            if !parent.is_some_and(|parent| parent.is_valid(now)) {
                return Ok(None);
            }
        }
        Some(Owner::Person(_)) | None => {}
    }
    let text = store::token::generate();
    let name = name(&grant.by, machine);
    let new = NewToken {
        id: TokenId(state.id()),
        name: &name,
        role: grant.role,
        app: grant.app,
        owner: grant.owner,
        hash: &store::token::hash(text.expose_secret()),
        created_by: &grant.by,
        created_at: now,
        expires_at: Some(grant.expires_at),
    };
    store::token::insert(conn, &new).await?;
    let entry = entry(&new, from_ip, now);
    store::audit::record(conn, state.id(), &entry).await?;
    tracing::info!(by = grant.by, machine, role = grant.role.as_str(), "a program was let in");
    Ok(Some(text))
}

/// No login and no team looks like it, and no two are alike.
fn name(by: &str, machine: &str) -> String {
    let by: String = by.chars().filter(|c| *c != '/').take(40).collect();
    format!("{by} on {machine} ({})", &store::token::random()[..6])
}

fn entry(new: &NewToken<'_>, from_ip: Option<&str>, at: DateTime<Utc>) -> Entry {
    Entry {
        at,
        who: new.created_by.to_owned(),
        role: Some(new.role),
        via: Via::Page,
        from: from_ip.and_then(|address| address.parse().ok()),
        deed: Deed::CreateToken,
        app: None,
        stage: None,
        build: None,
        detail: json!({
            "name": new.name, "role": new.role, "expires_at": new.expires_at,
            "for": "a command line",
        }),
    }
}

/// RFC 6749, 5.2.
fn refused(error: &'static str, description: &str) -> Response {
    let body = json!({ "error": error, "error_description": description });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_s_name_is_letters_and_short() {
        assert_eq!(machine("ada-laptop.local"), "ada-laptop.local");
        assert_eq!(machine("<b>it is fine, confirm</b>"), "bitisfineconfirmb");
        assert_eq!(machine("\u{202e}"), "a machine without a name");
        assert_eq!(machine(&"x".repeat(500)).len(), MACHINE_CHARS);
    }

    #[test]
    fn a_token_s_name_is_nobody_s_login_and_no_team() {
        let name = name("acme/ops", "laptop");
        assert!(name.starts_with("acmeops on laptop ("), "{name}");
        assert!(name.parse::<model::TokenName>().is_ok() && name.parse::<model::Login>().is_err());
    }
}
