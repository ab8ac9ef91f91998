//! A worker takes the oldest job it may have.
//!
//! What always holds: a queued job goes to one claim (`skip locked`). The cost does not grow with
//! the backlog: the partial index `job_queued` is walked from its head and left at the first job
//! that may run. The conditions are scalar subqueries, which the planner can only evaluate job by
//! job as it walks; written as `not exists` they could become a hash join over whole tables. The
//! walk itself is what the connection's settings make the planner choose (see `database`).
//!
//! An app that limits its jobs has that many slots. A claim takes the lowest free one of them, and
//! `job_one_per_slot` refuses it to all but one of those who claim at the same time; running jobs
//! without a slot, or with one above a limit that was lowered since, count too. So there are never
//! more running jobs than slots. Apps without a limit do not pay for it, nor does an empty queue:
//! the first statement knows of limits only that it leaves a limited app's job alone, and the
//! second, dearer one is asked when that was the oldest job. It walks over the jobs of full apps.

use chrono::{DateTime, Utc};
use model::{JobId, WorkerId};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row as _};

use super::Job;
use super::row::{Row, job_columns};
use crate::error::{Error, Result};

/// Races that may be lost in a row before the claim gives way; each means that another worker
/// began a change of the same instance, or took the same slot, in between.
const MAX_LOST_RACES: usize = 16;

/// Claims a job, oldest first. Left out: jobs of builds that are asked to cancel (but for a change
/// of a stack that was begun and lost), those of an app
/// without a free slot, and a change of an instance that has a running one, or an unfinished one of
/// an older build; but what waits for people stands in nobody's way, and what overtakes it makes it
/// end. Call it outside a transaction, since a lost race is only seen as a refused statement.
pub async fn claim(
    conn: &mut PgConnection,
    worker: WorkerId,
    lease_expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<Job>> {
    for _ in 0..MAX_LOST_RACES {
        let mut next = once(conn, OLDEST, worker, lease_expires_at, now).await;
        if matches!(next, Ok(Next::Left)) {
            next = once(conn, WITHIN_LIMITS, worker, lease_expires_at, now).await;
        }
        match next {
            Ok(Next::Claimed(job)) => return Ok(Some(*job)),
            Ok(Next::Left | Next::None) => return Ok(None),
            Err(error) if lost_a_race(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// What a statement found at the head of the queue.
enum Next {
    Claimed(Box<Job>),
    /// A job that may run but for its app's limit.
    Left,
    None,
}

fn lost_a_race(error: &Error) -> bool {
    matches!(error.constraint(), Some("job_one_change_per_instance" | "job_one_per_slot"))
}

/// Whether the job `j` of the build `b` is still to be done. A change of a stack that was begun and
/// lost is, also when its build is to end: the stack may be moving, and nothing else may touch it
/// before somebody has looked.
macro_rules! wanted {
    () => {
        "(b.cancel_requested_at is null
             or j.attempt > 0 and j.kind in ('deploy', 'remove', 'rollback', 'recover'))"
    };
}

/// The rest of a claim's condition on the job `j`, the order, and the lock.
macro_rules! first_free {
    () => {
        "   and (j.instance_id is null or (
                select true from job o
                where o.instance_id = j.instance_id and o.state <> 'finished'
                    and o.kind in ('deploy', 'remove', 'rollback', 'recover') and o.id <> j.id
                    and (o.state = 'running' or o.build_id < j.build_id and o.state <> 'waiting'
                        and (select b.state <> 'waiting' from build b where b.id = o.build_id))
                limit 1) is null)
            order by j.id limit 1
            for no key update of j skip locked)"
    };
}

/// What becomes of the claimed job.
macro_rules! begin {
    () => {
        "update job set state = 'running', attempt = attempt + 1, worker_id = $1,
             lease_expires_at = $2, started_at = coalesce(started_at, $3)"
    };
}

macro_rules! answer {
    () => {
        concat!(
            ", mark as (insert into build_mark (build_id) select build_id from claimed) select ",
            job_columns!(),
            " from next left join claimed on claimed.id = next_id"
        )
    };
}

/// Claims the oldest job that may run, unless its app has a limit.
const OLDEST: &str = concat!(
    "with next as (
         select j.id as next_id, (
             select a.concurrency is null from build b join app a on a.id = b.app_id
             where b.id = j.build_id) as unlimited
         from job j
         where j.state = 'queued'
             and (select ",
    wanted!(),
    " from build b where b.id = j.build_id)",
    first_free!(),
    ", claimed as (",
    begin!(),
    " where id = (select next_id from next where unlimited) returning *)",
    answer!()
);

/// Claims the oldest job that may run and whose app is not full, with the lowest free slot of the
/// app if it has a limit.
const WITHIN_LIMITS: &str = concat!(
    "with running as materialized (
         select b.app_id, count(*) as jobs from job r join build b on b.id = r.build_id
         where r.state = 'running' group by b.app_id),
     full_app as materialized (
         select a.id from app a
         where a.concurrency is not null
             and a.concurrency <= (select jobs from running where app_id = a.id)),
     next as (
         select j.id as next_id, j.build_id as next_build_id from job j
         where j.state = 'queued'
             and (select ",
    wanted!(),
    " and b.app_id not in (select id from full_app)
                 from build b where b.id = j.build_id)",
    first_free!(),
    ", slot as (
         select a.id as app_id, (
             select min(free) from (
                 select 1 as free union all
                 select r.slot + 1 from job r
                 where r.slot_app_id = a.id and r.slot is not null) as candidate
             where (
                 select true from job r where r.slot_app_id = a.id and r.slot = free) is null)
             as free
         from next join build b on b.id = next_build_id
             join app a on a.id = b.app_id and a.concurrency is not null),
     claimed as (",
    begin!(),
    ", slot_app_id = (select app_id from slot), slot = (select free from slot)
     where id = (select next_id from next) returning *)",
    answer!()
);

async fn once(
    conn: &mut PgConnection,
    statement: &'static str,
    worker: WorkerId,
    lease_expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Next> {
    let row: Option<PgRow> = sqlx::query(statement)
        .bind(worker)
        .bind(lease_expires_at)
        .bind(now)
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(Next::None) };
    Ok(match row.try_get::<Option<JobId>, _>("id")? {
        Some(_) => Next::Claimed(Box::new(Row::from_row(&row)?.try_into()?)),
        None => Next::Left,
    })
}
