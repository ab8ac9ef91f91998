//! Table `build`: what one event set in motion, and the marks that say which builds to settle.
//!
//! What always holds: one delivery makes one build of a purpose; a finished build changes no
//! more. A mark is deleted only by the transaction that then reads the build's jobs, and a change
//! that this transaction does not see has a mark of its own: no change is overlooked.
//!
//! After a crash: marks taken by a transaction that did not commit are there again.

mod inspect;
mod list;
mod row;
mod streak;
mod waits;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::app::PreviewDeploy;
use model::build::{BuildEvent, BuildOutcome, Purpose, Source};
use model::plan::PlannedService;
use model::stage::StageKind;
use model::{AppId, AppName, BranchName, BuildId, CommitSha, ServiceName, StageId, StageName};
use sqlx::PgConnection;
use sqlx::types::Json;

pub use inspect::{Inspected, forget_inspections, inspected, inspecting};
pub use list::{Before, BuildFilter, Found, list, search};
use row::{Row, build_columns, builds, one};
pub use streak::failing_since;
pub use waits::{Wait, waits};

use crate::error::{Error, Result, met};

#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, serde::Deserialize)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum BuildState {
    Running,
    /// For an approval.
    Waiting,
    Finished,
}

impl BuildState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Finished => "finished",
        }
    }
}

/// A build with the names of its app and stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    pub id: BuildId,
    pub app_id: AppId,
    pub app: AppName,
    pub number: i64,
    pub event: BuildEvent,
    pub purpose: Purpose,
    pub stage_id: Option<StageId>,
    pub stage: Option<StageName>,
    pub stage_kind: Option<StageKind>,
    pub source: Source,
    /// Every service is built, changed or not.
    pub forced: bool,
    /// What it is for, by its rule or by the person who asked; `None`: every service.
    pub services: Option<BTreeSet<ServiceName>>,
    /// How much of the app it deploys, if its stage is a preview.
    pub preview_deploy: PreviewDeploy,
    /// `None` until the plan is made.
    pub planned: Option<Vec<PlannedService>>,
    pub state: BuildState,
    pub outcome: Option<BuildOutcome>,
    pub reason: Option<String>,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    pub cancel_reason: Option<String>,
    /// Number of the newer build of the same stage.
    pub superseded_by: Option<i64>,
    pub created_at: DateTime<Utc>,
    /// When the first of its jobs was claimed.
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBuild {
    pub id: BuildId,
    pub app_id: AppId,
    pub number: i64,
    pub event: BuildEvent,
    pub purpose: Purpose,
    pub stage_id: Option<StageId>,
    pub source: Source,
    pub forced: bool,
    pub services: Option<BTreeSet<ServiceName>>,
    pub preview_deploy: PreviewDeploy,
    pub delivery_guid: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// Inserts a running build and marks it. A build that the delivery already made is a conflict on
/// `build_delivery_key`.
pub async fn insert(conn: &mut PgConnection, new: &NewBuild) -> Result<()> {
    sqlx::query(
        "with made as (
             insert into build (id, app_id, number, event, purpose, stage_id, commit_sha, branch,
                 tag, pull_request, title, author, forced, services, preview_deploy,
                 delivery_guid, state, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                 'running', $17)
             returning id)
         insert into build_mark (build_id) select id from made",
    )
    .bind(new.id)
    .bind(new.app_id)
    .bind(new.number)
    .bind(new.event.as_str())
    .bind(new.purpose.as_str())
    .bind(new.stage_id)
    .bind(&new.source.commit)
    .bind(&new.source.branch)
    .bind(&new.source.tag)
    .bind(new.source.pull_request)
    .bind(&new.source.title)
    .bind(&new.source.author)
    .bind(new.forced)
    .bind(new.services.as_ref().map(names))
    .bind(new.preview_deploy)
    .bind(&new.delivery_guid)
    .bind(new.created_at)
    .execute(conn)
    .await?;
    Ok(())
}

fn names(services: &BTreeSet<ServiceName>) -> Vec<&str> {
    services.iter().map(ServiceName::as_str).collect()
}

pub async fn get(conn: &mut PgConnection, id: BuildId) -> Result<Build> {
    let row: Option<Row> = sqlx::query_as(concat!(build_columns!("build"), " where b.id = $1"))
        .bind(id)
        .fetch_optional(conn)
        .await?;
    one(row)?.ok_or_else(|| Error::not_found(format!("build {id}")))
}

pub async fn find(conn: &mut PgConnection, app: AppId, number: i64) -> Result<Option<Build>> {
    one(sqlx::query_as(concat!(build_columns!("build"), " where b.app_id = $1 and b.number = $2"))
        .bind(app)
        .bind(number)
        .fetch_optional(conn)
        .await?)
}

/// Takes marked builds, longest marked first, locked until the caller's transaction ends; what
/// another process settles is left out. All marks seen so far go, and with them whatever changed:
/// the caller reads the jobs after this.
pub async fn take_dirty(conn: &mut PgConnection, limit: i64) -> Result<Vec<Build>> {
    let ids: Vec<BuildId> = sqlx::query_scalar(
        "with taken as (
             select id from build
             where id in (select build_id from build_mark order by seq limit $1)
             for no key update skip locked)
         delete from build_mark using taken where build_id = taken.id returning build_id",
    )
    .bind(limit)
    .fetch_all(&mut *conn)
    .await?;
    // statements of their own: they see what was committed until the locks were had; one for each
    // build, for it is mostly one, and of a list PostgreSQL would draw the plan anew each time
    let ids: BTreeSet<BuildId> = ids.into_iter().collect();
    let mut taken = Vec::with_capacity(ids.len());
    for id in ids {
        taken.push(get(conn, id).await?);
    }
    Ok(taken)
}

/// Asks the engine to look at the build again.
pub async fn mark_dirty(conn: &mut PgConnection, id: BuildId) -> Result<()> {
    sqlx::query("insert into build_mark (build_id) values ($1)").bind(id).execute(conn).await?;
    Ok(())
}

/// Asks the engine to look again at every unfinished build of a stage.
pub async fn mark_stage(conn: &mut PgConnection, stage: StageId) -> Result<()> {
    sqlx::query(
        "insert into build_mark (build_id)
         select id from build where stage_id = $1 and state <> 'finished'",
    )
    .bind(stage)
    .execute(conn)
    .await?;
    Ok(())
}

/// Asks the engine to look again at the builds of a stage that wait.
pub async fn mark_waiting(conn: &mut PgConnection, stage: StageId) -> Result<()> {
    sqlx::query(
        "insert into build_mark (build_id)
         select id from build
         where stage_id = $1 and state <> 'finished' and state = 'waiting'",
    )
    .bind(stage)
    .execute(conn)
    .await?;
    Ok(())
}

/// Asks the engine to look again at every unfinished build of an app: its settings changed.
pub async fn mark_app(conn: &mut PgConnection, app: AppId) -> Result<()> {
    sqlx::query(
        "insert into build_mark (build_id)
         select id from build where app_id = $1 and state <> 'finished'",
    )
    .bind(app)
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks the builds whose time to be looked at has come; how many they were.
pub async fn mark_due(conn: &mut PgConnection, now: DateTime<Utc>, limit: i64) -> Result<u64> {
    let done = sqlx::query(
        "with due as (
             update build set look_at = null
             where id in (select id from build where look_at <= $1 and state <> 'finished'
                 order by look_at limit $2 for no key update skip locked)
             returning id)
         insert into build_mark (build_id) select id from due",
    )
    .bind(now)
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Holds the build's row until the caller's transaction ends: no pass settles it meanwhile.
pub async fn lock(conn: &mut PgConnection, id: BuildId) -> Result<()> {
    let done = sqlx::query("select from build where id = $1 for no key update")
        .bind(id)
        .execute(conn)
        .await?;
    met(&done, || format!("build {id}"))
}

/// How an unfinished build stands, and when time alone may change that.
pub async fn set_standing(
    conn: &mut PgConnection,
    id: BuildId,
    waits: bool,
    look_at: Option<DateTime<Utc>>,
) -> Result<()> {
    let state = if waits { BuildState::Waiting } else { BuildState::Running };
    // said again on each look, and written when it is something else
    sqlx::query(
        "update build set state = $2, look_at = $3
         where id = $1 and state <> 'finished' and (state, look_at) is distinct from ($2, $3)",
    )
    .bind(id)
    .bind(state.as_str())
    .bind(look_at)
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn set_planned(
    conn: &mut PgConnection,
    id: BuildId,
    planned: &[PlannedService],
) -> Result<()> {
    let done = sqlx::query("update build set planned = $2 where id = $1 and state <> 'finished'")
        .bind(id)
        .bind(Json(planned))
        .execute(conn)
        .await?;
    met(&done, || format!("unfinished build {id}"))
}

/// Ends a build. Ending it again is not found: its outcome stands.
pub async fn finish(
    conn: &mut PgConnection,
    id: BuildId,
    outcome: BuildOutcome,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let done = sqlx::query(
        "update build set state = 'finished', outcome = $2, reason = coalesce($3, reason),
             finished_at = $4,
             started_at = (select min(started_at) from job where build_id = $1)
         where id = $1 and state <> 'finished'",
    )
    .bind(id)
    .bind(outcome.as_str())
    .bind(reason)
    .bind(now)
    .execute(conn)
    .await?;
    met(&done, || format!("unfinished build {id}"))
}

/// A newer build of the stage takes over: unfinished older ones are asked to cancel, but for those
/// that are for a service which the newer one is not for (`services`; `None`: it is for all). One
/// that was already asked keeps its reason. A rollback and a recovery are a person's word: a newer
/// push does not take it back, and what it brings comes after them.
pub async fn supersede(
    conn: &mut PgConnection,
    stage: StageId,
    older_than: i64,
    by: i64,
    services: Option<&BTreeSet<ServiceName>>,
    now: DateTime<Utc>,
) -> Result<Vec<BuildId>> {
    Ok(sqlx::query_scalar(
        "with older as (
             update build set superseded_by = $3, cancel_requested_at = $4,
                 cancel_reason = 'superseded by build ' || $3::bigint
             where stage_id = $1 and number < $2 and state <> 'finished' and purpose <> 'inspect'
                 and cancel_requested_at is null and ($5::text[] is null or services <@ $5)
                 and (purpose not in ('rollback', 'recover') or exists (
                     select 1 from build newer where newer.stage_id = $1 and newer.number = $3
                         and newer.purpose <> 'deploy'))
             returning id)
         insert into build_mark (build_id) select id from older returning build_id",
    )
    .bind(stage)
    .bind(older_than)
    .bind(by)
    .bind(now)
    .bind(services.map(names))
    .fetch_all(conn)
    .await?)
}

/// A newer build of a pull request takes over from older ones that only test it: they have no stage
/// that would tell.
pub async fn supersede_tests(
    conn: &mut PgConnection,
    app: AppId,
    pull_request: i64,
    by: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "with older as (
             update build set superseded_by = $3, cancel_requested_at = $4,
                 cancel_reason = 'superseded by build ' || $3::bigint
             where app_id = $1 and pull_request = $2 and stage_id is null and purpose = 'test'
                 and number < $3 and state <> 'finished' and cancel_requested_at is null
             returning id)
         insert into build_mark (build_id) select id from older",
    )
    .bind(app)
    .bind(pull_request)
    .bind(by)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Says from the beginning why it does less than one would think; kept when it ends well.
pub async fn explain(conn: &mut PgConnection, id: BuildId, reason: &str) -> Result<()> {
    let done = sqlx::query("update build set reason = $2 where id = $1 and state <> 'finished'")
        .bind(id)
        .bind(reason)
        .execute(conn)
        .await?;
    met(&done, || format!("unfinished build {id}"))
}

/// Someone wants it to end. Asking again, or too late, changes nothing.
pub async fn request_cancel(
    conn: &mut PgConnection,
    id: BuildId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let exists: bool = sqlx::query_scalar(
        "with asked as (
             update build set cancel_requested_at = $3, cancel_reason = $2
             where id = $1 and state <> 'finished' and cancel_requested_at is null
             returning id),
         mark as (insert into build_mark (build_id) select id from asked)
         select exists(select 1 from build where id = $1)",
    )
    .bind(id)
    .bind(reason)
    .bind(now)
    .fetch_one(conn)
    .await?;
    if exists { Ok(()) } else { Err(Error::not_found(format!("build {id}"))) }
}

/// The unfinished builds of a stage that do something, oldest first.
pub async fn unfinished_on(conn: &mut PgConnection, stage: StageId) -> Result<Vec<Build>> {
    builds(
        sqlx::query_as(concat!(
            build_columns!("build"),
            " where b.stage_id = $1 and b.state <> 'finished' and b.purpose <> 'inspect'
             order by b.number"
        ))
        .bind(stage)
        .fetch_all(conn)
        .await?,
    )
}

/// The builds of this commit that deploy and have not ended, oldest first.
pub async fn deploying(
    conn: &mut PgConnection,
    app: AppId,
    commit: &CommitSha,
) -> Result<Vec<Build>> {
    builds(
        sqlx::query_as(concat!(
            build_columns!("build"),
            " where b.app_id = $1 and b.commit_sha = $2 and b.state <> 'finished'
                 and b.purpose = 'deploy'
             order by b.number"
        ))
        .bind(app)
        .bind(commit)
        .fetch_all(conn)
        .await?,
    )
}

pub async fn latest_for_branch(
    conn: &mut PgConnection,
    app: AppId,
    branch: &BranchName,
) -> Result<Option<Build>> {
    one(sqlx::query_as(concat!(
        build_columns!("build"),
        " where b.app_id = $1 and b.branch = $2 and b.purpose <> 'inspect'
         order by b.number desc limit 1"
    ))
    .bind(app)
    .bind(branch)
    .fetch_optional(conn)
    .await?)
}

/// The newest build of a stage that did or does something.
pub async fn latest_on(conn: &mut PgConnection, stage: StageId) -> Result<Option<Build>> {
    one(sqlx::query_as(concat!(
        build_columns!("build"),
        " where b.stage_id = $1 and b.purpose <> 'inspect' order by b.number desc limit 1"
    ))
    .bind(stage)
    .fetch_optional(conn)
    .await?)
}

/// The newest build after which a stage was whole: what its commit is.
pub async fn latest_whole_on(conn: &mut PgConnection, stage: StageId) -> Result<Option<Build>> {
    one(sqlx::query_as(concat!(
        build_columns!("build"),
        " where b.stage_id = $1 and b.purpose in ('deploy', 'rollback')
             and b.outcome in ('succeeded', 'skipped')
         order by b.number desc limit 1"
    ))
    .bind(stage)
    .fetch_optional(conn)
    .await?)
}

/// The newest of them that deployed, and was for this service among others.
pub async fn latest_whole_for(
    conn: &mut PgConnection,
    stage: StageId,
    service: &ServiceName,
) -> Result<Option<Build>> {
    one(sqlx::query_as(concat!(
        build_columns!("build"),
        " where b.stage_id = $1 and b.purpose = 'deploy'
             and b.outcome in ('succeeded', 'skipped')
             and (b.services is null or $2 = any(b.services))
         order by b.number desc limit 1"
    ))
    .bind(stage)
    .bind(service)
    .fetch_optional(conn)
    .await?)
}

/// The newest build of a stage that a webhook started: what the app's rules last said of it.
pub async fn latest_by_rule(conn: &mut PgConnection, stage: StageId) -> Result<Option<Build>> {
    one(sqlx::query_as(concat!(
        build_columns!("build"),
        " where b.stage_id = $1 and b.purpose = 'deploy' and b.event <> 'manual'
         order by b.number desc limit 1"
    ))
    .bind(stage)
    .fetch_optional(conn)
    .await?)
}

/// The newest build that tests or deploys a pull request, or that somebody started by hand in the
/// preview it is shown in.
pub async fn latest_of_pull_request(
    conn: &mut PgConnection,
    app: AppId,
    pull_request: i64,
    shown_in: Option<StageId>,
) -> Result<Option<Build>> {
    one(sqlx::query_as(concat!(
        build_columns!("build"),
        " where b.id in (
             (select id from build where app_id = $1 and pull_request = $2
                 and purpose in ('deploy', 'test', 'rollback') order by number desc limit 1)
             union all
             (select id from build where stage_id = $3 and pull_request is null
                 and purpose in ('deploy', 'rollback') order by number desc limit 1))
         order by b.number desc limit 1"
    ))
    .bind(app)
    .bind(pull_request)
    .bind(shown_in)
    .fetch_optional(conn)
    .await?)
}

/// The numbers of the builds that a delivery made for an app, oldest first.
pub async fn made_by(conn: &mut PgConnection, app: AppId, delivery: &str) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar(
        "select number from build where delivery_guid = $2 and app_id = $1 order by number",
    )
    .bind(app)
    .bind(delivery)
    .fetch_all(conn)
    .await?)
}
