//! Carries out the wish to end a build: by a person, or by newer work of the same stage.
//!
//! What always holds: a job that changes a stack is never torn off once it runs; it ends by
//! itself, and what comes after it in the build does not start. The stage's own command may work
//! on what is deployed (move data, say): only a person ends it once it runs, never a newer push.

use model::job::{JobEvent, JobKind, JobState};
use store::PgConnection;
use store::build::Build;
use store::job::Job;

use crate::Engine;

/// Why the build is to end, if it is.
pub(super) fn wanted(build: &Build) -> Option<String> {
    build.cancel_requested_at?;
    Some(build.cancel_reason.clone().unwrap_or_else(|| "canceled".into()))
}

/// Answers whether there was something to end.
pub(super) async fn carry_out(
    engine: &Engine,
    conn: &mut PgConnection,
    build: &Build,
    jobs: &[Job],
    reason: &str,
) -> anyhow::Result<bool> {
    let now = engine.now();
    let superseded = build.superseded_by.is_some();
    let mut ended = false;
    for job in jobs {
        match &job.state {
            JobState::Blocked | JobState::Waiting | JobState::Queued { .. } if begun(job) => {}
            JobState::Blocked | JobState::Waiting | JobState::Queued { .. } => {
                let event = JobEvent::Canceled { reason: reason.to_owned() };
                store::job::transition(conn, job.id, &event, now).await?;
                ended = true;
            }
            JobState::Running(_) if job.kind.changes_stack() => {}
            JobState::Running(_) if job.kind == JobKind::PostDeploy && superseded => {}
            JobState::Running(_) => {
                if job.cancel_requested_at.is_none() {
                    store::job::request_cancel(conn, job.id, now).await?;
                    ended = true;
                }
            }
            JobState::Finished(_) => {}
        }
    }
    Ok(ended)
}

/// A change of a stack whose worker was lost is queued again, and the stack may still be moving:
/// the next attempt has to look.
fn begun(job: &Job) -> bool {
    job.kind.changes_stack() && job.attempt > 0
}
