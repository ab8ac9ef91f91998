//! The revisions of an app's settings: who changed what, newest first, and each as it was.

use axum::Json;
use axum::extract::{Path, Query, State as Extract};
use chrono::{DateTime, Utc};
use model::app::Settings;
use serde::{Deserialize, Serialize};
use store::revision::Revision;
use utoipa::ToSchema;

use super::app;
use super::view::ChangeView;
use crate::error::Result;
use crate::extract::{self, segment};
use crate::openapi::wire;
use crate::state::State;

const PAGE: i64 = 50;
const LARGEST_PAGE: i64 = 200;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Only what is older than this revision.
    before: Option<i64>,
    /// How many; more than 200 count as 200.
    #[param(minimum = 1, default = 50)]
    limit: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Revisions {
    revisions: Vec<RevisionView>,
    /// Where the next page is.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Revision)]
pub(super) struct RevisionView {
    number: i64,
    by: String,
    #[schema(value_type = wire::Via)]
    via: &'static str,
    at: DateTime<Utc>,
    changes: Vec<ChangeView>,
    /// As `PUT` takes them; lists do not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<wire::Settings>)]
    settings: Option<Settings>,
}

impl RevisionView {
    fn listed(revision: Revision) -> Self {
        Self {
            number: revision.number,
            by: revision.by,
            via: revision.via.as_str(),
            at: revision.at,
            changes: revision.changes.into_iter().map(Into::into).collect(),
            settings: None,
        }
    }

    fn whole(revision: Revision) -> Self {
        let settings = Some(revision.settings.clone());
        Self { settings, ..Self::listed(revision) }
    }
}

/// The revisions of an app's settings, newest first
///
/// Without the settings themselves.
#[utoipa::path(
    get,
    path = "/apps/{app}/revisions",
    operation_id = "listRevisions",
    tag = "apps",
    params(Wanted),
    responses(
        (status = 200, description = "The revisions", body = Revisions),
    ),
)]
pub(super) async fn list(
    Extract(state): Extract<State>,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Revisions>> {
    let limit = extract::limit(wanted.limit, PAGE, LARGEST_PAGE)?;
    let mut conn = state.db.acquire().await?;
    let app = app(&mut conn, &name).await?;
    // one more than shown says whether there is a next page
    let mut found = store::revision::list(&mut conn, app.id, wanted.before, limit + 1).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > shown;
    found.truncate(shown);
    let next = found.last().filter(|_| more).map(|last| {
        format!("/api/v1/apps/{}/revisions?limit={limit}&before={}", app.name, last.number)
    });
    let revisions = found.into_iter().map(RevisionView::listed).collect();
    Ok(Json(Revisions { revisions, next }))
}

/// A revision with the settings as they were
///
/// Send them with `PUT` to bring them back.
#[utoipa::path(
    get,
    path = "/apps/{app}/revisions/{number}",
    operation_id = "getRevision",
    tag = "apps",
    responses(
        (status = 200, description = "The revision", body = RevisionView),
    ),
)]
pub(super) async fn show(
    Extract(state): Extract<State>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Json<RevisionView>> {
    let number: i64 = segment("revision", &number)?;
    let mut conn = state.db.acquire().await?;
    let app = app(&mut conn, &name).await?;
    let revision = store::revision::get(&mut conn, app.id, number).await?;
    Ok(Json(RevisionView::whole(revision)))
}
