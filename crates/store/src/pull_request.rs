//! Table `pull_request`: the pull requests of an app's own branches, as GitHub last told of them.
//!
//! What always holds: an event that is older than what is known changes nothing here, and whoever
//! brought it is told. Pull requests of forks are not kept: they have no preview.

use chrono::{DateTime, Utc};
use model::{AppId, AppName, BranchName, CommitSha, StageId};
use sqlx::PgConnection;

use crate::error::{Result, met};

#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PullRequestState {
    Open,
    /// Its branch stands still.
    Closed,
    /// Its branch was deleted.
    Gone,
}

impl PullRequestState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Gone => "gone",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PullRequest {
    pub app_id: AppId,
    pub number: i64,
    /// The head.
    pub branch: BranchName,
    pub base: BranchName,
    #[sqlx(rename = "commit_sha")]
    pub commit: CommitSha,
    pub title: String,
    /// GitHub login of who last did something to it.
    pub author: String,
    pub draft: bool,
    pub state: PullRequestState,
    /// GitHub's time of its last change.
    pub changed_at: DateTime<Utc>,
    /// GitHub's time of the event that first told of this head.
    pub head_since: DateTime<Utc>,
    /// The preview that it was last built in.
    pub stage_id: Option<StageId>,
    /// Since when it waits for a place among the app's previews.
    pub waiting_since: Option<DateTime<Utc>>,
}

/// What an event says of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub number: i64,
    pub branch: BranchName,
    pub base: BranchName,
    pub commit: CommitSha,
    pub title: String,
    pub author: String,
    pub draft: bool,
    pub state: PullRequestState,
    pub changed_at: DateTime<Utc>,
}

/// Whether an event told something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    Fresh,
    /// What happened after it is known already.
    Stale,
}

/// Notes an event. GitHub's times have whole seconds: of two within one second the one that comes
/// last counts. A deleted branch closes its pull requests, in whatever order that is told: a closed
/// one does not bring its branch back.
pub async fn note(conn: &mut PgConnection, app: AppId, heard: &Heard) -> Result<News> {
    let taken: Option<i64> = sqlx::query_scalar(
        "insert into pull_request as known (app_id, number, branch, base, commit_sha, title,
             author, draft, state, changed_at, head_since)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
         on conflict (app_id, number) do update set branch = excluded.branch,
             base = excluded.base, commit_sha = excluded.commit_sha, title = excluded.title,
             author = excluded.author, draft = excluded.draft,
             state = case when known.state = 'gone' and excluded.state = 'closed'
                 then 'gone' else excluded.state end,
             changed_at = excluded.changed_at,
             head_since = case when known.commit_sha = excluded.commit_sha
                 then known.head_since else excluded.head_since end,
             waiting_since = case when excluded.state = 'open' then known.waiting_since end
         where known.changed_at <= excluded.changed_at
         returning number",
    )
    .bind(app)
    .bind(heard.number)
    .bind(&heard.branch)
    .bind(&heard.base)
    .bind(&heard.commit)
    .bind(&heard.title)
    .bind(&heard.author)
    .bind(heard.draft)
    .bind(heard.state.as_str())
    .bind(heard.changed_at)
    .fetch_optional(conn)
    .await?;
    Ok(if taken.is_some() { News::Fresh } else { News::Stale })
}

/// A branch is gone, and with it whatever its pull requests kept.
pub async fn branch_gone(conn: &mut PgConnection, app: AppId, branch: &BranchName) -> Result<()> {
    sqlx::query(
        "update pull_request set state = 'gone', waiting_since = null
         where app_id = $1 and branch = $2 and state <> 'gone'",
    )
    .bind(app)
    .bind(branch)
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn find(conn: &mut PgConnection, app: AppId, number: i64) -> Result<Option<PullRequest>> {
    Ok(sqlx::query_as("select * from pull_request where app_id = $1 and number = $2")
        .bind(app)
        .bind(number)
        .fetch_optional(conn)
        .await?)
}

/// The open ones that have this branch as their head, the newest first.
pub async fn open_of(
    conn: &mut PgConnection,
    app: AppId,
    branch: &BranchName,
) -> Result<Vec<PullRequest>> {
    Ok(sqlx::query_as(
        "select * from pull_request where app_id = $1 and branch = $2 and state = 'open'
         order by number desc",
    )
    .bind(app)
    .bind(branch)
    .fetch_all(conn)
    .await?)
}

/// The open ones of an app, and those that were built in a preview and whose branches stand, as far
/// as was heard.
pub async fn standing(conn: &mut PgConnection, app: AppId) -> Result<Vec<PullRequest>> {
    Ok(sqlx::query_as(
        "select p.* from pull_request p
         where p.app_id = $1 and (p.state = 'open' or p.state = 'closed' and exists (
             select 1 from stage s where s.id = p.stage_id and s.state <> 'closed'))
         order by p.number",
    )
    .bind(app)
    .fetch_all(conn)
    .await?)
}

/// Those that were last built in a preview and whose branches stand, the open ones first and of
/// them the newest.
pub async fn shown_in(conn: &mut PgConnection, stage: StageId) -> Result<Vec<PullRequest>> {
    Ok(sqlx::query_as(
        "select * from pull_request where stage_id = $1 and state <> 'gone'
         order by state = 'open' desc, number desc",
    )
    .bind(stage)
    .fetch_all(conn)
    .await?)
}

/// The numbers of all that were last built in a preview, also of those that are closed and gone.
pub async fn ever_shown_in(conn: &mut PgConnection, stage: StageId) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar("select number from pull_request where stage_id = $1 order by number")
        .bind(stage)
        .fetch_all(conn)
        .await?)
}

/// It is built in this preview; `None`: in none any more.
pub async fn set_stage(
    conn: &mut PgConnection,
    app: AppId,
    number: i64,
    stage: Option<StageId>,
) -> Result<()> {
    sqlx::query(
        "update pull_request set stage_id = $3, waiting_since = null
         where app_id = $1 and number = $2",
    )
    .bind(app)
    .bind(number)
    .bind(stage)
    .execute(conn)
    .await?;
    Ok(())
}

/// It waits for a place among the app's previews, if it does not already.
pub async fn wait(
    conn: &mut PgConnection,
    app: AppId,
    number: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "update pull_request set waiting_since = coalesce(waiting_since, $3), stage_id = null
         where app_id = $1 and number = $2 and state = 'open'",
    )
    .bind(app)
    .bind(number)
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("open pull request {number}"))
}

/// The apps in which pull requests wait for a place.
pub async fn waiting_apps(conn: &mut PgConnection) -> Result<Vec<AppId>> {
    Ok(sqlx::query_scalar(
        "select distinct app_id from pull_request where waiting_since is not null order by app_id",
    )
    .fetch_all(conn)
    .await?)
}

/// The one of an app that waits for longest.
pub async fn first_waiting(conn: &mut PgConnection, app: AppId) -> Result<Option<PullRequest>> {
    Ok(sqlx::query_as(
        "select * from pull_request where app_id = $1 and waiting_since is not null
         order by waiting_since, number limit 1",
    )
    .bind(app)
    .fetch_optional(conn)
    .await?)
}

/// Those that wait for a place, of every app, the one that waits for longest first.
pub async fn waiting(conn: &mut PgConnection) -> Result<Vec<(AppName, PullRequest)>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        app: AppName,
        #[sqlx(flatten)]
        pull_request: PullRequest,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select a.name as app, p.* from pull_request p join app a on a.id = p.app_id
         where p.waiting_since is not null order by p.waiting_since, a.name, p.number",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.app, row.pull_request)).collect())
}
