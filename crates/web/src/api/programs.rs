//! The command lines that whoever calls has let in: listed, and ended.
//!
//! What always holds: nobody sees or ends those of somebody else.

use axum::Json;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::StatusCode;
use model::TokenId;
use serde::Serialize;
use serde_json::json;
use store::audit::Deed;
use store::session::Owner;
use utoipa::ToSchema;

use super::tokens::TokenView;
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::state::State;

#[derive(Serialize, ToSchema)]
pub(super) struct Programs {
    programs: Vec<TokenView>,
}

/// The command lines that the caller has let in
#[utoipa::path(
    get,
    path = "/account/programs",
    operation_id = "listPrograms",
    tag = "people",
    responses((status = 200, description = "Their tokens", body = Programs)),
)]
pub(super) async fn list(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Programs>> {
    let lent = match caller.owner() {
        Some(owner) => {
            let mut conn = state.db.acquire().await?;
            store::token::lent_by(&mut conn, owner, state.now()).await?
        }
        None => Vec::new(),
    };
    Ok(Json(Programs { programs: lent.into_iter().map(TokenView::from).collect() }))
}

/// End a command line that the caller has let in
#[utoipa::path(
    delete,
    path = "/account/programs/{id}",
    operation_id = "endProgram",
    tag = "people",
    responses((status = 204, description = "Its token is revoked")),
)]
pub(super) async fn revoke(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    end_program(&state, &caller, caller.owner(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one of the command lines of the caller, who is this one to the store.
pub(crate) async fn end_program(
    state: &State,
    caller: &Caller,
    owner: Option<Owner>,
    id: &str,
) -> Result<()> {
    let id: TokenId = segment("token", id)?;
    let gone = || Error::NotFound(format!("you have no command line {id}"));
    let (owner, now) = (owner.ok_or_else(gone)?, state.now());
    let mut tx = state.db.begin().await?;
    let lent = store::token::lent_by(&mut tx, owner, now).await?;
    let token = lent.into_iter().find(|token| token.id == id).ok_or_else(gone)?;
    store::token::revoke(&mut tx, id, now).await?;
    let detail = json!({ "name": token.name, "role": token.role });
    let did = Did::of_server(Deed::RevokeToken).detail(detail);
    audit::record(state, &mut tx, caller, did).await?;
    tx.commit().await.map_err(Error::internal)
}
