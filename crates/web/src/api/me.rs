//! Who calls, as the server sees it; and the end of the token that is shown.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Extension, State as Extract};
use axum::http::StatusCode;
use model::AppName;
use model::permission::{Role, Scope};
use serde::Serialize;
use serde_json::json;
use store::audit::Deed;
use utoipa::ToSchema;

use super::tokens::TokenView;
use crate::audit::{self, Did};
use crate::auth::{By, Caller, Who};
use crate::error::{Error, Result};
use crate::openapi::wire;
use crate::state::State;

#[derive(Serialize, ToSchema)]
#[schema(as = Caller)]
pub(super) struct Me {
    /// As logs and pages call them.
    name: String,
    #[schema(value_type = wire::CallerKind)]
    kind: &'static str,
    /// In the whole server; `null`: none.
    #[schema(value_type = Option<wire::Role>)]
    role: Option<Role>,
    /// In single apps, beside it.
    #[schema(value_type = BTreeMap<String, wire::Role>)]
    apps: BTreeMap<AppName, Role>,
    token: Option<TokenView>,
}

/// Who calls, and what they may
#[utoipa::path(
    get,
    path = "/whoami",
    operation_id = "whoAmI",
    tag = "people",
    responses(
        (status = 200, description = "The caller", body = Me),
    ),
)]
pub(super) async fn show(Extension(caller): Extension<Caller>) -> Json<Me> {
    let kind = match &caller.who {
        Who::Person { by: By::Session(_) | By::Token(_), .. } => "person",
        Who::Token { .. } | Who::Embedded => "token",
        Who::Anyone | Who::Local | Who::Setup => "nobody",
    };
    Json(Me {
        kind,
        role: caller.rights.role(Scope::Server),
        apps: caller.rights.apps().map(|(app, role)| (app.clone(), role)).collect(),
        token: caller.token().cloned().map(TokenView::from),
        name: caller.name,
    })
}

/// End the token that is shown
///
/// It is revoked.
#[utoipa::path(
    post,
    path = "/logout",
    operation_id = "logOut",
    tag = "people",
    responses(
        (status = 204, description = "It is over"),
    ),
)]
pub(super) async fn log_out(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode> {
    let token = caller.token().ok_or_else(|| {
        Error::Conflict("what was shown is no token that could be revoked".into())
    })?;
    let mut tx = state.db.begin().await?;
    store::token::revoke(&mut tx, token.id, state.now()).await?;
    let detail = json!({ "name": token.name, "role": token.role, "by": "itself" });
    let did = match &token.app {
        Some(app) => Did::new(Deed::RevokeToken, app),
        None => Did::of_server(Deed::RevokeToken),
    };
    audit::record(&state, &mut tx, &caller, did.detail(detail)).await?;
    tx.commit().await.map_err(Error::internal)?;
    Ok(StatusCode::NO_CONTENT)
}
