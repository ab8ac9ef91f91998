//! Table `stage`: the named copies of an app, open ones and those that once were.
//!
//! What always holds: among the open stages of an app a name stands once, without regard to case,
//! and a branch has one preview. A closed stage stays as history and frees both. Nothing but a
//! preview has a time to be removed at.

mod life;
mod standing;

use chrono::{DateTime, Utc};
use model::rule::Preview;
use model::stage::{StageKind, StageState};
use model::worker_api::RemoveHow;
use model::{AppId, BranchName, ProfileName, StageId, StageName};
use sqlx::PgConnection;

pub use life::{
    count_previews, follow, keep_until, remove_failed, removing, reschedule, take_due, touch, used,
    warned,
};

use crate::error::{Error, Result, met};

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Stage {
    pub id: StageId,
    pub app_id: AppId,
    pub name: StageName,
    pub kind: StageKind,
    pub profile: ProfileName,
    /// The branch whose preview it is; a preview without one is shared by the pull requests of a
    /// rule.
    pub branch: Option<BranchName>,
    /// Of a preview: the pull request that was last built in it.
    pub pull_request: Option<i64>,
    /// Of a preview: the base of that pull request, which has the rule.
    pub base: Option<BranchName>,
    pub state: StageState,
    pub created_at: DateTime<Utc>,
    /// When somebody last needed it: a push, a change of its pull request, a build by hand, or
    /// whoever extended it.
    pub active_at: DateTime<Utc>,
    /// When its end was said ahead; `None`: it need not be said yet.
    pub warned_at: Option<DateTime<Utc>>,
    /// When it is removed if nobody needs it before; `None`: never by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// Until when it is kept at least, whatever its rule says; `None`: nobody asked for that.
    pub kept_until: Option<DateTime<Utc>>,
    /// How far its last removal was to go.
    pub remove_how: RemoveHow,
    /// How often in a row its removal has failed.
    pub remove_failures: i32,
    /// What is left of it after a removal that failed, and why.
    pub left_over: Option<String>,
    /// When its removal is tried again; `None`: not by itself.
    pub retry_at: Option<DateTime<Utc>>,
    pub closed_at: Option<DateTime<Utc>>,
}

impl Stage {
    /// Which preview it is, if it is one.
    pub fn preview(&self) -> Option<Preview> {
        match (self.kind, &self.branch) {
            (StageKind::Preview, Some(branch)) => Some(Preview::OfBranch(branch.clone())),
            (StageKind::Preview, None) => Some(Preview::Shared(self.name.clone())),
            (StageKind::LongLived | StageKind::Personal, _) => None,
        }
    }
}

/// A stage that begins active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStage {
    pub id: StageId,
    pub app_id: AppId,
    pub name: StageName,
    pub kind: StageKind,
    pub profile: ProfileName,
    /// The branch whose preview it is; a preview without one is shared.
    pub branch: Option<BranchName>,
    pub pull_request: Option<i64>,
    pub created_at: DateTime<Utc>,
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "select s.id, s.app_id, s.name, s.kind, s.profile, s.branch, s.pull_request, s.base, \
             s.state, s.created_at, s.active_at, s.warned_at, s.expires_at, s.kept_until, \
             s.remove_how, s.remove_failures, s.left_over, s.retry_at, s.closed_at from stage s ",
            $tail
        )
    };
}

use select;

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

/// The preview that is meant, if it is not closed.
pub async fn find_shown(
    conn: &mut PgConnection,
    app: AppId,
    preview: &Preview,
) -> Result<Option<Stage>> {
    match preview {
        Preview::OfBranch(branch) => find_preview(conn, app, branch).await,
        Preview::Shared(name) => {
            let found = find_open(conn, app, name).await?;
            Ok(found.filter(|stage| match stage.preview() {
                Some(Preview::Shared(_)) => true,
                Some(Preview::OfBranch(_)) | None => false,
            }))
        }
    }
}

/// Moves an open stage on. Once closed it stays closed.
pub async fn set_state(
    conn: &mut PgConnection,
    id: StageId,
    state: StageState,
    now: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "update stage set state = $2, retry_at = null,
             closed_at = case when $2 = 'closed' then $3 end
         where id = $1 and state <> 'closed'",
    )
    .bind(id)
    .bind(state.as_str())
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
