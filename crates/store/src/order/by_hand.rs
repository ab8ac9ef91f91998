//! What a person may not ask of a stage, and what somebody who wants a preview longer gets: the same
//! on a page, over the API and in a comment.

use chrono::{DateTime, TimeDelta, Utc};
use model::StageId;
use model::comment::command::Span;
use model::stage::{StageKind, StageState};
use sqlx::PgConnection;

use super::use_stage;
use crate::app::App;
use crate::build;
use crate::error::{Error, Result};
use crate::stage::{self, Stage};

/// Refuses a stage that people do not remove, or not now.
pub fn removable(stage: &Stage) -> Result<()> {
    let refusal = match (stage.kind, stage.state) {
        (StageKind::LongLived, _) => {
            "is a long-lived stage of the settings: only previews and personal stages are removed \
             here"
        }
        (StageKind::Preview | StageKind::Personal, StageState::Removing) => {
            "is being removed already"
        }
        (StageKind::Preview | StageKind::Personal, StageState::Closed) => {
            "is closed: nothing is left of it"
        }
        (
            StageKind::Preview | StageKind::Personal,
            StageState::Active | StageState::RemoveFailed,
        ) => return Ok(()),
    };
    Err(Error::NotAllowed(format!("{} {refusal}", stage.name)))
}

/// Gives a preview that expires its time anew, as if somebody had pushed now, without a build; or so
/// many days at least.
pub async fn extend(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    span: Span,
    now: DateTime<Utc>,
) -> Result<Stage> {
    expiring(stage)?;
    match span {
        Span::WholeTime => {}
        Span::Days(days) => {
            stage::keep_until(conn, stage.id, now + TimeDelta::days(days.into())).await?;
        }
    }
    use_stage(conn, app, stage.id, now).await?;
    shown_anew(conn, stage.id).await?;
    stage::get(conn, stage.id).await
}

/// What GitHub shows of the stage is found anew: its last build is settled once more.
async fn shown_anew(conn: &mut PgConnection, stage: StageId) -> Result<()> {
    if let Some(build) = build::latest_on(conn, stage).await? {
        build::mark_dirty(conn, build.id).await?;
    }
    Ok(())
}

/// Refuses a stage that has no end which could be put off.
fn expiring(stage: &Stage) -> Result<()> {
    let refusal = match (stage.kind, stage.state, stage.expires_at) {
        (StageKind::Preview, StageState::Active, Some(_)) => return Ok(()),
        (StageKind::Preview, StageState::Active, None) => {
            "does not expire: its preview rule has no `expires_after`"
        }
        (StageKind::Preview, StageState::Removing | StageState::RemoveFailed, _) => {
            "is being removed: push to its branch to have it again"
        }
        (StageKind::Preview, StageState::Closed, _) => {
            "is closed: push to its branch to have it again"
        }
        (StageKind::LongLived | StageKind::Personal, _, _) => "does not expire: it is no preview",
    };
    Err(Error::NotAllowed(format!("{} {refusal}", stage.name)))
}
