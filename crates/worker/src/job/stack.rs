//! A job's view of its stack: credentials that renew themselves, events into the log while a
//! command runs.
//!
//! What always holds: following events never fails a job; the reason kept for the failure is that
//! of the first resource that failed by itself, not of those canceled because of it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws::stack::{EventCursor, Patience, StackEvent};
use aws::{CredentialSource, CredentialSourceError, Credentials, Stacks};
use model::worker_api::{AwsCredentials, Target};
use tokio::sync::{Mutex, mpsc};

use super::context::Job;
use super::halt::Halt;
use crate::client::JobClient;
use crate::hold::{Hold, Interrupted};
use crate::log::Log;

/// A local AWS has no limits; a real account's are small and shared.
const POLL_LOCAL: Duration = Duration::from_millis(500);
const POLL_REAL: Duration = Duration::from_secs(2);
/// Longer than any stack may take that a job waits for.
const DEADLINE: Duration = Duration::from_secs(60 * 60);

/// The server, as the SDK's source of credentials.
#[derive(Debug)]
struct FromServer {
    client: JobClient,
    hold: Hold,
    /// Those that were fetched when the source was made.
    first: Mutex<Option<AwsCredentials>>,
}

#[async_trait]
impl CredentialSource for FromServer {
    async fn fetch(&self) -> Result<Credentials, CredentialSourceError> {
        let first = self.first.lock().await.take();
        let AwsCredentials { access_key_id, secret_access_key, session_token, expires_at } =
            match first {
                Some(first) => first,
                None => self.hold.ask(|| self.client.credentials()).await.map_err(refused)?,
            };
        Ok(Credentials {
            access_key_id,
            secret_access_key: secret_access_key.into(),
            session_token: session_token.into(),
            expires_at,
        })
    }
}

fn refused(interrupted: Interrupted) -> CredentialSourceError {
    CredentialSourceError(match interrupted {
        Interrupted::Stopped => "the job was stopped".to_owned(),
        Interrupted::Refused { detail, .. } | Interrupted::Local { detail } => detail,
    })
}

/// The stacks of the job's stage. The first credentials are fetched here, so that a role that
/// refuses is told as such at once; the SDK would take it for a passing fault.
pub(super) async fn open(job: &Job, target: &Target) -> Result<Stacks, Halt> {
    let settings = &job.assignment().aws;
    let endpoint =
        aws::AwsEndpoint { url: settings.url.clone(), ca_bundle_pem: settings.ca_bundle.clone() };
    let source = FromServer {
        client: job.client().clone(),
        hold: job.hold().clone(),
        first: Mutex::new(Some(job.credentials().await?)),
    };
    Ok(Stacks::new(Arc::new(source), target.region.as_str(), &endpoint)?)
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

/// Runs `work` and writes the stack's events into the log meanwhile, from `cursor` on.
pub(super) async fn watched<T>(
    job: (&Stacks, &str, &Log),
    mut cursor: EventCursor,
    poll: Duration,
    work: impl Future<Output = T>,
) -> (T, Causes) {
    let (stacks, name, log) = job;
    let mut causes = Causes::default();
    tokio::pin!(work);
    let value = loop {
        tokio::select! {
            biased;
            value = &mut work => break value,
            () = tokio::time::sleep(poll) => {}
        }
        let following = follow(stacks, name, &mut cursor, log, &mut causes);
        tokio::pin!(following);
        // A look that has begun is ended, or lines that were read already would be lost.
        tokio::select! {
            biased;
            value = &mut work => { following.await; break value }
            () = &mut following => {}
        }
    };
    follow(stacks, name, &mut cursor, log, &mut causes).await;
    (value, causes)
}

async fn follow(
    stacks: &Stacks,
    name: &str,
    cursor: &mut EventCursor,
    log: &Log,
    causes: &mut Causes,
) {
    match stacks.events_since(name, cursor).await {
        Ok(events) => {
            for event in events {
                causes.see(&event);
                log.note(&line(&event)).await;
            }
        }
        Err(error) => tracing::debug!(%error, "the stack's events could not be read just now"),
    }
}

/// For the calls of `aws` that hand out events while they wait: what to give them, and what to
/// give [`logged`].
pub(super) fn collector() -> (impl FnMut(&StackEvent) + Send, mpsc::UnboundedReceiver<StackEvent>) {
    let (sender, events) = mpsc::unbounded_channel();
    // Nobody listens any more when the job was stopped: then the event may go.
    (move |event: &StackEvent| drop(sender.send(event.clone())), events)
}

/// Waits for `work` and writes the events it hands out into the log.
pub(super) async fn logged<T>(
    log: &Log,
    mut events: mpsc::UnboundedReceiver<StackEvent>,
    work: impl Future<Output = T>,
) -> (T, Causes) {
    let mut causes = Causes::default();
    tokio::pin!(work);
    let value = loop {
        tokio::select! {
            value = &mut work => break value,
            Some(event) = events.recv() => {
                causes.see(&event);
                log.note(&line(&event)).await;
            }
        }
    };
    while let Ok(event) = events.try_recv() {
        causes.see(&event);
        log.note(&line(&event)).await;
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
            timestamp: None,
            logical_id: logical_id.to_owned(),
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
