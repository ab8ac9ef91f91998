//! Table `stage`: the named copies of an app, open ones and those that once were.
//!
//! What always holds: among the open stages of an app a name stands once, without regard to case,
//! and a branch has one preview. A closed stage stays as history and frees both.

mod standing;

use chrono::{DateTime, Utc};
use model::stage::{StageKind, StageState};
use model::{AppId, AppName, BranchName, ProfileName, StageId, StageName};
use sqlx::PgConnection;

use crate::error::{Error, Result, met};

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Stage {
    pub id: StageId,
    pub app_id: AppId,
    pub name: StageName,
    pub kind: StageKind,
    pub profile: ProfileName,
    /// The branch whose preview it is.
    pub branch: Option<BranchName>,
    pub pull_request: Option<i64>,
    pub state: StageState,
    pub created_at: DateTime<Utc>,
    /// When it was last wanted by a push or a pull request.
    pub active_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
}

/// A stage that begins active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStage {
    pub id: StageId,
    pub app_id: AppId,
    pub name: StageName,
    pub kind: StageKind,
    pub profile: ProfileName,
    pub branch: Option<BranchName>,
    pub pull_request: Option<i64>,
    pub created_at: DateTime<Utc>,
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "select s.id, s.app_id, s.name, s.kind, s.profile, s.branch, s.pull_request, s.state, \
             s.created_at, s.active_at, s.closed_at from stage s ",
            $tail
        )
    };
}

/// A taken name is a conflict on `stage_name_key`, a second preview of a branch on
/// `stage_branch_key`.
pub async fn insert(conn: &mut PgConnection, new: &NewStage) -> Result<()> {
    sqlx::query(
        "insert into stage (id, app_id, name, kind, profile, branch, pull_request, state,
             created_at, active_at)
         values ($1, $2, $3, $4, $5, $6, $7, 'active', $8, $8)",
    )
    .bind(new.id)
    .bind(new.app_id)
    .bind(&new.name)
    .bind(new.kind.as_str())
    .bind(&new.profile)
    .bind(&new.branch)
    .bind(new.pull_request)
    .bind(new.created_at)
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn find_open(
    conn: &mut PgConnection,
    app: AppId,
    name: &StageName,
) -> Result<Option<Stage>> {
    Ok(sqlx::query_as(select!(
        "where app_id = $1 and lower(name) = lower($2) and state <> 'closed'"
    ))
    .bind(app)
    .bind(name)
    .fetch_optional(conn)
    .await?)
}

/// The open stage of this name, else the one closed last.
pub async fn find_latest(
    conn: &mut PgConnection,
    app: AppId,
    name: &StageName,
) -> Result<Option<Stage>> {
    Ok(sqlx::query_as(select!(
        "where app_id = $1 and lower(name) = lower($2)
         order by state = 'closed', closed_at desc, id desc limit 1"
    ))
    .bind(app)
    .bind(name)
    .fetch_optional(conn)
    .await?)
}

/// The preview of a branch that is not closed.
pub async fn find_preview(
    conn: &mut PgConnection,
    app: AppId,
    branch: &BranchName,
) -> Result<Option<Stage>> {
    Ok(sqlx::query_as(select!(
        "where app_id = $1 and branch = $2 and kind = 'preview' and state <> 'closed'"
    ))
    .bind(app)
    .bind(branch)
    .fetch_optional(conn)
    .await?)
}

pub async fn get(conn: &mut PgConnection, id: StageId) -> Result<Stage> {
    sqlx::query_as(select!("where id = $1"))
        .bind(id)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| Error::not_found(format!("stage {id}")))
}

/// The stages of an app that are not closed.
pub async fn open(conn: &mut PgConnection, app: AppId) -> Result<Vec<Stage>> {
    Ok(sqlx::query_as(select!("where app_id = $1 and state <> 'closed' order by kind, name"))
        .bind(app)
        .fetch_all(conn)
        .await?)
}

/// The open stages of an app, then the newest 50 closed ones.
pub async fn list(conn: &mut PgConnection, app: AppId) -> Result<Vec<Stage>> {
    let mut stages = open(conn, app).await?;
    let closed: Vec<Stage> = sqlx::query_as(select!(
        "where app_id = $1 and state = 'closed' order by closed_at desc, id desc limit 50"
    ))
    .bind(app)
    .fetch_all(conn)
    .await?;
    stages.extend(closed);
    Ok(stages)
}

/// Every preview that is not closed, those idle for longest first.
pub async fn previews(conn: &mut PgConnection) -> Result<Vec<(AppName, Stage)>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        app: AppName,
        #[sqlx(flatten)]
        stage: Stage,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select a.name as app, s.* from stage s join app a on a.id = s.app_id
         where s.kind = 'preview' and s.state <> 'closed' order by s.active_at, s.id",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.app, row.stage)).collect())
}

/// Moves an open stage on. Once closed it stays closed.
pub async fn set_state(
    conn: &mut PgConnection,
    id: StageId,
    state: StageState,
    now: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "update stage set state = $2, closed_at = case when $2 = 'closed' then $3 end
         where id = $1 and state <> 'closed'",
    )
    .bind(id)
    .bind(state.as_str())
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("open stage {id}"))
}

/// It is wanted again: a preview whose removal was under way or failed is active again.
pub async fn touch(
    conn: &mut PgConnection,
    id: StageId,
    pull_request: Option<i64>,
    now: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "update stage set state = 'active', pull_request = coalesce($2, pull_request), active_at = $3
         where id = $1 and state <> 'closed'",
    )
    .bind(id)
    .bind(pull_request)
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("open stage {id}"))
}

/// The settings give the stage another profile; its next job assumes that one's role.
pub async fn set_profile(
    conn: &mut PgConnection,
    id: StageId,
    profile: &ProfileName,
) -> Result<()> {
    let done = sqlx::query("update stage set profile = $2 where id = $1 and state <> 'closed'")
        .bind(id)
        .bind(profile)
        .execute(conn)
        .await?;
    met(&done, || format!("open stage {id}"))
}
