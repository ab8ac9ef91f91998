//! A discard: one stack that no stage knows is deleted, because a person has said so.
//!
//! What always holds: it is that very stack, by its ARN, and as it was when the person saw it; one
//! that was changed since stays, for somebody may have taken it over. Another stack of the same name
//! is not looked at. Its templates and commands are not known, so no step of anybody's runs.

use aws::{StackPhase, Stacks};
use chrono::{DateTime, Utc};
use model::Region;
use model::job::FailureKind;
use model::worker_api::RemoveHow;

use super::context::Job;
use super::halt::Halt;
use super::remove::prove;
use super::session;

/// What is kept although the stack is gone, in words.
pub(super) async fn run(
    job: &Job,
    region: &Region,
    id: &str,
    name: &str,
    changed_at: Option<DateTime<Utc>>,
) -> Result<Vec<String>, Halt> {
    let session = session::open(job).await?;
    let stacks = Stacks::new(session.credentials, region.as_str(), &session.endpoint)?;
    job.log().heading(&format!("stack {name} in {region}")).await;
    let found = job.or_stopped(stacks.look(id)).await??;
    let Some(stack) = found.filter(|stack| stack.status.phase() != StackPhase::Gone) else {
        job.log().note("it is gone already").await;
        return Ok(Vec::new());
    };
    if stack.changed_at() != changed_at {
        return Err(Halt::failed(
            FailureKind::Aws,
            format!(
                "stack {name} was changed at {}, after it was found to be nobody's: somebody may have taken it over, so it stays. Look at it again",
                time(stack.changed_at())
            ),
        ));
    }
    let kept = prove::gone(job, &stacks, id, RemoveHow::Careful).await?;
    Ok(kept.into_iter().map(prove::Kept::words).collect())
}

fn time(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(
        || "a time that is not known".to_owned(),
        |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}
