//! The audit log: what people did, newest first.

use axum::Json;
use axum::extract::{Extension, Query, State as Extract};
use chrono::{DateTime, Utc};
use model::permission::Role;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::audit::{Filter, Kept};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::audit;
use crate::auth::Caller;
use crate::error::Result;
use crate::extract;
use crate::openapi::wire;
use crate::state::State;

const PAGE: i64 = 50;
const LARGEST_PAGE: i64 = 200;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Only what was done in this app.
    #[param(value_type = Option<wire::AppName>)]
    app: Option<String>,
    /// Only what is older than this entry.
    before: Option<Uuid>,
    /// How many; more than 200 count as 200.
    #[param(minimum = 1, default = 50)]
    limit: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntries)]
pub(super) struct Entries {
    entries: Vec<EntryView>,
    /// Where the next page is.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
struct EntryView {
    id: Uuid,
    at: DateTime<Utc>,
    who: String,
    /// `null`: somebody who may nothing.
    #[schema(value_type = Option<wire::Role>)]
    role: Option<&'static str>,
    #[schema(value_type = wire::Via)]
    via: &'static str,
    from: Option<String>,
    action: &'static str,
    app: Option<String>,
    stage: Option<String>,
    build: Option<i64>,
    detail: Value,
}

impl From<Kept> for EntryView {
    fn from(Kept { id, entry }: Kept) -> Self {
        Self {
            id,
            at: entry.at,
            who: entry.who,
            role: entry.role.map(Role::as_str),
            via: entry.via.as_str(),
            from: entry.from.map(|address| address.to_string()),
            action: entry.deed.as_str(),
            app: entry.app.map(Into::into),
            stage: entry.stage.map(Into::into),
            build: entry.build,
            detail: entry.detail,
        }
    }
}

/// What people did, newest first
///
/// Of the apps that the token administers.
#[utoipa::path(
    get,
    path = "/audit",
    operation_id = "listAudit",
    tag = "people",
    params(Wanted),
    responses(
        (status = 200, description = "The entries", body = Entries),
    ),
)]
pub(super) async fn list(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Entries>> {
    let limit = extract::limit(wanted.limit, PAGE, LARGEST_PAGE)?;
    let app = wanted.app.as_deref().map(|app| extract::value("app", app)).transpose()?;
    let filter = Filter {
        about: audit::readable(&caller, app)?,
        before: wanted.before,
        // one more than shown says whether there is a next page
        limit: limit + 1,
    };
    let mut conn = state.db.acquire().await?;
    let mut found = store::audit::list(&mut conn, &filter).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > shown;
    found.truncate(shown);
    let next = found.last().filter(|_| more).map(|last| {
        let app = wanted.app.as_deref().map(extract::escape);
        let app = app.map(|app| format!("&app={app}")).unwrap_or_default();
        format!("/api/v1/audit?limit={limit}&before={}{app}", last.id)
    });
    Ok(Json(Entries { entries: found.into_iter().map(EntryView::from).collect(), next }))
}
