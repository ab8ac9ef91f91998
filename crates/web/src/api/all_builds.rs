//! The builds of all apps in one list, newest first: what the page Builds shows.

use axum::Json;
use axum::extract::{Extension, Query, State as Extract};
use model::permission::Readable;
use model::{AppId, BuildId};
use serde::Deserialize;
use store::build::{Before, BuildFilter};

use super::builds::{Builds, build_outcome, build_purpose, build_state};
use super::view::BuildView;
use crate::auth::Caller;
use crate::error::Result;
use crate::extract;
use crate::openapi::wire;
use crate::state::State;

const PAGE: i64 = 30;
const LARGEST_PAGE: i64 = 100;
/// Longer ones are in no title.
const LONGEST_TEXT: usize = 200;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// A commit, or a part of a title, branch, tag or author.
    #[param(max_length = 200)]
    q: Option<String>,
    #[param(value_type = Option<wire::BranchName>)]
    branch: Option<String>,
    #[param(value_type = Option<wire::BuildState>)]
    state: Option<String>,
    #[param(value_type = Option<wire::BuildOutcome>)]
    outcome: Option<String>,
    /// Builds that only look at stacks are listed when they are asked for.
    #[param(value_type = Option<wire::BuildPurpose>)]
    purpose: Option<String>,
    /// How many; more than 100 count as 100.
    #[param(minimum = 1, default = 30)]
    limit: Option<i64>,
    /// Only what is older than the build of this id.
    #[param(value_type = Option<uuid::Uuid>)]
    before: Option<BuildId>,
}

/// The builds of all apps that the token may read, newest first
///
/// Without their jobs. A search with `q` looks at some thousands of builds at a time: there may be
/// more even where a page is empty, and `next` says so.
#[utoipa::path(
    get,
    path = "/builds",
    operation_id = "listAllBuilds",
    tag = "builds",
    params(Wanted),
    responses((status = 200, description = "The builds", body = Builds)),
)]
pub(super) async fn list(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Builds>> {
    let limit = extract::limit(wanted.limit, PAGE, LARGEST_PAGE)?;
    let text = wanted.q.as_deref().map(|q| extract::plain("q", q, LONGEST_TEXT)).transpose()?;
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let mut conn = state.db.acquire().await?;
    let readable = caller.rights.readable();
    let apps = match &readable {
        Readable::All => None,
        Readable::These(_) => {
            let mut apps = store::app::list(&mut conn).await?;
            apps.retain(|app| readable.includes(&app.name));
            Some(apps.into_iter().map(|app| app.id).collect::<Vec<AppId>>())
        }
    };
    let filter = BuildFilter {
        app: None,
        apps,
        branch: wanted.branch.as_deref().map(|b| extract::value("branch", b)).transpose()?,
        commit: None,
        stage: None,
        state: wanted.state.as_deref().map(build_state).transpose()?,
        outcome: wanted.outcome.as_deref().map(build_outcome).transpose()?,
        purpose: wanted.purpose.as_deref().map(build_purpose).transpose()?,
        before: wanted.before.map(Before::Id),
        // one more than shown says whether there is a next page
        limit: limit + 1,
    };
    let (mut builds, looked_to) = match text {
        Some(text) => {
            let found = store::build::search(&mut conn, &filter, text).await?;
            (found.builds, found.looked_to)
        }
        None => (store::build::list(&mut conn, &filter).await?, None),
    };
    drop(conn);
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = builds.len() > shown;
    builds.truncate(shown);
    let from = builds.last().map(|last| last.id).filter(|_| more).or(looked_to);
    let next = from.map(|before| address(&wanted, limit, before));
    let builds = builds.into_iter().map(|build| BuildView::listed(&state, build)).collect();
    Ok(Json(Builds { builds, next }))
}

fn address(wanted: &Wanted, limit: i64, before: BuildId) -> String {
    let given = [
        ("q", &wanted.q),
        ("branch", &wanted.branch),
        ("state", &wanted.state),
        ("outcome", &wanted.outcome),
        ("purpose", &wanted.purpose),
    ];
    given.into_iter().fold(
        format!("/api/v1/builds?limit={limit}&before={before}"),
        |address, (key, value)| match value {
            Some(value) => format!("{address}&{key}={}", extract::escape(value)),
            None => address,
        },
    )
}
