//! The badges of an app: whether everybody may see them, and where they are.
//!
//! What always holds: badges are for who may read the app until somebody who may change its settings
//! makes them public; a new address ends the one before, and all who showed it.

use axum::Json;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use store::audit::Deed;
use store::badge::BadgeKey;
use utoipa::ToSchema;

use super::app;
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::state::State;

#[derive(Serialize, ToSchema)]
pub(super) struct Badges {
    /// Where everybody sees them; `null`: only who may read the app does.
    public: Option<PublicView>,
    /// For who may read the app; those of stages are below `/stages/{stage}`.
    url: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PublicBadges)]
struct PublicView {
    /// Of the app; those of stages are at `stage_url`, with the stage's name for `{stage}`.
    url: String,
    stage_url: String,
    by: String,
    at: DateTime<Utc>,
}

fn view(state: &State, app: &model::AppName, key: Option<BadgeKey>) -> Badges {
    let base = state.settings.public_url.trim_end_matches('/');
    Badges {
        public: key.map(|BadgeKey { key, made_by, made_at }| PublicView {
            url: format!("{base}/badges/{key}/badge.svg"),
            stage_url: format!("{base}/badges/{key}/stages/{{stage}}/badge.svg"),
            by: made_by,
            at: made_at,
        }),
        url: format!("{base}/apps/{app}/badge.svg"),
    }
}

/// Where the badges of an app are
#[utoipa::path(
    get,
    path = "/apps/{app}/badges",
    operation_id = "getBadges",
    tag = "apps",
    responses((status = 200, description = "The badges", body = Badges)),
)]
pub(super) async fn show(
    Extract(state): Extract<State>,
    Path(name): Path<String>,
) -> Result<Json<Badges>> {
    let mut conn = state.db.acquire().await?;
    let app = app(&mut conn, &name).await?;
    let key = store::badge::find(&mut conn, app.id).await?;
    Ok(Json(view(&state, &app.name, key)))
}

/// Make the badges of an app public
///
/// Under a new address; the one before shows nothing any more.
#[utoipa::path(
    post,
    path = "/apps/{app}/badges",
    operation_id = "publishBadges",
    tag = "apps",
    responses((status = 201, description = "The badges", body = Badges)),
)]
pub(super) async fn publish(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<Badges>)> {
    let (app, key) = publish_badges(&state, &caller, &name).await?;
    Ok((StatusCode::CREATED, Json(view(&state, &app, Some(key)))))
}

/// Show the badges of an app only to who may read it
#[utoipa::path(
    delete,
    path = "/apps/{app}/badges",
    operation_id = "hideBadges",
    tag = "apps",
    responses((status = 204, description = "They are public no more")),
)]
pub(super) async fn hide(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    hide_badges(&state, &caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn publish_badges(
    state: &State,
    caller: &Caller,
    name: &str,
) -> Result<(model::AppName, BadgeKey)> {
    let mut tx = state.db.begin().await?;
    let app = app(&mut tx, name).await?;
    let key = BadgeKey {
        key: store::token::random(),
        made_by: caller.name.clone(),
        made_at: state.now(),
    };
    store::badge::put(&mut tx, app.id, &key).await?;
    audit::record(state, &mut tx, caller, Did::new(Deed::PublishBadges, &app.name)).await?;
    tx.commit().await.map_err(Error::internal)?;
    Ok((app.name, key))
}

pub(crate) async fn hide_badges(state: &State, caller: &Caller, name: &str) -> Result<()> {
    let mut tx = state.db.begin().await?;
    let app = app(&mut tx, name).await?;
    store::badge::remove(&mut tx, app.id).await?;
    audit::record(state, &mut tx, caller, Did::new(Deed::HideBadges, &app.name)).await?;
    tx.commit().await.map_err(Error::internal)
}
