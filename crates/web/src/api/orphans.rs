//! Stacks that say they are Greenroom's and that no stage knows: listed, looked for, removed.
//!
//! What always holds: a stack is removed because a person asked for this one, and only while no
//! stage knows it: the rows are asked again in the transaction that orders it. Its tags alone never
//! remove it, for another Greenroom server may have deployed it to the same account.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use model::build::BuildEvent;
use model::permission::Action;
use model::sweep::{Verdict, judge};
use model::{AppId, OrphanId, ProfileName, Region};
use serde::Serialize;
use serde_json::json;
use store::PgConnection;
use store::app::App;
use store::audit::Deed;
use store::build::{Build, BuildState};
use store::order::Asked;
use store::orphan::Orphan;
use utoipa::ToSchema;

use super::app;
use super::builds::{created, started};
use super::view::BuildView;
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::openapi::wire;
use crate::order::moment;
use crate::state::State;

#[derive(Serialize, ToSchema)]
pub(super) struct Orphans {
    orphans: Vec<OrphanView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Orphan)]
struct OrphanView {
    #[schema(value_type = uuid::Uuid)]
    id: OrphanId,
    stack: String,
    stack_id: String,
    account: String,
    #[schema(value_type = wire::Region)]
    region: Region,
    /// The profile of this app would remove it.
    #[schema(value_type = wire::ProfileName)]
    profile: ProfileName,
    tags: TagsView,
    status: String,
    created_at: Option<DateTime<Utc>>,
    changed_at: Option<DateTime<Utc>>,
    /// Why it is nobody's.
    reason: String,
    first_seen_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    /// Why it is still there although its removal was asked for.
    kept_because: Option<String>,
}

/// What the stack says of itself.
#[derive(Serialize, ToSchema)]
#[schema(as = OrphanTags)]
struct TagsView {
    app: String,
    stage: Option<String>,
    service: Option<String>,
    build: Option<i64>,
}

impl From<Orphan> for OrphanView {
    fn from(orphan: Orphan) -> Self {
        Self {
            id: orphan.id,
            stack: orphan.name,
            stack_id: orphan.stack_id,
            account: orphan.account,
            region: orphan.region,
            profile: orphan.profile,
            tags: TagsView {
                app: orphan.app,
                stage: orphan.stage,
                service: orphan.service,
                build: orphan.build_number,
            },
            status: orphan.status,
            created_at: orphan.stack_created_at,
            changed_at: orphan.stack_changed_at,
            reason: orphan.why,
            first_seen_at: orphan.first_seen_at,
            last_seen_at: orphan.last_seen_at,
            kept_because: orphan.kept_because,
        }
    }
}

/// Stacks that say they are ours and that no stage knows
#[utoipa::path(
    get,
    path = "/orphans",
    operation_id = "listOrphans",
    tag = "system",
    responses(
        (status = 200, description = "The stacks", body = Orphans),
    ),
)]
pub(super) async fn list(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Orphans>> {
    let mut conn = state.db.acquire().await?;
    let apps = store::app::list(&mut conn).await?;
    let seen = |app: &App| caller.allows(Action::Read, &app.name);
    let readable: BTreeSet<AppId> = apps.iter().filter(|app| seen(app)).map(|app| app.id).collect();
    let orphans = store::orphan::list(&mut conn).await?.into_iter();
    let orphans = orphans.filter(|orphan| readable.contains(&orphan.app_id));
    Ok(Json(Orphans { orphans: orphans.map(OrphanView::from).collect() }))
}

/// Remove a stack that no stage knows
#[utoipa::path(
    post,
    path = "/orphans/{id}/remove",
    operation_id = "removeOrphan",
    tag = "system",
    responses(
        (status = 201, description = "The build", body = BuildView),
    ),
)]
pub(super) async fn remove(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<BuildView>)> {
    let build = remove_orphan(&state, &caller, &id).await?;
    created(&state, build).await
}

/// A build that removes this one stack.
pub(crate) async fn remove_orphan(state: &State, caller: &Caller, id: &str) -> Result<Build> {
    let id: OrphanId = segment("orphan", id)?;
    let mut tx = state.db.begin().await?;
    let orphan = store::orphan::get(&mut tx, id).await?;
    if let Some(why) = refusal(&mut tx, &orphan, state.now()).await? {
        return Err(Error::Conflict(why));
    }
    let app = store::app::get(&mut tx, orphan.app_id).await?;
    if !app.settings.profiles.contains_key(&orphan.profile) {
        return Err(Error::Conflict(format!(
            "{} has no profile {} any more, as which the stack was seen: look again first",
            app.name, orphan.profile
        )));
    }
    let build = store::order::discard(&mut tx, &app, &orphan, &caller.name, moment(state)).await?;
    let detail = json!({ "stack": orphan.stack_id, "why": orphan.why });
    let did = Did::new(Deed::RemoveOrphan, &app.name).build(build.number).detail(detail);
    audit::record(state, &mut tx, caller, did).await?;
    tx.commit().await.map_err(Error::internal)?;
    tracing::info!(stack = orphan.stack_id, by = caller.name, "an orphan is to be removed");
    started(state, &build);
    Ok(build)
}

/// Why it is not removed now.
pub(crate) async fn refusal(
    conn: &mut PgConnection,
    orphan: &Orphan,
    now: DateTime<Utc>,
) -> Result<Option<String>> {
    let name = &orphan.name;
    if orphan.gone_at.is_some() {
        return Ok(Some(format!("{name} is gone: nothing is left to remove")));
    }
    if let Some(build) = orphan.removal_build_id {
        let build = store::build::get(conn, build).await?;
        if build.state != BuildState::Finished {
            return Ok(Some(format!("build {} removes {name} already", build.number)));
        }
    }
    let tagged = orphan.tagged();
    let places = store::orphan::places(conn, std::slice::from_ref(&tagged)).await?;
    Ok(places.first().and_then(|place| match judge(&tagged, place, now) {
        Verdict::Orphan(_) => None,
        Verdict::Known | Verdict::Unsure => Some(format!(
            "a stage knows {name} by now, or something is being deployed there: it is no orphan"
        )),
    }))
}

#[derive(Serialize, ToSchema)]
#[schema(as = SweepBuilds)]
pub(super) struct Builds {
    builds: Vec<BuildView>,
}

/// Look through the accounts of an app
///
/// For stacks that no stage knows: a build for each profile.
#[utoipa::path(
    post,
    path = "/apps/{app}/sweep",
    operation_id = "sweepApp",
    tag = "system",
    responses(
        (status = 201, description = "The builds that look", body = Builds),
    ),
)]
pub(super) async fn sweep(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<Builds>)> {
    let builds = sweep_app(&state, &caller, &name).await?;
    let builds = builds.into_iter().map(|build| BuildView::listed(&state, build)).collect();
    Ok((StatusCode::CREATED, Json(Builds { builds })))
}

/// Looks through the accounts of an app's profiles now: a build for each.
pub(crate) async fn sweep_app(state: &State, caller: &Caller, name: &str) -> Result<Vec<Build>> {
    let mut tx = state.db.begin().await?;
    let app = app(&mut tx, name).await?;
    if let Some(number) = store::build::inspecting(&mut tx, app.id, None).await? {
        return Err(Error::Conflict(format!(
            "build {number} looks through an account of {} already: wait for its end",
            app.name
        )));
    }
    let asked = Asked { event: BuildEvent::Manual, author: &caller.name };
    let mut builds = Vec::new();
    let mut places: BTreeSet<(&str, Region)> = BTreeSet::new();
    for (profile, settings) in &app.settings.profiles {
        let account = settings.role_arn.account();
        let mut regions = store::order::regions(&mut tx, &app, profile).await?;
        // profiles may share an account
        regions.retain(|region| places.insert((account, region.clone())));
        if regions.is_empty() {
            continue;
        }
        let whose = (profile, settings);
        let at = moment(state);
        let build = store::order::sweep(&mut tx, &app, whose, regions, asked, at).await?;
        let did = Did::new(Deed::Sweep, &app.name).build(build.number);
        audit::record(state, &mut tx, caller, did).await?;
        builds.push(build);
    }
    tx.commit().await.map_err(Error::internal)?;
    for build in &builds {
        started(state, build);
    }
    Ok(builds)
}
