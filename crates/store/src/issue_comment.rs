//! Table `issue_comment`: comments on pull requests that ask for something, and what came of it.
//!
//! What always holds: a comment stands here once, whatever brought it, and is answered once: in the
//! transaction of what it set in motion ([`lock`], then [`answer`]). Comments on one pull request
//! are acted upon in the order in which they were written.
//!
//! After a crash: one that has no answer is due still.

use chrono::{DateTime, Utc};
use model::comment::Asked;
use model::comment::command::{Answer, Line};
use model::permission::Role;
use model::{AppId, AppName, CommitSha, Login};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::error::{Result, met};

/// A comment as the webhook told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewComment {
    pub app_id: AppId,
    pub github_id: i64,
    pub pull_request: i64,
    pub author: Login,
    /// GitHub's number of the account.
    pub author_id: i64,
    /// GitHub's time of it.
    pub written_at: DateTime<Utc>,
    /// The pull request's head as it is known now.
    pub head: Option<CommitSha>,
    pub lines: Vec<Line>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    New,
    /// It was taken before.
    Known,
}

/// One that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct IssueComment {
    pub app_id: AppId,
    pub github_id: i64,
    pub pull_request: i64,
    pub author: Login,
    pub author_id: i64,
    pub written_at: DateTime<Utc>,
    pub head: Option<CommitSha>,
    #[sqlx(json)]
    pub lines: Vec<Line>,
    pub taken_at: DateTime<Utc>,
    pub attempts: i32,
    pub last_error: Option<String>,
}

/// How one that cannot be acted upon fares.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Troubled {
    pub app: AppName,
    pub pull_request: i64,
    pub author: Login,
    pub taken_at: DateTime<Utc>,
    pub error: String,
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "select c.app_id, c.github_id, c.pull_request, c.author, c.author_id, c.written_at,
                 c.head, c.lines, c.taken_at, c.attempts, c.last_error
             from issue_comment c ",
            $tail
        )
    };
}

pub async fn take(conn: &mut PgConnection, new: &NewComment, now: DateTime<Utc>) -> Result<Taken> {
    let done = sqlx::query(
        "insert into issue_comment (app_id, github_id, pull_request, author, author_id, written_at,
             head, lines, taken_at, next_attempt_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
         on conflict (app_id, github_id) do nothing",
    )
    .bind(new.app_id)
    .bind(new.github_id)
    .bind(new.pull_request)
    .bind(&new.author)
    .bind(new.author_id)
    .bind(new.written_at)
    .bind(&new.head)
    .bind(Json(&new.lines))
    .bind(now)
    .execute(conn)
    .await?;
    Ok(if done.rows_affected() == 1 { Taken::New } else { Taken::Known })
}

/// The one that is due for longest; on each pull request the one that was written first.
pub async fn due(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<Option<IssueComment>> {
    Ok(sqlx::query_as(select!(
        "where c.answered_at is null and c.next_attempt_at <= $1 and not exists (
             select from issue_comment o where o.answered_at is null and o.app_id = c.app_id
                 and o.pull_request = c.pull_request
                 and (o.written_at, o.github_id) < (c.written_at, c.github_id))
         order by c.next_attempt_at, c.written_at, c.github_id limit 1"
    ))
    .bind(now)
    .fetch_optional(conn)
    .await?)
}

/// Holds it until the caller's transaction ends; `None`: it has its answer.
pub async fn lock(
    conn: &mut PgConnection,
    app: AppId,
    github_id: i64,
) -> Result<Option<IssueComment>> {
    Ok(sqlx::query_as(select!(
        "where c.app_id = $1 and c.github_id = $2 and c.answered_at is null for no key update"
    ))
    .bind(app)
    .bind(github_id)
    .fetch_optional(conn)
    .await?)
}

/// What came of it, line by line. `role`: what the author is in the app; `None`: nobody.
pub async fn answer(
    conn: &mut PgConnection,
    app: AppId,
    github_id: i64,
    answers: &[Answer],
    role: Option<Role>,
    now: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "update issue_comment set answers = $3, role = $4, answered_at = $5, last_error = null
         where app_id = $1 and github_id = $2 and answered_at is null",
    )
    .bind(app)
    .bind(github_id)
    .bind(Json(answers))
    .bind(role.map(Role::as_str))
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("comment {github_id} without an answer"))
}

/// It could not be acted upon; the next try is not before this time.
pub async fn put_off(
    conn: &mut PgConnection,
    app: AppId,
    github_id: i64,
    error: &str,
    next_attempt_at: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "update issue_comment set attempts = attempts + 1, last_error = $3, next_attempt_at = $4
         where app_id = $1 and github_id = $2 and answered_at is null",
    )
    .bind(app)
    .bind(github_id)
    .bind(error)
    .bind(next_attempt_at)
    .execute(conn)
    .await?;
    met(&done, || format!("comment {github_id} without an answer"))
}

/// What was asked for on a pull request by people who are something in the app, newest first.
pub async fn told(
    conn: &mut PgConnection,
    app: AppId,
    pull_request: i64,
    limit: i64,
) -> Result<Vec<Asked>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        author: Login,
        written_at: DateTime<Utc>,
        #[sqlx(json)]
        line: Line,
        #[sqlx(json)]
        answer: Answer,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select c.author, c.written_at, said.line, said.answer
         from issue_comment c
             cross join lateral rows from (jsonb_array_elements(c.lines),
                 jsonb_array_elements(c.answers)) with ordinality as said (line, answer, place)
         where c.app_id = $1 and c.pull_request = $2 and c.role is not null
         order by c.github_id desc, said.place desc limit $3",
    )
    .bind(app)
    .bind(pull_request)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    let asked = rows.into_iter().map(|row| Asked {
        by: row.author,
        said: row.line.said(),
        at: row.written_at,
        answer: row.answer,
    });
    Ok(asked.collect())
}

/// Those that were tried without success, the oldest first.
pub async fn troubled(conn: &mut PgConnection, limit: i64) -> Result<Vec<Troubled>> {
    Ok(sqlx::query_as(
        "select a.name as app, c.pull_request, c.author, c.taken_at, c.last_error as error
         from issue_comment c join app a on a.id = c.app_id
         where c.answered_at is null and c.last_error is not null
         order by c.taken_at, c.github_id limit $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?)
}
