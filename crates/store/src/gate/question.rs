//! The question that somebody may answer now, and the answer that lets it through: the same on a
//! page, over the API and in a comment.
//!
//! What always holds: the caller holds the build's row, so that what was looked at here is what is
//! answered; and has made sure that whoever answers may.

use chrono::{DateTime, SecondsFormat, Utc};
use model::approval::{Approval, ApprovalState};
use model::gate::{Gate, Obstacle};
use model::job::JobState;
use sqlx::PgConnection;

use super::Gates;
use crate::approval::{self, Answer, Kept};
use crate::build::{Build, BuildState};
use crate::error::{Error, Result};
use crate::job::Job;

/// The question that may be answered now, or why there is none. `overrides`: who answers lets it
/// through a freeze.
pub fn question<'a>(
    build: &Build,
    gates: &'a Gates,
    jobs: &[Job],
    overrides: bool,
    now: DateTime<Utc>,
) -> Result<&'a Kept> {
    let number = build.number;
    let refused = |why: String| Err(Error::NotAllowed(why));
    match (build.state, &build.cancel_requested_at) {
        (BuildState::Finished, _) | (_, Some(_)) => {
            let why = build.reason.as_ref().or(build.cancel_reason.as_ref());
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            return refused(format!("build {number} has ended{why}: its approval is void"));
        }
        (BuildState::Running | BuildState::Waiting, None) => {}
    }
    if let Some(open) = gates.open() {
        if open.approval.is_over(now) {
            return refused(expired(number, &open.approval));
        }
        let is_same = gates.ask(jobs).is_some_and(|ask| ask.bound_to() == open.approval.bound_to);
        if !is_same {
            return refused(format!(
                "what build {number} would deploy is something else by now: look at it again"
            ));
        }
        return Ok(open);
    }
    let waiting: Vec<&Job> = jobs.iter().filter(|job| job.state == JobState::Waiting).collect();
    // approved, and held by a freeze: that may still be overridden
    let given = waiting.iter().find_map(|job| gates.approval_of(&gates.deploy(job)?));
    match given {
        Some(given) if overrides => return Ok(given),
        Some(Kept { approval, .. }) => {
            let by = approval.decided_by.as_deref().unwrap_or_default();
            let freeze = gates.freezes().first().map(|freeze| {
                format!(
                    "; the stage is {}, and override_freeze would let it through",
                    freeze.sentence()
                )
            });
            return refused(format!(
                "build {number} is approved already, by {by}{}",
                freeze.unwrap_or_default()
            ));
        }
        None => {}
    }
    let obstacles = waiting.iter().find_map(|job| match gates.of(job) {
        Gate::Open => None,
        Gate::Closed { why } => Some(why),
    });
    refused(match obstacles.and_then(|why| why.into_iter().next()) {
        Some(Obstacle::NotAsked) => format!(
            "build {number} is not packaged as a whole yet: approve it when what it would change \
             can be seen"
        ),
        Some(obstacle @ (Obstacle::Rejected | Obstacle::Expired)) => {
            format!("build {number}: {}", obstacle.sentence())
        }
        Some(Obstacle::Undecided { .. } | Obstacle::Frozen(_)) | None => {
            format!("nothing of build {number} waits to be approved")
        }
    })
}

fn expired(number: i64, approval: &Approval) -> String {
    let end = approval.expires_at.map(|end| end.to_rfc3339_opts(SecondsFormat::Secs, true));
    format!(
        "nobody approved build {number} until {}: start a new build to ask again",
        end.unwrap_or_default()
    )
}

/// Lets through what the question asks about. One that has its answer is left as it is.
pub async fn approve(
    conn: &mut PgConnection,
    gates: &Gates,
    kept: &Kept,
    by: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    if kept.approval.state != ApprovalState::Waiting {
        return Ok(());
    }
    let answer = Answer { state: ApprovalState::Approved, by: Some(by), reason: None };
    approval::answer(conn, kept.id, answer, now).await?;
    approval::set_expiry(conn, kept.id, gates.expiry()).await
}
