//! A build by hand: of which commit, for which stage, and what of it.
//!
//! What always holds: what the caller names goes before what the rules say; without a word of the
//! caller's a build by hand does what a push would have done.

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use model::app::PreviewDeploy;
use model::build::{Purpose, Source};
use model::rule::Target;
use model::stage::StageState;
use model::{BranchName, CommitSha, ServiceName, StageId, StageName, TagName};
use serde::Deserialize;
use serde_json::json;
use store::PgConnection;
use store::app::App;
use store::audit::Deed;
use store::build::Build;
use store::stage::Stage;
use utoipa::ToSchema;

use super::app;
use super::builds::{created, started};
use super::view::BuildView;
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract;
use crate::openapi::wire;
use crate::order::{self, Order};
use crate::state::State;

#[derive(Deserialize, ToSchema)]
#[schema(as = BuildWish)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    #[schema(value_type = Option<wire::BranchName>)]
    pub(crate) branch: Option<BranchName>,
    #[schema(value_type = Option<wire::CommitSha>)]
    pub(crate) commit: Option<CommitSha>,
    #[schema(value_type = Option<wire::TagName>)]
    pub(crate) tag: Option<TagName>,
    #[schema(value_type = Option<wire::StageName>)]
    pub(crate) stage: Option<StageName>,
    #[serde(default)]
    pub(crate) force: bool,
    /// Only these, whatever the rules say. Whether the commit has them, its plan will say.
    #[schema(value_type = Option<Vec<wire::ServiceName>>)]
    pub(crate) services: Option<BTreeSet<ServiceName>>,
}

/// Start a build by hand
///
/// Of a branch, a tag, or a commit with its stage. What is named goes before what the rules say; the
/// rest is as a push would have it.
#[utoipa::path(
    post,
    path = "/apps/{app}/builds",
    operation_id = "startBuild",
    tag = "builds",
    request_body = Wanted,
    responses(
        (status = 201, description = "The build", body = BuildView),
        (status = 502, description = "GitHub does not answer as it should"),
    ),
)]
pub(super) async fn create(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<BuildView>)> {
    let build = start(&state, &caller, &name, extract::json(&headers, &body)?).await?;
    created(&state, build).await
}

pub(crate) async fn start(
    state: &State,
    caller: &Caller,
    name: &str,
    wanted: Wanted,
) -> Result<Build> {
    let app = {
        let mut conn = state.db.acquire().await?;
        app(&mut conn, name).await?
    };
    if wanted.services.as_ref().is_some_and(BTreeSet::is_empty) {
        let message = "name at least one service, or leave `services` out for all of them";
        return Err(Error::invalid("services", message));
    }
    let source = source(state, &app, &wanted, caller).await?;
    let mut tx = state.db.begin().await?;
    let found = destination(state, &mut tx, &app, &wanted).await?;
    let order = Order {
        purpose: Purpose::Deploy,
        stage: Some(found.stage),
        source,
        forced: wanted.force,
        services: wanted.services.or(found.services),
        preview_deploy: found.preview_deploy,
    };
    let build = order::build(state, &mut tx, &app, order).await?;
    let did = Did::new(Deed::Start, &app.name)
        .stage(build.stage.as_ref())
        .build(build.number)
        .detail(json!({ "commit": build.source.commit, "forced": build.forced }));
    audit::record(state, &mut tx, caller, did).await?;
    tx.commit().await.map_err(Error::internal)?;
    started(state, &build);
    Ok(build)
}

/// The commit to build; GitHub is asked for a branch's head, or for what a tag leads to.
async fn source(state: &State, app: &App, wanted: &Wanted, caller: &Caller) -> Result<Source> {
    let commit = match (&wanted.commit, &wanted.branch, &wanted.tag) {
        (Some(commit), _, _) => commit.clone(),
        (None, Some(branch), None) => branch_head(state, app, branch).await?,
        (None, None, Some(tag)) => tag_commit(state, app, tag).await?,
        (None, Some(_), Some(_)) => {
            return Err(Error::invalid("tag", "name either a branch or a tag"));
        }
        (None, None, None) => {
            return Err(Error::invalid(
                "branch",
                "name a branch, a tag, or a commit with its stage",
            ));
        }
    };
    let what = match (&wanted.branch, &wanted.tag) {
        (Some(branch), _) => branch.to_string(),
        (None, Some(tag)) => tag.to_string(),
        (None, None) => commit.short().to_owned(),
    };
    Ok(Source {
        title: format!("Build of {what}"),
        commit,
        branch: wanted.branch.clone(),
        tag: wanted.tag.clone(),
        pull_request: None,
        author: caller.name.clone(),
    })
}

async fn branch_head(state: &State, app: &App, branch: &BranchName) -> Result<CommitSha> {
    let head = github(state, "branch")?.branch_head(&app.repository, branch.as_str()).await?;
    head.ok_or_else(|| {
        Error::invalid("branch", format!("{} has no branch {branch}", app.repository))
    })
}

async fn tag_commit(state: &State, app: &App, tag: &TagName) -> Result<CommitSha> {
    let commit = github(state, "tag")?.tag_commit(&app.repository, tag).await?;
    commit.ok_or_else(|| {
        let message = format!("{} has no tag {tag} that leads to a commit", app.repository);
        Error::invalid("tag", message)
    })
}

fn github(state: &State, what: &str) -> Result<github::GitHub> {
    state.github.get().ok_or_else(|| {
        let message = format!(
            "the server has no identity on GitHub (`github.token` or `github.app_id`) to look \
             the {what} up with: name the commit too"
        );
        Error::invalid("commit", message)
    })
}

/// Where a build by hand goes, and what the app's rules say of it there.
struct Destination {
    stage: StageId,
    services: Option<BTreeSet<ServiceName>>,
    preview_deploy: PreviewDeploy,
}

/// The stage that is named, or the first that the rules give the branch or tag, or its preview.
async fn destination(
    state: &State,
    conn: &mut PgConnection,
    app: &App,
    wanted: &Wanted,
) -> Result<Destination> {
    let targets = model::rule::by_hand(&app.settings, wanted.branch.as_ref(), wanted.tag.as_ref());
    let by_rule = match &wanted.stage {
        None => targets.into_iter().next(),
        Some(name) => match app.settings.stage(name) {
            Some((name, _)) => {
                let services = targets.into_iter().find(|target| target.stage == *name);
                let services = services.and_then(|target| target.services);
                Some(Target { stage: name.clone(), services })
            }
            None => {
                let stage = store::stage::find_open(conn, app.id, name).await?;
                let missing =
                    || Error::invalid("stage", format!("{} has no stage {name}", app.name));
                return of_row(conn, app, &stage.ok_or_else(missing)?).await;
            }
        },
    };
    if let Some(Target { stage, services }) = by_rule {
        let stage = order::long_lived(state, conn, app, &stage).await?;
        return Ok(Destination { stage, services, preview_deploy: PreviewDeploy::default() });
    }
    let preview = match &wanted.branch {
        Some(branch) => store::order::preview_for(conn, app, branch).await?,
        None => None,
    };
    let preview = preview.ok_or_else(|| {
        Error::invalid("stage", "no rule and no preview says where this goes: name a stage")
    })?;
    of_row(conn, app, &preview).await
}

/// A stage that the settings do not name: its rule is the one of its last build by a rule.
async fn of_row(conn: &mut PgConnection, app: &App, stage: &Stage) -> Result<Destination> {
    let by_rule = store::build::latest_by_rule(conn, stage.id).await?;
    let (services, preview_deploy) = match (by_rule, stage.preview_rule_in(&app.settings)) {
        (Some(build), _) => (build.services, build.preview_deploy),
        (None, Some(rule)) => (rule.services.clone(), rule.deploy),
        (None, None) => (None, model::rule::preview_deploy(&app.settings)),
    };
    Ok(Destination { stage: open(stage)?, services, preview_deploy })
}

/// Refuses a stage that takes no builds.
pub(crate) fn open(stage: &Stage) -> Result<StageId> {
    match stage.state {
        StageState::Active => Ok(stage.id),
        StageState::Removing | StageState::RemoveFailed | StageState::Closed => {
            Err(Error::Conflict(format!(
                "the {} stage {} is {}: nothing can be built there",
                stage.kind.as_str(),
                stage.name,
                stage.state.as_str().replace('_', " ")
            )))
        }
    }
}
