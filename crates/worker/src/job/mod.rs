//! One attempt of one job, from the assignment to the report.
//!
//! What always holds: the log is whole at the server before the job is reported finished; the
//! report is repeated until it is taken or the job is lost; a lost job is dropped without a word;
//! the job's room is gone afterwards. A fault in here, a panic included, fails this job alone.
//!
//! After a crash the attempt is over: the server gives the job to another one, and the room is
//! removed at the next start.

mod arrive;
mod artifact;
mod change;
mod change_sets;
mod check;
mod context;
mod deploy;
mod discard;
mod drift;
mod environment;
mod foresee;
mod foresight;
mod ground;
mod halt;
mod install;
mod outside;
mod package;
mod plan;
mod post_deploy;
mod progress;
mod publish;
mod read_back;
mod recover;
mod remove;
mod retries;
mod schema;
mod session;
mod stack;
mod steps;
mod stuck;
mod sweep;
mod tags;
mod test;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use model::job::Outcome;
use model::worker_api::{Assignment, Finish, JobResult, Target, Task};
use secrecy::SecretString;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::client::JobClient;
use crate::hold::{self, Hold, Interrupted, Stop};
use crate::log::{Chunk, ChunkSink, Log, LogSettings, LogTask, SinkError};
use crate::machine::Machine;
pub(crate) use context::Job;
use deploy::Way;
use halt::Halt;

/// What is logged of an attempt says for which job, and for which build.
pub(crate) fn span(assignment: &Assignment) -> tracing::Span {
    tracing::info_span!(
        "job",
        app = %assignment.app,
        build = %assignment.build,
        number = assignment.build_number,
        job = %assignment.job,
        kind = assignment.task.kind().as_str(),
        attempt = assignment.attempt,
    )
}

/// Runs an attempt to its end and reports it.
pub(crate) async fn attempt(
    machine: Arc<Machine>,
    slot: u16,
    client: JobClient,
    assignment: Assignment,
    lease: Duration,
    claimed_at: Instant,
    hold: Hold,
) {
    let done = CancellationToken::new();
    let beating = {
        let (client, hold, done) = (client.clone(), hold.clone(), done.clone());
        let beats = async move { hold::keep(&client, &hold, lease, claimed_at, &done).await };
        tokio::spawn(beats.in_current_span())
    };
    let attempt = assignment.attempt;
    tracing::info!("begins");
    let mut job = match begin(machine, slot, client.clone(), assignment, hold.clone()) {
        Ok((job, log)) => Some((job, log)),
        Err(halt) => {
            report(&client, &hold, attempt, Err(halt)).await;
            None
        }
    };
    if let Some((job, log)) = &mut job {
        let ended = AssertUnwindSafe(Box::pin(carry_out(job))).catch_unwind().await;
        let ended = ended.unwrap_or_else(|_| Err(Halt::internal("a panic, see the worker's log")));
        say_end(job, &ended).await;
        job.progress().told().await;
        if let Some(log) = log.take()
            && let Err(error) = log.finish().await
            && !hold.silenced()
        {
            tracing::warn!(%error, "the log is not whole");
        }
        report(&client, &hold, attempt, ended).await;
    }
    done.cancel();
    if let Err(error) = beating.await {
        tracing::error!(%error, "the heartbeat task failed");
    }
    if let Some((job, _)) = job {
        job.leave().await;
    }
    tracing::info!("ended");
}

fn begin(
    machine: Arc<Machine>,
    slot: u16,
    client: JobClient,
    assignment: Assignment,
    hold: Hold,
) -> Result<(Job, Option<LogTask>), Halt> {
    let sink = Arc::new(ToServer { client: client.clone(), hold: hold.clone() });
    let secrets = secrets(&assignment.task);
    let (log, task) = Log::start(sink, &secrets, LogSettings::new(Arc::new(now)))?;
    Job::new(machine, slot, client, assignment, hold, log).map(|job| (job, Some(task)))
}

/// The time of day, for the log's headings and the worker's daily chores; no job depends on it.
#[expect(
    clippy::disallowed_methods,
    reason = "a worker has no clock to be given: this is where the time comes in"
)]
pub(crate) fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

/// Each kind's work lies on the heap: together they are more than a thread's stack has room for.
async fn carry_out(job: &mut Job) -> Result<Option<JobResult>, Halt> {
    let task = job.assignment().task.clone();
    match task {
        Task::Plan { compare_with, diverged_from } => {
            let findings = Box::pin(plan::run(job, &compare_with, &diverged_from)).await?;
            Ok(Some(JobResult::Planned { findings }))
        }
        Task::Test { service, target, trust } => {
            Box::pin(test::run(job, &service, target.as_ref(), &trust)).await?;
            Ok(None)
        }
        Task::Package { service, target, trust, left } => {
            let package = Box::pin(package::run(job, &service, &target, &trust, &left)).await?;
            Ok(Some(JobResult::Packaged { package }))
        }
        Task::Deploy { service, target, artifact, trust } => {
            let way = Way::Forward;
            let deployed =
                Box::pin(deploy::run(job, way, &service, &target, &artifact, &trust)).await?;
            Ok(Some(JobResult::Deployed { deployed, changed_outputs: Vec::new() }))
        }
        Task::Rollback { service, target, artifact, trust } => {
            let way = Way::Back;
            let deployed =
                Box::pin(deploy::run(job, way, &service, &target, &artifact, &trust)).await?;
            Ok(Some(JobResult::Deployed { deployed, changed_outputs: Vec::new() }))
        }
        Task::Remove { service, target, stacks, trust, how } => {
            let kept = Box::pin(remove::run(job, &service, &target, &stacks, &trust, how)).await?;
            Ok(Some(JobResult::Removed { kept }))
        }
        Task::PostDeploy { step, target, trust: _ } => {
            Box::pin(post_deploy::run(job, &step, &target)).await?;
            Ok(None)
        }
        Task::Recover { service: _, target, stacks, skip } => {
            Box::pin(recover::run(job, &target, &stacks, &skip)).await?;
            Ok(Some(JobResult::Recovered))
        }
        Task::Foresee { service, target, trust } => {
            let (change, notes) = Box::pin(foresee::run(job, &service, &target, &trust)).await?;
            Ok(Some(JobResult::Foreseen { change, notes }))
        }
        Task::Sweep { regions } => {
            Ok(Some(JobResult::Swept { found: Box::pin(sweep::run(job, &regions)).await? }))
        }
        Task::Discard { region, stack, name, changed_at } => {
            let kept = Box::pin(discard::run(job, &region, &stack, &name, changed_at)).await?;
            Ok(Some(JobResult::Removed { kept }))
        }
        Task::Drift { service: _, target, stacks, left } => {
            let (stacks, found) = Box::pin(drift::run(job, &target, &stacks, &left)).await?;
            Ok(Some(JobResult::Drifted { stacks, found }))
        }
    }
}

/// The values that must not be in the log.
fn secrets(task: &Task) -> Vec<SecretString> {
    let of = |target: &Target| {
        let secret = target.parameters.values().filter(|p| p.secret && !p.value.is_empty());
        secret.map(|parameter| SecretString::from(parameter.value.clone())).collect()
    };
    match task {
        Task::Plan { .. } | Task::Sweep { .. } | Task::Discard { .. } => Vec::new(),
        Task::Test { target, .. } => target.as_ref().map(of).unwrap_or_default(),
        Task::Package { target, .. }
        | Task::Deploy { target, .. }
        | Task::Remove { target, .. }
        | Task::PostDeploy { target, .. }
        | Task::Rollback { target, .. }
        | Task::Recover { target, .. }
        | Task::Foresee { target, .. }
        | Task::Drift { target, .. } => of(target),
    }
}

async fn say_end(job: &Job, ended: &Result<Option<JobResult>, Halt>) {
    match (ended, job.hold().stopped()) {
        (_, Some(Stop::Canceled { reason })) => {
            job.log().heading(&format!("canceled: {reason}")).await;
        }
        (_, Some(Stop::Lost | Stop::Shutdown)) | (Err(Halt::Stopped), None) => {}
        (Err(Halt::Failed(failure)), None) => {
            job.log().heading(&format!("failed: {}", failure.message)).await;
        }
        (Err(Halt::Refused(refusal)), None) => {
            job.log().heading(&format!("refused: {}", refusal.failure.message)).await;
        }
        (Ok(_), None) => job.log().heading("done").await,
    }
}

async fn report(
    client: &JobClient,
    hold: &Hold,
    attempt: i32,
    ended: Result<Option<JobResult>, Halt>,
) {
    let Some(finish) = finish(hold.stopped(), attempt, ended) else { return };
    match hold.tell(|| client.finish(&finish)).await {
        Ok(()) | Err(Interrupted::Stopped) => {}
        Err(Interrupted::Refused { status, detail }) => {
            tracing::error!(status, detail, "the server did not take the job's end");
        }
        Err(Interrupted::Local { detail }) => {
            tracing::error!(detail, "the job's end could not be sent");
        }
    }
}

/// What the server is told; `None`: nothing.
fn finish(
    stopped: Option<&Stop>,
    attempt: i32,
    ended: Result<Option<JobResult>, Halt>,
) -> Option<Finish> {
    let (outcome, result) = match (stopped, ended) {
        (Some(Stop::Lost | Stop::Shutdown), _) | (None, Err(Halt::Stopped)) => return None,
        // What was done before the cancellation came through is done.
        (_, Ok(result)) => (Outcome::Succeeded, result),
        (Some(Stop::Canceled { reason }), Err(_)) => {
            (Outcome::Canceled { reason: reason.clone() }, None)
        }
        (None, Err(Halt::Failed(failure))) => (Outcome::Failed(failure), None),
        (None, Err(Halt::Refused(refusal))) => {
            (Outcome::Failed(refusal.failure), Some(refusal.result))
        }
    };
    Some(Finish { attempt, outcome, result })
}

/// Chunks are repeated until they are taken: a number the server knows is ignored there.
struct ToServer {
    client: JobClient,
    hold: Hold,
}

#[async_trait]
impl ChunkSink for ToServer {
    async fn send(&self, seq: i64, chunk: Chunk) -> Result<(), SinkError> {
        let sent = self.hold.tell(|| self.client.log(seq, &chunk)).await;
        sent.map_err(|interrupted| match interrupted {
            Interrupted::Stopped => SinkError("the job is no longer ours".to_owned()),
            Interrupted::Refused { status, detail } => SinkError(format!("{status}: {detail}")),
            Interrupted::Local { detail } => SinkError(detail),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use model::job::FailureKind;
    use model::output::{Published, Scope};
    use model::stage::StageKind;
    use model::worker_api::{AwsEndpoint, Parameter};

    pub(crate) fn assignment() -> Assignment {
        Assignment {
            job: "0192d1c0-0000-7000-8000-000000000001".parse().expect("an id"),
            attempt: 1,
            build: "0192d1c0-0000-7000-8000-000000000002".parse().expect("an id"),
            build_number: 7,
            build_url: "http://127.0.0.1:8080/apps/workshop/builds/7".to_owned(),
            app: "workshop".parse().expect("a name"),
            repository: "acme/workshop".parse().expect("a repository"),
            source: model::build::Source {
                commit: "0123456789012345678901234567890123456789".parse().expect("a commit"),
                branch: Some("feature/x".parse().expect("a branch")),
                tag: None,
                pull_request: Some(3),
                title: "Add x".to_owned(),
                author: "ann".to_owned(),
            },
            task: Task::Plan { compare_with: Vec::new(), diverged_from: Vec::new() },
            aws: AwsEndpoint::default(),
        }
    }

    pub(crate) fn target(parameters: &[(&str, &str)]) -> Target {
        let parameters = parameters.iter().map(|(key, value)| {
            let parameter = Parameter { value: (*value).to_owned(), secret: false };
            (key.parse().expect("a key"), parameter)
        });
        Target {
            stage: "feature-x".parse().expect("a stage"),
            stage_kind: StageKind::Preview,
            region: "us-east-1".parse().expect("a region"),
            parameters: parameters.collect(),
            references: BTreeMap::new(),
            outputs: Scope {
                app: "workshop".parse().expect("a name"),
                stage: "feature-x".parse().expect("a stage"),
                region: "us-east-1".parse().expect("a region"),
                fallback_stage: None,
                published: Vec::new(),
            },
            safeguards: Vec::new(),
            approved: None,
        }
    }

    /// What a service of the target's own stage has published.
    pub(crate) fn published(service: &str, outputs: &[(&str, &str)]) -> Published {
        let target = target(&[]);
        Published {
            app: target.outputs.app,
            stage: target.stage,
            region: target.region,
            service: service.parse().expect("a name"),
            published_as: None,
            outputs: outputs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn a_lost_job_is_not_reported_however_it_ended() {
        assert!(finish(Some(&Stop::Lost), 1, Ok(None)).is_none());
        assert!(finish(Some(&Stop::Shutdown), 1, Err(Halt::Stopped)).is_none());
    }

    #[test]
    fn a_canceled_job_reports_the_servers_reason() {
        let stop = Stop::Canceled { reason: "superseded by build 8".to_owned() };
        let end = finish(Some(&stop), 2, Err(Halt::Stopped)).expect("a report");
        assert_eq!(end.outcome, Outcome::Canceled { reason: "superseded by build 8".to_owned() });
        assert_eq!(end.attempt, 2);
    }

    #[test]
    fn a_deploy_that_was_through_before_the_cancellation_is_reported_as_done() {
        let stop = Stop::Canceled { reason: "by ann".to_owned() };
        let end = finish(Some(&stop), 1, Ok(Some(JobResult::Removed { kept: Vec::new() })))
            .expect("a report");
        assert_eq!(end.outcome, Outcome::Succeeded);
        assert!(end.result.is_some());
    }

    #[test]
    fn a_refusal_is_reported_with_what_was_found() {
        let failure =
            model::job::Failure { kind: FailureKind::Safeguard, message: "no".to_owned() };
        let result =
            JobResult::Checked { change: Vec::new(), findings: Vec::new(), found: BTreeMap::new() };
        let refusal = halt::Refusal { failure, result };
        let end = finish(None, 1, Err(Halt::Refused(Box::new(refusal)))).expect("a report");
        assert_eq!(end.outcome.reason(), Some("no"));
        assert!(matches!(end.result, Some(JobResult::Checked { .. })));
    }

    #[test]
    fn a_failure_is_reported_with_its_kind() {
        let end =
            finish(None, 1, Err(Halt::failed(FailureKind::Aws, "no role"))).expect("a report");
        assert_eq!(end.outcome.reason(), Some("no role"));
    }
}
