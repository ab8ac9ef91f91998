//! Table `log_chunk`: the logs of jobs, in ordered chunks.
//!
//! What always holds: a chunk is written once; only the attempt that holds the job writes. The
//! order is attempt, then the worker's sequence number.

use model::JobId;
use sqlx::PgConnection;

use crate::error::{Error, Result};

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
}

impl LogChunk {
    pub fn cursor(&self) -> LogCursor {
        LogCursor { attempt: self.attempt, seq: self.seq }
    }
}

/// Appends a chunk; one that is there is the same one. Stale if the attempt does not hold the job.
pub async fn append(
    conn: &mut PgConnection,
    job: JobId,
    attempt: i32,
    seq: i64,
    bytes: &[u8],
) -> Result<()> {
    let held: bool = sqlx::query_scalar(
        "with held as (
             select id from job where id = $1 and attempt = $2 and state = 'running'),
         written as (
             insert into log_chunk (job_id, attempt, seq, bytes) select id, $2, $3, $4 from held
             on conflict do nothing)
         select exists(select 1 from held)",
    )
    .bind(job)
    .bind(attempt)
    .bind(seq)
    .bind(bytes)
    .fetch_one(conn)
    .await?;
    if held { Ok(()) } else { Err(Error::Stale { attempt }) }
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
        "select attempt, seq, bytes from (
             select attempt, seq, bytes, sum(octet_length(bytes)) over (order by attempt, seq)
                 - octet_length(bytes) as before
             from log_chunk where job_id = $1 and (attempt, seq) > ($2, $3)) chunk
         where before < greatest($4, 1) order by attempt, seq",
    )
    .bind(job)
    .bind(after.attempt)
    .bind(after.seq)
    .bind(limit_bytes)
    .fetch_all(conn)
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
