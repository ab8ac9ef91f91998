//! The preview that a pull request is shown in: found, or made if the app has a place for it.
//!
//! What always holds: a branch has one preview, under a name that no other branch, no long-lived
//! and no personal stage has, and no preview that a rule names. A preview that stands is taken
//! whatever the limit says; places are only counted for new ones.

use model::app::PreviewLimit;
use model::rule::Preview;
use model::stage::{StageKind, preview_name, same_stage};
use model::{BranchName, StageId, StageName};
use sqlx::PgConnection;

use super::{Moment, begin};
use crate::app::App;
use crate::error::{Error, Result};
use crate::stage::Stage;
use crate::{pull_request, stage};

/// A preview, and the pull request that it is to show.
#[derive(Debug, Clone, Copy)]
pub struct PreviewWanted<'a> {
    pub preview: &'a Preview,
    /// Of the pull request: it has the rule.
    pub base: &'a BranchName,
    pub pull_request: Option<i64>,
}

/// Whether there is a place for a preview.
#[derive(Debug)]
pub enum Place {
    Taken(Box<Stage>),
    /// As many previews stand as the app may have: the pull request waits.
    Full(PreviewLimit),
}

/// The preview that stands, or a new one if fewer stand than the app may have.
pub async fn preview(
    conn: &mut PgConnection,
    app: &App,
    wanted: PreviewWanted<'_>,
    at: Moment<'_>,
) -> Result<Place> {
    let found = match wanted.preview {
        Preview::OfBranch(branch) => stage::find_preview(conn, app.id, branch).await?,
        Preview::Shared(name) => shared(conn, app, name).await?,
    };
    let id = match found {
        Some(stage) => {
            stage::touch(conn, stage.id, wanted.pull_request, at.now).await?;
            stage.id
        }
        None => {
            if let Some(limit) = full(conn, app).await? {
                if let Some(number) = wanted.pull_request {
                    pull_request::wait(conn, app.id, number, at.now).await?;
                }
                return Ok(Place::Full(limit));
            }
            make(conn, app, wanted, at).await?
        }
    };
    stage::follow(conn, id, wanted.pull_request, wanted.base).await?;
    if let Some(number) = wanted.pull_request {
        pull_request::set_stage(conn, app.id, number, Some(id)).await?;
    }
    Ok(Place::Taken(Box::new(stage::get(conn, id).await?)))
}

/// The stage of this name, if it is the preview that a rule's pull requests share.
async fn shared(conn: &mut PgConnection, app: &App, name: &StageName) -> Result<Option<Stage>> {
    let Some(stage) = stage::find_open(conn, app.id, name).await? else { return Ok(None) };
    let whose = match (stage.kind, &stage.branch) {
        (StageKind::Preview, None) => return Ok(Some(stage)),
        (StageKind::Preview, Some(branch)) => format!("the preview of branch {branch}"),
        (StageKind::LongLived, _) => "a long-lived stage".to_owned(),
        (StageKind::Personal, _) => "somebody's personal stage".to_owned(),
    };
    Err(Error::NotAllowed(format!(
        "{} is {whose}: give the preview rule another `stage_name`, or remove that stage first",
        stage.name
    )))
}

/// The limit that has been reached, if it has.
pub async fn full(conn: &mut PgConnection, app: &App) -> Result<Option<PreviewLimit>> {
    let Some(limit) = app.settings.preview_limit else { return Ok(None) };
    let standing = stage::count_previews(conn, app.id).await?;
    Ok((standing >= i64::from(limit.get())).then_some(limit))
}

async fn make(
    conn: &mut PgConnection,
    app: &App,
    wanted: PreviewWanted<'_>,
    at: Moment<'_>,
) -> Result<StageId> {
    let (name, branch) = match wanted.preview {
        Preview::OfBranch(branch) => {
            let open = stage::open(conn, app.id).await?;
            let named = || app.settings.long_lived().chain(app.settings.shared_previews());
            let name = preview_name(branch, |name| {
                named().any(|stage| same_stage(stage, name))
                    || open.iter().any(|stage| same_stage(&stage.name, name))
            });
            (name, Some(branch))
        }
        Preview::Shared(name) => (name.clone(), None),
    };
    Ok(begin(conn, app, name, StageKind::Preview, branch, wanted.pull_request, at).await?.id)
}

/// The preview that shows a branch now: its own, or the one that its open pull request shares.
pub async fn preview_for(
    conn: &mut PgConnection,
    app: &App,
    branch: &BranchName,
) -> Result<Option<Stage>> {
    if let Some(stage) = stage::find_preview(conn, app.id, branch).await? {
        return Ok(Some(stage));
    }
    for pull_request in pull_request::open_of(conn, app.id, branch).await? {
        let Some(id) = pull_request.stage_id else { continue };
        let stage = stage::get(conn, id).await?;
        if stage.closed_at.is_none() {
            return Ok(Some(stage));
        }
    }
    Ok(None)
}
