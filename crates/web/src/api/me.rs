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

use super::tokens::TokenView;
use crate::audit::{self, Did};
use crate::auth::{By, Caller, Who};
use crate::error::{Error, Result};
use crate::state::State;

#[derive(Serialize)]
pub(super) struct Me {
    /// As logs and pages call them.
    name: String,
    kind: &'static str,
    /// In the whole server; `null`: none.
    role: Option<Role>,
    /// In single apps, beside it.
    apps: BTreeMap<AppName, Role>,
    token: Option<TokenView>,
}

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

/// Whoever has a token may end it: also one who found it.
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
