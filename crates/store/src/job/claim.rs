//! A worker takes the oldest job it may have.
//!
//! What always holds: a queued job goes to one claim (`skip locked`). The cost does not grow with
//! the backlog: the partial index `job_queued` is walked from its head and left at the first job
//! that may run. The two conditions are scalar subqueries, which the planner can only evaluate job
//! by job as it walks; written as `not exists` they could become a hash join over whole tables. The
//! walk itself is what the connection's settings make the planner choose (see `database`).

use chrono::{DateTime, Utc};
use model::WorkerId;
use sqlx::PgConnection;

use super::Job;
use super::row::{Row, job_columns};
use crate::error::{Error, Result};

/// Races that may be lost in a row before the claim gives way; each means that another worker
/// began a change of the same instance in between.
const MAX_LOST_RACES: usize = 16;

/// Claims a job, oldest first. Left out: jobs of builds that are asked to cancel, and a change of
/// an instance that has a running one, or an unfinished one of an older build. One statement; call
/// it outside a transaction, since a lost race is only seen as a refused statement.
pub async fn claim(
    conn: &mut PgConnection,
    worker: WorkerId,
    lease_expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<Job>> {
    for _ in 0..MAX_LOST_RACES {
        match once(conn, worker, lease_expires_at, now).await {
            Err(error) if error.constraint() == Some("job_one_change_per_instance") => {}
            end => return end,
        }
    }
    Ok(None)
}

async fn once(
    conn: &mut PgConnection,
    worker: WorkerId,
    lease_expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<Job>, Error> {
    let row: Option<Row> = sqlx::query_as(concat!(
        "with next as (
             select j.id from job j
             where j.state = 'queued'
                 and (select b.cancel_requested_at is null from build b where b.id = j.build_id)
                 and (j.instance_id is null or (
                     select true from job o
                     where o.instance_id = j.instance_id and o.state <> 'finished'
                         and o.kind in ('deploy', 'remove') and o.id <> j.id
                         and (o.state = 'running' or o.build_id < j.build_id)
                     limit 1) is null)
             order by j.id limit 1
             for no key update of j skip locked),
         claimed as (
             update job set state = 'running', attempt = attempt + 1, worker_id = $1,
                 lease_expires_at = $2, started_at = coalesce(started_at, $3)
             where id = (select id from next)
             returning *),
         mark as (insert into build_mark (build_id) select build_id from claimed)
         select ",
        job_columns!(),
        " from claimed"
    ))
    .bind(worker)
    .bind(lease_expires_at)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    row.map(Job::try_from).transpose()
}
