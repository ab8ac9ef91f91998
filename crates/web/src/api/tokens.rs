//! Tokens of the API: listed, made, revoked.
//!
//! What always holds: a token is made by an admin of where it holds, so nobody makes one that is
//! stronger than themself; one that a token makes ends no later than that token. Its text is in the
//! answer that made it and nowhere else.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use model::permission::{Action, Readable, Role, Scope};
use model::{AppName, TokenId, TokenName};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::audit::Deed;
use store::token::{NewToken, Token};
use utoipa::ToSchema;

use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::{self, segment};
use crate::openapi::wire;
use crate::state::State;

#[derive(Serialize, ToSchema)]
pub(super) struct Tokens {
    tokens: Vec<TokenView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(super) struct TokenView {
    #[schema(value_type = uuid::Uuid)]
    id: TokenId,
    name: String,
    #[schema(value_type = wire::Role)]
    role: Role,
    /// `null`: in the whole server.
    #[schema(value_type = Option<wire::AppName>)]
    app: Option<AppName>,
    created_by: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        Self {
            id: token.id,
            name: token.name,
            role: token.role,
            app: token.app,
            created_by: token.created_by,
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            revoked_at: token.revoked_at,
        }
    }
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = TokenWish)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    #[schema(value_type = wire::Role)]
    pub(crate) role: Role,
    /// `null`: in the whole server.
    #[serde(default)]
    pub(crate) app: Option<String>,
    /// `null`: never.
    #[serde(default, deserialize_with = "extract::some_moment")]
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = NewToken)]
pub(super) struct Made {
    /// Shown this once.
    token: String,
    #[serde(flatten)]
    view: TokenView,
}

/// The tokens of where the caller is an admin
///
/// Newest first, the revoked ones too.
#[utoipa::path(
    get,
    path = "/tokens",
    operation_id = "listTokens",
    tag = "tokens",
    responses(
        (status = 200, description = "The tokens", body = Tokens),
    ),
)]
pub(super) async fn list(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Tokens>> {
    let tokens = of_caller(&state, &caller).await?.into_iter().map(TokenView::from).collect();
    Ok(Json(Tokens { tokens }))
}

/// Make a token
///
/// Its text is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/tokens",
    operation_id = "createToken",
    tag = "tokens",
    request_body = Wanted,
    responses(
        (status = 201, description = "The token with its text", body = Made),
    ),
)]
pub(super) async fn create(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Made>)> {
    let wanted: Wanted = extract::json(&headers, &body)?;
    let (text, token) = make(&state, &caller, wanted).await?;
    let token = Made { token: text.expose_secret().to_owned(), view: token.into() };
    Ok((StatusCode::CREATED, Json(token)))
}

/// Revoke a token
///
/// One that is revoked already stays so.
#[utoipa::path(
    delete,
    path = "/tokens/{id}",
    operation_id = "revokeToken",
    tag = "tokens",
    responses(
        (status = 204, description = "It is revoked"),
    ),
)]
pub(super) async fn revoke(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    revoke_token(&state, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The tokens of where the caller is an admin, newest first.
pub(crate) async fn of_caller(state: &State, caller: &Caller) -> Result<Vec<Token>> {
    let mut conn = state.db.acquire().await?;
    let tokens = store::token::list(&mut conn).await?;
    let configurable = caller.rights.allowing(Action::Configure);
    Ok(tokens.into_iter().filter(|token| is_of(token, &configurable)).collect())
}

fn is_of(token: &Token, apps: &Readable) -> bool {
    match &token.app {
        Some(app) => apps.includes(app),
        None => *apps == Readable::All,
    }
}

pub(crate) async fn make(
    state: &State,
    caller: &Caller,
    wanted: Wanted,
) -> Result<(SecretString, Token)> {
    let now = state.now();
    let name: TokenName = extract::value("name", wanted.name.trim())?;
    let app = wanted.app.as_deref().map(str::trim).filter(|app| !app.is_empty());
    let app: Option<AppName> = app.map(|app| extract::value("app", app)).transpose()?;
    caller.may(Action::Configure, app.as_ref().map_or(Scope::Server, Scope::App))?;
    if wanted.role == Role::Worker && app.is_some() {
        return Err(Error::invalid("app", "a worker serves all apps: name none"));
    }
    if wanted.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::invalid("expires_at", "this moment is over; name one to come, or none"));
    }
    no_longer_than_its_maker(caller, wanted.expires_at)?;
    let mut tx = state.db.begin().await?;
    let app_id = match &app {
        Some(app) => {
            let found = store::app::find(&mut tx, app).await?;
            let gone = || Error::invalid("app", format!("there is no app {:?}", app.as_str()));
            Some(found.ok_or_else(gone)?.id)
        }
        None => None,
    };
    if store::token::is_name_taken(&mut tx, name.as_str()).await? {
        return Err(taken(&name, "a token"));
    }
    if store::person::is_login(&mut tx, name.as_str()).await? {
        return Err(taken(&name, "a person"));
    }
    let text = store::token::generate();
    let id = TokenId(state.id());
    let new = NewToken {
        id,
        name: name.as_str(),
        role: wanted.role,
        app: app_id,
        owner: None,
        hash: &store::token::hash(text.expose_secret()),
        created_by: &caller.name,
        created_at: now,
        expires_at: wanted.expires_at,
    };
    store::token::insert(&mut tx, &new).await?;
    let detail = json!({
        "name": name, "role": wanted.role, "expires_at": wanted.expires_at,
    });
    audit::record(state, &mut tx, caller, about(Deed::CreateToken, app.as_ref()).detail(detail))
        .await?;
    let token = store::token::find(&mut tx, id).await?.ok_or_else(|| gone(&id))?;
    tx.commit().await.map_err(Error::internal)?;
    Ok((text, token))
}

fn taken(name: &TokenName, whose: &str) -> Error {
    let message = format!(
        "{whose} is called {name} (revoked tokens count too, for the audit log names them): choose \
         another name"
    );
    Error::invalid("name", message)
}

/// A token that is about to end must not live on in another one.
fn no_longer_than_its_maker(caller: &Caller, wanted: Option<DateTime<Utc>>) -> Result<()> {
    let Some(token) = caller.token() else { return Ok(()) };
    match (token.expires_at, wanted) {
        (None, _) => Ok(()),
        (Some(own), Some(wanted)) if wanted <= own => Ok(()),
        (Some(own), _) => {
            let end = own.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            let message = format!("your own token ends at {end}: take that or earlier");
            Err(Error::invalid("expires_at", message))
        }
    }
}

/// The token, if the caller may revoke it.
pub(crate) async fn revocable(state: &State, caller: &Caller, id: &str) -> Result<Token> {
    let id: TokenId = segment("token", id)?;
    let mut conn = state.db.acquire().await?;
    let token = store::token::find(&mut conn, id).await?;
    let configurable = caller.rights.allowing(Action::Configure);
    token.filter(|token| is_of(token, &configurable)).ok_or_else(|| gone(&id))
}

fn gone(id: &TokenId) -> Error {
    Error::NotFound(format!("there is no token {id}"))
}

pub(crate) async fn revoke_token(state: &State, caller: &Caller, id: &str) -> Result<()> {
    let token = revocable(state, caller, id).await?;
    if token.revoked_at.is_some() {
        return Ok(());
    }
    let mut tx = state.db.begin().await?;
    store::token::revoke(&mut tx, token.id, state.now()).await?;
    let detail = json!({ "name": token.name, "role": token.role });
    let did = about(Deed::RevokeToken, token.app.as_ref()).detail(detail);
    audit::record(state, &mut tx, caller, did).await?;
    tx.commit().await.map_err(Error::internal)
}

fn about(deed: Deed, app: Option<&AppName>) -> Did<'_> {
    app.map_or_else(|| Did::of_server(deed), |app| Did::new(deed, app))
}
