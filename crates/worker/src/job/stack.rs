//! A job's view of its stacks: looked at, followed into the log while something changes them.
//!
//! What always holds: following events never fails a job; the reason kept for the failure is that
//! of the first resource that failed by itself, not of those canceled because of it.

use std::time::Duration;

use aws::stack::{EventCursor, Patience, StackEvent};
use aws::{Stack, Stacks};
use model::worker_api::Target;
use tokio::sync::mpsc;

use super::context::Job;
use super::halt::Halt;
use super::progress::Progress;
use super::session;
use crate::log::Log;

/// A local AWS has no limits; a real account's are small and shared.
const POLL_LOCAL: Duration = Duration::from_millis(500);
const POLL_REAL: Duration = Duration::from_secs(2);
/// Longer than any stack may take that a job waits for.
const DEADLINE: Duration = Duration::from_secs(60 * 60);

/// The stacks of the job's stage.
pub(super) async fn open(job: &Job, target: &Target) -> Result<Stacks, Halt> {
    let session = session::open(job).await?;
    Ok(Stacks::new(session.credentials, target.region.as_str(), &session.endpoint)?)
}

pub(super) fn patience(job: &Job) -> Patience {
    let poll = if job.assignment().aws.url.is_some() { POLL_LOCAL } else { POLL_REAL };
    Patience { poll, deadline: DEADLINE }
}

/// Why resources failed, the first cause first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Causes {
    resource: Option<String>,
    stack: Option<String>,
}

impl Causes {
    pub(super) fn see(&mut self, event: &StackEvent) {
        let Some(reason) = event.reason.as_ref().filter(|reason| !reason.trim().is_empty()) else {
            return;
        };
        let of_its_own = !reason.contains("cancelled") && !reason.contains("canceled");
        if !event.is_failure() {
            return;
        }
        if event.is_of_stack() {
            self.stack.get_or_insert_with(|| reason.clone());
        } else if of_its_own {
            let named = || format!("{} ({}): {reason}", event.logical_id, event.resource_type);
            self.resource.get_or_insert_with(named);
        }
    }

    pub(super) fn first(&self) -> Option<&str> {
        self.resource.as_deref().or(self.stack.as_deref())
    }
}

/// An event as a line of the log.
pub(super) fn line(event: &StackEvent) -> String {
    let time =
        event.timestamp.map_or_else(String::new, |time| time.format("%H:%M:%S ").to_string());
    let reason = event
        .reason
        .as_deref()
        .filter(|reason| !reason.trim().is_empty())
        .map_or_else(String::new, |reason| format!(": {}", reason.replace(['\n', '\r'], " ")));
    format!("  {time}{} {} ({}){reason}", event.status, event.logical_id, event.resource_type)
}

/// Stacks whose events are followed, each from its cursor on.
pub(super) struct Watch<'a> {
    stacks: &'a Stacks,
    log: Log,
    progress: Progress,
    poll: Duration,
    followed: Vec<Followed>,
}

struct Followed {
    name: String,
    cursor: EventCursor,
    causes: Causes,
}

impl<'a> Watch<'a> {
    /// From now on.
    pub(super) async fn begin(
        job: &Job,
        stacks: &'a Stacks,
        names: &[String],
    ) -> Result<Self, Halt> {
        let mut followed = Vec::new();
        for name in names {
            let cursor = job.or_stopped(stacks.cursor_now(name)).await??;
            followed.push(Followed { name: name.clone(), cursor, causes: Causes::default() });
        }
        let (log, progress) = (job.log().clone(), job.progress().clone());
        Ok(Self { stacks, log, progress, poll: patience(job).poll, followed })
    }

    /// Runs `work` and writes the stacks' events into the log meanwhile. With what it came to, the
    /// first cause of a failure, if there was one.
    pub(super) async fn over<T>(mut self, work: impl Future<Output = T>) -> (T, Option<String>) {
        let poll = self.poll;
        tokio::pin!(work);
        let value = loop {
            tokio::select! {
                biased;
                value = &mut work => break value,
                () = tokio::time::sleep(poll) => {}
            }
            let following = self.follow();
            tokio::pin!(following);
            // A look that has begun is ended, or lines that were read already would be lost.
            tokio::select! {
                biased;
                value = &mut work => { following.await; break value }
                () = &mut following => {}
            }
        };
        self.follow().await;
        let cause = self
            .followed
            .iter()
            .find_map(|stack| Some(format!("stack {}: {}", stack.name, stack.causes.first()?)));
        (value, cause)
    }

    async fn follow(&mut self) {
        for stack in &mut self.followed {
            match self.stacks.events_since(&stack.name, &mut stack.cursor).await {
                Ok(events) => {
                    for event in events {
                        told(&self.log, &self.progress, &mut stack.causes, &event).await;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "the stack's events could not be read just now");
                }
            }
        }
    }
}

/// For the calls of `aws` that hand out events while they wait: what to give them, and what to
/// give [`logged`].
pub(super) fn collector() -> (impl FnMut(&StackEvent) + Send, mpsc::UnboundedReceiver<StackEvent>) {
    let (sender, events) = mpsc::unbounded_channel();
    // Nobody listens any more when the job was stopped: then the event may go.
    (move |event: &StackEvent| drop(sender.send(event.clone())), events)
}

/// The stack once nothing is in progress, with why resources failed meanwhile; `None`: there is
/// none.
pub(super) async fn settled(
    job: &Job,
    stacks: &Stacks,
    name_or_id: &str,
) -> Result<(Option<Stack>, Causes), Halt> {
    let (mut on_event, events) = collector();
    let mut cursor = job.or_stopped(stacks.cursor_now(name_or_id)).await??;
    let waiting = stacks.wait_settled(name_or_id, &mut cursor, patience(job), &mut on_event);
    let (settled, causes) = job.or_stopped(logged(job, events, waiting)).await?;
    Ok((settled?, causes))
}

/// Writes an event down wherever it counts.
async fn told(log: &Log, progress: &Progress, causes: &mut Causes, event: &StackEvent) {
    causes.see(event);
    progress.see(event);
    log.note(&line(event)).await;
}

/// Waits for `work` and writes the events it hands out into the log.
pub(super) async fn logged<T>(
    job: &Job,
    mut events: mpsc::UnboundedReceiver<StackEvent>,
    work: impl Future<Output = T>,
) -> (T, Causes) {
    let mut causes = Causes::default();
    tokio::pin!(work);
    let value = loop {
        tokio::select! {
            value = &mut work => break value,
            Some(event) = events.recv() => {
                told(job.log(), job.progress(), &mut causes, &event).await;
            }
        }
    };
    while let Ok(event) = events.try_recv() {
        told(job.log(), job.progress(), &mut causes, &event).await;
    }
    (value, causes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(logical_id: &str, status: &str, reason: &str) -> StackEvent {
        let resource_type = if logical_id == "shop-dev" {
            "AWS::CloudFormation::Stack"
        } else {
            "AWS::DynamoDB::Table"
        };
        StackEvent {
            id: "1".to_owned(),
            stack: "shop-dev".to_owned(),
            timestamp: None,
            logical_id: logical_id.to_owned(),
            physical_id: None,
            resource_type: resource_type.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
        }
    }

    #[test]
    fn the_first_resource_that_failed_by_itself_is_the_cause() {
        let mut causes = Causes::default();
        for (id, status, reason) in [
            ("A", "CREATE_IN_PROGRESS", "Resource creation initiated"),
            ("B", "CREATE_FAILED", "Resource creation cancelled"),
            ("A", "CREATE_FAILED", "name taken"),
            ("C", "CREATE_FAILED", "later"),
            ("shop-dev", "ROLLBACK_FAILED", "could not roll back"),
        ] {
            causes.see(&event(id, status, reason));
        }
        assert_eq!(causes.first(), Some("A (AWS::DynamoDB::Table): name taken"));
    }

    #[test]
    fn without_a_failed_resource_the_stack_says_why() {
        let mut causes = Causes::default();
        causes.see(&event("shop-dev", "UPDATE_FAILED", "the template is wrong"));
        assert_eq!(causes.first(), Some("the template is wrong"));
    }

    #[test]
    fn an_event_is_one_line_whatever_its_reason_holds() {
        let line = line(&event("A", "CREATE_FAILED", "a\nb"));
        assert_eq!(line, "  CREATE_FAILED A (AWS::DynamoDB::Table): a b");
    }
}
