//! Table `log_chunk`: the logs of jobs, in ordered chunks; `log_group`: which of their lines
//! belong together.
//!
//! What always holds: a chunk is written once, with the groups that changed by it in one
//! statement; only the attempt that holds the job writes. The order is attempt, then the worker's
//! sequence number.

mod group;

use chrono::{DateTime, Utc};
use model::JobId;
use model::job::JobKind;
use model::worker_api::LogHead;
use sqlx::PgConnection;

use crate::error::{Error, Result};
pub use group::{Group, groups};

/// So many rows are looked at in one reading, however small they are.
const ROWS_AT_ONCE: i64 = 4096;

/// The last chunk that was read; the default stands before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogCursor {
    pub attempt: i32,
    pub seq: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct LogChunk {
    pub attempt: i32,
    pub seq: i64,
    pub bytes: Vec<u8>,
    /// What brings a terminal to the look of its first byte.
    pub prelude: String,
    /// Groups began or ended with it.
    pub grouped: bool,
    pub at: DateTime<Utc>,
}

impl LogChunk {
    pub fn cursor(&self) -> LogCursor {
        LogCursor { attempt: self.attempt, seq: self.seq }
    }
}

/// How long the log of one attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Extent {
    pub attempt: i32,
    pub line_ends: i64,
    /// Something stands behind the last line end.
    pub open: bool,
}

/// Where a line end is: in this chunk, which has so many line ends before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Located {
    pub seq: i64,
    pub before: i64,
}

/// One statement either way; that of groups takes more parameters.
macro_rules! append_and {
    ($more:literal) => {
        concat!(
            "with held as (
                 select id, kind from job where id = $1 and attempt = $2 and state = 'running'),
             written as (
                 insert into log_chunk (job_id, attempt, seq, bytes, lines, prelude, grouped, at)
                 select id, $2, $3, $4, $5, $6, $7, $8 from held
                 on conflict do nothing)",
            $more,
            " select kind from held"
        )
    };
}

const APPEND: &str = append_and!("");
const APPEND_GROUPED: &str = append_and!(
    ", grouped as (
    insert into log_group as known (job_id, attempt, ordinal, kind, name, first_line, last_line,
        outcome, took_ms, began_at)
    select held.id, $2, told.*, $8 from held, unnest($9::integer[], $10::text[], $11::text[],
        $12::bigint[], $13::bigint[], $14::text[], $15::bigint[]) as told
    on conflict (job_id, attempt, ordinal) do update
        set last_line = coalesce(known.last_line, excluded.last_line),
            outcome = coalesce(known.outcome, excluded.outcome),
            took_ms = coalesce(known.took_ms, excluded.took_ms))"
);

/// Appends a chunk; one that is there is the same one. Stale if the attempt does not hold the job.
/// Answers what kind of job it is.
pub async fn append(
    conn: &mut PgConnection,
    job: JobId,
    (attempt, seq): (i32, i64),
    bytes: &[u8],
    head: &LogHead,
    now: DateTime<Utc>,
) -> Result<JobKind> {
    let line_ends = bytes.iter().filter(|byte| **byte == b'\n').count();
    let line_ends = i32::try_from(line_ends)
        .map_err(|_| Error::NotAllowed("a chunk of a log is too large".into()))?;
    let groups = group::Columns::of(&head.groups);
    let statement = if head.groups.is_empty() { APPEND } else { APPEND_GROUPED };
    let mut query = sqlx::query_scalar(statement)
        .bind(job)
        .bind(attempt)
        .bind(seq)
        .bind(bytes)
        .bind(line_ends)
        .bind(&head.prelude)
        .bind(!head.groups.is_empty())
        .bind(now);
    if !head.groups.is_empty() {
        query = groups.bind(query);
    }
    let kind: Option<JobKind> = query.fetch_optional(conn).await?;
    kind.ok_or(Error::Stale { attempt })
}

/// The chunks after a cursor, in order, until they hold `limit_bytes` or more; at least one if
/// there is one.
pub async fn read(
    conn: &mut PgConnection,
    job: JobId,
    after: LogCursor,
    limit_bytes: i64,
) -> Result<Vec<LogChunk>> {
    // octet_length reads the stored length, not the bytes: what lies beyond the limit stays on disk
    Ok(sqlx::query_as(
        "select attempt, seq, bytes, prelude, grouped, at from (
             select *, sum(octet_length(bytes)) over (order by attempt, seq)
                 - octet_length(bytes) as before
             from (select * from log_chunk where job_id = $1 and (attempt, seq) > ($2, $3)
                   order by attempt, seq limit $5) near) chunk
         where before < greatest($4, 1) order by attempt, seq",
    )
    .bind(job)
    .bind(after.attempt)
    .bind(after.seq)
    .bind(limit_bytes)
    .bind(ROWS_AT_ONCE)
    .fetch_all(conn)
    .await?)
}

/// The attempts that have a log, in order.
pub async fn extents(conn: &mut PgConnection, job: JobId) -> Result<Vec<Extent>> {
    Ok(sqlx::query_as(
        "select attempt, sum(lines)::bigint as line_ends, coalesce((
             select substring(bytes from octet_length(bytes)) <> '\\x0a'::bytea
             from log_chunk last
             where last.job_id = $1 and last.attempt = chunk.attempt
                 and octet_length(last.bytes) > 0
             order by seq desc limit 1), false) as open
         from log_chunk chunk where job_id = $1 group by attempt order by attempt",
    )
    .bind(job)
    .fetch_all(conn)
    .await?)
}

/// The chunk that holds the n-th line end of an attempt's log, counted from 1.
pub async fn locate(
    conn: &mut PgConnection,
    job: JobId,
    attempt: i32,
    line_end: i64,
) -> Result<Option<Located>> {
    Ok(sqlx::query_as(
        "select seq, before::bigint from (
             select seq, lines, sum(lines) over (order by seq) - lines as before
             from log_chunk where job_id = $1 and attempt = $2) chunk
         where before < $3 and before + lines >= $3 order by seq limit 1",
    )
    .bind(job)
    .bind(attempt)
    .bind(line_end)
    .fetch_optional(conn)
    .await?)
}

/// Bytes written so far.
pub async fn size(conn: &mut PgConnection, job: JobId) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "select coalesce(sum(octet_length(bytes)), 0)::bigint from log_chunk where job_id = $1",
    )
    .bind(job)
    .fetch_one(conn)
    .await?)
}
