//! Table `log_group`: steps, and the groups that steps made, as ranges of lines.
//!
//! What always holds: a group's beginning is when it was told first; its end is told once, and
//! telling it again changes nothing.

use chrono::{DateTime, Utc};
use model::JobId;
use model::job::JobKind;
use model::worker_api::{GroupEnd, GroupKind, GroupOutcome, LogGroup};
use sqlx::PgConnection;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryScalar;

use crate::error::{Error, Result};

type Query<'q> = QueryScalar<'q, sqlx::Postgres, JobKind, PgArguments>;

/// Groups as the columns of the statement that appends a chunk with groups.
#[derive(Default)]
pub(super) struct Columns {
    ordinals: Vec<i32>,
    kinds: Vec<&'static str>,
    names: Vec<String>,
    first_lines: Vec<i64>,
    last_lines: Vec<Option<i64>>,
    outcomes: Vec<Option<&'static str>>,
    took_ms: Vec<Option<i64>>,
}

impl Columns {
    pub(super) fn of(groups: &[LogGroup]) -> Self {
        let mut columns = Self::default();
        for (at, group) in groups.iter().enumerate() {
            // one statement may change a row once: the last word counts
            if groups[at + 1..].iter().any(|later| later.ordinal == group.ordinal) {
                continue;
            }
            columns.ordinals.push(i32::try_from(group.ordinal).unwrap_or(i32::MAX));
            columns.kinds.push(group.kind.as_str());
            columns.names.push(group.name.as_str().to_owned());
            columns.first_lines.push(signed(group.first_line));
            columns.last_lines.push(group.end.map(|end| signed(end.last_line)));
            columns.outcomes.push(group.end.map(|end| end.outcome.as_str()));
            columns.took_ms.push(group.end.map(|end| signed(end.took_ms)));
        }
        columns
    }

    pub(super) fn bind(self, query: Query<'_>) -> Query<'_> {
        query
            .bind(self.ordinals)
            .bind(self.kinds)
            .bind(self.names)
            .bind(self.first_lines)
            .bind(self.last_lines)
            .bind(self.outcomes)
            .bind(self.took_ms)
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A group of a job's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub attempt: i32,
    pub ordinal: i32,
    pub kind: GroupKind,
    pub name: String,
    /// Counted from 1 in the attempt's log.
    pub first_line: u64,
    pub end: Option<GroupEnd>,
    pub began_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Row {
    attempt: i32,
    ordinal: i32,
    kind: String,
    name: String,
    first_line: i64,
    last_line: Option<i64>,
    outcome: Option<String>,
    took_ms: Option<i64>,
    began_at: DateTime<Utc>,
}

impl TryFrom<Row> for Group {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let wrong = |column| Error::Inconsistent {
            table: "log_group",
            column,
            id: format!("{}.{}", row.attempt, row.ordinal),
        };
        let positive = |number: i64, column| u64::try_from(number).map_err(|_| wrong(column));
        let end = match (row.last_line, &row.outcome, row.took_ms) {
            (Some(last), Some(outcome), Some(took)) => Some(GroupEnd {
                last_line: positive(last, "last_line")?,
                outcome: GroupOutcome::from_word(outcome).ok_or_else(|| wrong("outcome"))?,
                took_ms: positive(took, "took_ms")?,
            }),
            (_, _, _) => None,
        };
        Ok(Self {
            kind: GroupKind::from_word(&row.kind).ok_or_else(|| wrong("kind"))?,
            first_line: positive(row.first_line, "first_line")?,
            end,
            attempt: row.attempt,
            ordinal: row.ordinal,
            began_at: row.began_at,
            name: row.name,
        })
    }
}

/// All groups of a job's log, in the order in which they began.
pub async fn groups(conn: &mut PgConnection, job: JobId) -> Result<Vec<Group>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select attempt, ordinal, kind, name, first_line, last_line, outcome, took_ms, began_at
         from log_group where job_id = $1 order by attempt, ordinal",
    )
    .bind(job)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Group::try_from).collect()
}
