//! Table `job`: the queue of work, and every change of a job's state.
//!
//! What always holds: each statement here that changes a state is an edge of
//! [`model::job::JobState::apply`] or goes through it with the row locked; it marks the job's
//! build for the engine in the same transaction. A write of a worker names its attempt and meets
//! no row once another attempt, or nobody, holds the job. Two changes of one instance never run
//! at once: the claim leaves out what would, and `job_one_change_per_instance` refuses what it
//! did not see.
//!
//! After a crash of a worker, its leases run out ([`expire`]) or its next incarnation gives them
//! back ([`release`]); after a crash of the server, leases of workers that live on are renewed.

mod claim;
mod report;
mod row;
mod transition;
mod work;

use chrono::{DateTime, Utc};
use model::job::{FailureKind, JobKind, JobState};
use model::plan::Condition;
use model::worker_api::JobResult;
use model::{BuildId, InstanceId, JobId, Region, ServiceName};
use sqlx::PgConnection;
use sqlx::types::Json;

pub use claim::claim;
pub use report::{Heartbeat, finish, heartbeat, held};
use row::{Row, job_columns};
pub use transition::{expire, release, request_cancel, transition};
pub use work::Work;

use crate::error::{Error, Result};

#[derive(Debug, Clone)]
pub struct Job {
    pub id: JobId,
    pub build_id: BuildId,
    pub kind: JobKind,
    /// `None` for a plan and for the stage's own command.
    pub service: Option<ServiceName>,
    /// Where it deploys to or removes from; `None` for a job that does neither.
    pub region: Option<Region>,
    /// What a deploy or removal changes.
    pub instance_id: Option<InstanceId>,
    pub state: JobState,
    /// Begun attempts.
    pub attempt: i32,
    pub failure_kind: Option<FailureKind>,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// `None` for a plan.
    pub work: Option<Work>,
    pub result: Option<JobResult>,
    pub needs: Vec<JobId>,
    /// What must come of the needs for it to have something to do.
    pub condition: Condition<JobId>,
    pub queued_at: Option<DateTime<Utc>>,
    /// When it was first claimed.
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

impl Job {
    /// The outputs that it changed; none of a job that is no deploy, or whose deploy failed.
    pub fn changed_outputs(&self) -> &[String] {
        let Some(JobResult::Deployed { changed_outputs, .. }) = &self.result else { return &[] };
        changed_outputs
    }
}

/// How a job is born.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewJobState {
    Queued,
    Blocked,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    pub id: JobId,
    pub build_id: BuildId,
    pub kind: JobKind,
    pub service: Option<ServiceName>,
    pub region: Option<Region>,
    pub instance_id: Option<InstanceId>,
    pub work: Option<Work>,
    pub needs: Vec<JobId>,
    pub condition: Condition<JobId>,
    pub state: NewJobState,
}

/// Inserts jobs in one statement and marks their builds.
pub async fn insert(conn: &mut PgConnection, new: &[NewJob], now: DateTime<Utc>) -> Result<()> {
    if new.is_empty() {
        return Ok(());
    }
    // an array of arrays must be rectangular, so the needs travel as one list with owners
    let needs = || new.iter().flat_map(|job| job.needs.iter().map(|need| (job.id, *need)));
    sqlx::query(
        "with new as (
             select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[],
                 $6::uuid[], $7::jsonb[], $8::jsonb[], $9::boolean[])
                 as row (id, build_id, kind, service, region, instance_id, spec, condition, queued)),
         need as (
             select owner, array_agg(need) as needs
             from unnest($10::uuid[], $11::uuid[]) as row (owner, need) group by owner),
         made as (
             insert into job (id, build_id, kind, service, region, instance_id, spec, needs,
                 condition, state, queued_at)
             select id, build_id, kind, service, region, instance_id, spec, coalesce(needs, '{}'),
                 condition, case when queued then 'queued' else 'blocked' end,
                 case when queued then $12 end
             from new left join need on owner = id
             returning build_id)
         insert into build_mark (build_id) select distinct build_id from made",
    )
    .bind(new.iter().map(|job| job.id).collect::<Vec<_>>())
    .bind(new.iter().map(|job| job.build_id).collect::<Vec<_>>())
    .bind(new.iter().map(|job| job.kind.as_str()).collect::<Vec<_>>())
    .bind(new.iter().map(|job| job.service.as_ref().map(ServiceName::as_str)).collect::<Vec<_>>())
    .bind(new.iter().map(|job| job.region.as_ref().map(Region::as_str)).collect::<Vec<_>>())
    .bind(new.iter().map(|job| job.instance_id).collect::<Vec<_>>())
    .bind(new.iter().map(|job| job.work.as_ref().map(Json)).collect::<Vec<_>>())
    .bind(new.iter().map(|job| row::condition(&job.condition)).collect::<Vec<_>>())
    .bind(new.iter().map(|job| job.state == NewJobState::Queued).collect::<Vec<_>>())
    .bind(needs().map(|(owner, _)| owner).collect::<Vec<_>>())
    .bind(needs().map(|(_, need)| need).collect::<Vec<_>>())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// The jobs of a build, in the order in which they were made.
pub async fn list(conn: &mut PgConnection, build: BuildId) -> Result<Vec<Job>> {
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "select ",
        job_columns!(),
        " from job where build_id = $1 order by id"
    ))
    .bind(build)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Job::try_from).collect()
}

pub async fn get(conn: &mut PgConnection, id: JobId) -> Result<Job> {
    let row: Option<Row> =
        sqlx::query_as(concat!("select ", job_columns!(), " from job where id = $1"))
            .bind(id)
            .fetch_optional(conn)
            .await?;
    row.ok_or_else(|| Error::not_found(format!("job {id}")))?.try_into()
}
