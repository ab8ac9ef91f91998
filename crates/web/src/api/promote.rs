//! What is deployed in one stage goes to another, by git: the branch that the other is deployed
//! from is moved forward to its commit, or a tag is made there. The push that this is builds as
//! any push does; where the rule is manual, a build by hand is started.
//!
//! What always holds: no branch is ever moved but forward, and GitHub decides whether it is (who
//! pushed in between is not overwritten); only a stage that is whole, of one commit, is promoted.
//! GitHub is asked outside any transaction.
//!
//! After a crash between the move and the build by hand, asking again starts the build: the branch
//! is there already.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::HeaderMap;
use model::app::{PreviewDeploy, Trigger};
use model::build::{Purpose, Source};
use model::promotion::Way;
use model::{BranchName, CommitSha, StageName, TagName};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::audit::Deed;
use store::build::Build;
use utoipa::ToSchema;

use self::look::{Movement, Outlook};
use super::builds::started;
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract;
use crate::openapi::wire;
use crate::order::{self, Order};
use crate::state::State;

pub(crate) mod look;
mod refs;

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = PromoteWish)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// `null`: the one that the settings name.
    #[schema(value_type = Option<wire::StageName>)]
    pub(crate) from: Option<StageName>,
    /// What the new tag is called, where tags are deployed.
    #[schema(value_type = Option<wire::TagName>)]
    pub(crate) tag: Option<TagName>,
    /// The commit that the caller has seen in `from`: another one is refused.
    #[schema(value_type = Option<wire::CommitSha>)]
    pub(crate) commit: Option<CommitSha>,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Promotion)]
pub(crate) struct Promoted {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<wire::BranchName>)]
    branch: Option<BranchName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<wire::TagName>)]
    tag: Option<TagName>,
    #[schema(value_type = wire::CommitSha)]
    commit: CommitSha,
    #[schema(value_type = wire::StageName)]
    from: StageName,
    outcome: Done,
    /// The build by hand, where the rule wants one; else the push starts it.
    pub(crate) build: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Done {
    Moved,
    Created,
    AlreadyThere,
}

/// Bring the commit of another stage here
///
/// By git: the branch that this stage is deployed from is moved forward, or a tag is made.
#[utoipa::path(
    post,
    path = "/apps/{app}/stages/{stage}/promote",
    operation_id = "promoteStage",
    tag = "stages",
    request_body = Wanted,
    responses(
        (status = 200, description = "What became of it", body = Promoted),
        (status = 502, description = "GitHub does not answer as it should"),
    ),
)]
pub(super) async fn promote(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Promoted>> {
    let wanted = extract::json(&headers, &body)?;
    Ok(Json(promote_stage(&state, &caller, &name, &stage, wanted).await?))
}

pub(crate) async fn promote_stage(
    state: &State,
    caller: &Caller,
    name: &str,
    stage: &str,
    wanted: Wanted,
) -> Result<Promoted> {
    let seen = wanted.commit.clone();
    let outlook = look::look(state, name, stage, wanted).await?;
    if let Some(seen) = seen.filter(|seen| *seen != outlook.commit) {
        return Err(Error::Conflict(format!(
            "{} runs {} now, no longer {}: look again",
            outlook.from,
            outlook.commit.short(),
            seen.short()
        )));
    }
    // before the move: one that the server did not live to tell of was told of all the same
    note(state, caller, &outlook, None).await?;
    let done = match refs::carry_out(state, &outlook).await {
        Ok(done) => done,
        Err(error) => {
            note(state, caller, &outlook, Some(&error)).await?;
            return Err(error);
        }
    };
    let build = match outlook.trigger() {
        Trigger::Manual => Some(start(state, caller, &outlook).await?.number),
        Trigger::Auto => None,
    };
    tracing::info!(app = %outlook.app.name, stage = %outlook.to, commit = %outlook.commit,
        by = caller.name, "a stage is promoted");
    let (branch, tag) = match outlook.way {
        Way::Branch { branch, .. } => (Some(branch), None),
        Way::Tag { tag, .. } => (None, Some(tag)),
    };
    let Outlook { commit, from, .. } = outlook;
    Ok(Promoted { branch, tag, commit, from, outcome: done, build })
}

async fn note(
    state: &State,
    caller: &Caller,
    outlook: &Outlook,
    refused: Option<&Error>,
) -> Result<()> {
    let place = match &outlook.way {
        Way::Branch { branch, .. } => format!("branch {branch}"),
        Way::Tag { tag, .. } => format!("tag {tag}"),
    };
    let mut detail = json!({ "from": outlook.from, "commit": outlook.commit, "place": place });
    if let Some(error) = refused {
        detail["refused"] = json!(error.to_string());
    }
    let did = Did::new(Deed::Promote, &outlook.app.name).stage(&outlook.to).detail(detail);
    let mut conn = state.db.acquire().await?;
    audit::record(state, &mut conn, caller, did).await
}

/// A manual rule: nobody but whoever asks starts its builds.
async fn start(state: &State, caller: &Caller, outlook: &Outlook) -> Result<Build> {
    let (branch, tag) = match &outlook.way {
        Way::Branch { branch, .. } => (Some(branch.clone()), None),
        Way::Tag { tag, .. } => (None, Some(tag.clone())),
    };
    let app = &outlook.app;
    let targets = model::rule::by_hand(&app.settings, branch.as_ref(), tag.as_ref());
    let target = targets.into_iter().find(|target| target.stage == outlook.to);
    let mut tx = state.db.begin().await?;
    let order = Order {
        purpose: Purpose::Deploy,
        stage: Some(order::long_lived(state, &mut tx, app, &outlook.to).await?),
        source: Source {
            commit: outlook.commit.clone(),
            branch,
            tag,
            pull_request: None,
            title: format!("Promote {} to {}", outlook.from, outlook.to),
            author: caller.name.clone(),
        },
        forced: false,
        services: target.and_then(|target| target.services),
        preview_deploy: PreviewDeploy::default(),
    };
    let build = order::build(state, &mut tx, app, order).await?;
    tx.commit().await.map_err(Error::internal)?;
    started(state, &build);
    Ok(build)
}

impl From<&Movement> for Done {
    fn from(movement: &Movement) -> Self {
        match movement {
            Movement::None => Self::AlreadyThere,
            Movement::Create => Self::Created,
            Movement::Forward { .. } => Self::Moved,
        }
    }
}
