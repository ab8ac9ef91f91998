//! A job as the database holds it: columns that together are one [`JobState`], or an
//! inconsistency with its name.

use chrono::{DateTime, Utc};
use model::job::{Failure, FailureKind, JobKind, JobState, Lease, Outcome};
use model::plan::Condition;
use model::worker_api::JobResult;
use model::{BuildId, InstanceId, JobId, Region, ServiceName, WorkerId};
use sqlx::types::Json;

use super::{Job, Work};
use crate::error::{Error, Result};

macro_rules! job_columns {
    () => {
        "id, build_id, kind, service, region, instance_id, state, attempt, worker_id, \
         lease_expires_at, outcome, failure_kind, reason, cancel_requested_at, spec, result, \
         needs, condition, queued_at, started_at, finished_at"
    };
}
pub(super) use job_columns;

/// The column of a condition: most jobs have none to keep.
pub(super) fn condition(condition: &Condition<JobId>) -> Option<Json<&Condition<JobId>>> {
    match condition {
        Condition::Always => None,
        Condition::OutputsOf(_) | Condition::AnyOf(_) => Some(Json(condition)),
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: JobId,
    build_id: BuildId,
    kind: JobKind,
    service: Option<ServiceName>,
    region: Option<Region>,
    instance_id: Option<InstanceId>,
    state: String,
    attempt: i32,
    worker_id: Option<WorkerId>,
    lease_expires_at: Option<DateTime<Utc>>,
    outcome: Option<String>,
    failure_kind: Option<FailureKind>,
    reason: Option<String>,
    cancel_requested_at: Option<DateTime<Utc>>,
    #[sqlx(json(nullable), rename = "spec")]
    work: Option<Work>,
    #[sqlx(json(nullable))]
    result: Option<JobResult>,
    needs: Vec<JobId>,
    #[sqlx(json(nullable))]
    condition: Option<Condition<JobId>>,
    queued_at: Option<DateTime<Utc>>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl Row {
    fn state(&self) -> Option<JobState> {
        match self.state.as_str() {
            "blocked" => Some(JobState::Blocked),
            "waiting" => Some(JobState::Waiting),
            "queued" => Some(JobState::Queued { attempt: self.attempt + 1 }),
            "running" => Some(JobState::Running(Lease {
                worker: self.worker_id?,
                attempt: self.attempt,
                expires_at: self.lease_expires_at?,
            })),
            "finished" => self.outcome().map(JobState::Finished),
            _ => None,
        }
    }

    fn outcome(&self) -> Option<Outcome> {
        let reason = self.reason.clone();
        match self.outcome.as_deref()? {
            "succeeded" => Some(Outcome::Succeeded),
            "failed" => {
                Some(Outcome::Failed(Failure { kind: self.failure_kind?, message: reason? }))
            }
            "canceled" => Some(Outcome::Canceled { reason: reason? }),
            "skipped" => Some(Outcome::Skipped { reason: reason? }),
            "unneeded" => Some(Outcome::Unneeded { reason: reason? }),
            _ => None,
        }
    }
}

impl TryFrom<Row> for Job {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let state = row.state().ok_or_else(|| Error::Inconsistent {
            table: "job",
            column: "state",
            id: row.id.to_string(),
        })?;
        Ok(Self {
            id: row.id,
            build_id: row.build_id,
            kind: row.kind,
            service: row.service,
            region: row.region,
            instance_id: row.instance_id,
            state,
            attempt: row.attempt,
            failure_kind: row.failure_kind,
            cancel_requested_at: row.cancel_requested_at,
            work: row.work,
            result: row.result,
            needs: row.needs,
            condition: row.condition.unwrap_or_default(),
            queued_at: row.queued_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}
