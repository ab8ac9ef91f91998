//! Read models of the pages: what a page shows, in one query.
//!
//! What always holds: no query here is run per row of another.

use chrono::{DateTime, Utc};
use model::build::BuildOutcome;
use model::deployment::InstanceState;
use model::freeze::Frozen;
use model::stage::{StageKind, StageState};
use model::{
    AppId, AppName, BranchName, BuildId, CommitSha, Region, RepositoryName, ServiceName, StageId,
    StageName,
};
use serde::Deserialize;
use sqlx::PgConnection;

use crate::build::BuildState;
use crate::error::Result;
use crate::stage::Stage;

/// One open stage of one app.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct BoardRow {
    pub app: AppName,
    pub repository: RepositoryName,
    pub stage_id: StageId,
    pub stage: StageName,
    pub kind: StageKind,
    pub state: StageState,
    pub branch: Option<BranchName>,
    pub pull_request: Option<i64>,
    pub active_at: DateTime<Utc>,
    /// Of a personal stage: whose it is, when it was last used, and that its time is over.
    pub owner: Option<String>,
    pub used_at: Option<DateTime<Utc>>,
    pub expired_at: Option<DateTime<Utc>>,
    #[sqlx(json)]
    pub instances: Vec<BoardInstance>,
    #[sqlx(json(nullable))]
    pub last_build: Option<BoardBuild>,
    /// The newest build that was through: what the stage as a whole is of.
    #[sqlx(json(nullable))]
    pub deployed: Option<BoardBuild>,
    /// How far it was behind the stage it is promoted from when that was last asked.
    #[sqlx(json(nullable))]
    pub lead: Option<BoardLead>,
    /// A freeze by hand, also one whose time is over.
    #[sqlx(json(nullable))]
    pub frozen: Option<Frozen>,
}

/// What is deployed of a service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BoardInstance {
    pub service: ServiceName,
    pub region: Region,
    pub state: InstanceState,
    pub commit: Option<CommitSha>,
    pub build_number: Option<i64>,
    pub endpoints: Vec<String>,
    /// Somebody else changed its stacks since.
    pub changed_outside: bool,
    /// Its stacks are not as their templates say.
    pub drifted: bool,
    /// A deploy of it waits for its stage.
    pub waiting: bool,
    pub updated_at: DateTime<Utc>,
}

/// What is known of a stage and the one it is promoted from; of these two commits alone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BoardLead {
    pub from_stage: StageId,
    pub base: CommitSha,
    pub head: CommitSha,
    /// `None`: GitHub has not said, or knows no history that both share.
    pub ahead_by: Option<u32>,
    pub behind_by: Option<u32>,
}

/// A build of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BoardBuild {
    pub id: BuildId,
    pub number: i64,
    pub commit: CommitSha,
    pub title: String,
    pub author: String,
    pub state: BuildState,
    pub outcome: Option<BuildOutcome>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// The open stages of these apps, or of all, by app, long-lived ones first.
pub async fn rows(conn: &mut PgConnection, apps: Option<&[AppId]>) -> Result<Vec<BoardRow>> {
    Ok(sqlx::query_as(
        "select a.name as app, a.repository, s.id as stage_id, s.name as stage, s.kind, s.state,
             s.branch, s.pull_request, s.active_at, coalesce(h.login, p.owner) as owner,
             p.used_at, p.expired_at,
             coalesce((
                 select jsonb_agg(jsonb_build_object('service', i.service, 'region', i.region,
                     'state', i.state, 'commit', i.commit_sha, 'build_number', i.build_number,
                     'endpoints', i.endpoints,
                     'changed_outside', i.changed_outside is not null,
                     'waiting', exists (select from job j where j.instance_id = i.id
                         and j.state <> 'finished' and j.state = 'waiting'
                         and j.kind in ('deploy', 'remove', 'rollback', 'recover')),
                     'drifted', coalesce((
                         select jsonb_path_exists(d.stacks,
                             '$[*].status.status ? (@ == \"drifted\" || @ == \"deleted\")')
                         from drift d where d.instance_id = i.id), false),
                     'updated_at', i.updated_at)
                     order by i.service, i.region)
                 from instance i where i.stage_id = s.id), '[]') as instances,
             (select jsonb_build_object('id', b.id, 'number', b.number, 'commit', b.commit_sha,
                     'title', b.title, 'author', b.author, 'state', b.state,
                     'outcome', b.outcome, 'created_at', b.created_at,
                     'finished_at', b.finished_at)
                 from build b where b.stage_id = s.id and b.purpose <> 'inspect'
                 order by b.number desc limit 1)
                 as last_build,
             (select jsonb_build_object('id', b.id, 'number', b.number, 'commit', b.commit_sha,
                     'title', b.title, 'author', b.author, 'state', b.state,
                     'outcome', b.outcome, 'created_at', b.created_at,
                     'finished_at', b.finished_at)
                 from build b where b.stage_id = s.id and b.purpose in ('deploy', 'rollback')
                     and b.outcome in ('succeeded', 'skipped')
                 order by b.number desc limit 1)
                 as deployed,
             (select jsonb_build_object('from_stage', l.from_stage, 'base', l.base_sha,
                     'head', l.head_sha, 'ahead_by', least(l.ahead_by, 2147483647),
                     'behind_by', least(l.behind_by, 2147483647))
                 from stage_lead l where l.stage_id = s.id) as lead,
             (select jsonb_build_object('reason', f.reason, 'by', f.by, 'since', f.since,
                     'until', f.until)
                 from stage_freeze f where f.stage_id = s.id) as frozen
         from stage s join app a on a.id = s.app_id
             left join personal_stage p on p.stage_id = s.id
             left join person h on h.id = p.person_id
         where s.state <> 'closed' and ($1::uuid[] is null or s.app_id = any($1))
         order by a.name, s.kind <> 'long-lived', s.name",
    )
    .bind(apps)
    .fetch_all(conn)
    .await?)
}

/// A preview that is not closed.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PreviewRow {
    pub app: AppName,
    #[sqlx(flatten)]
    pub stage: Stage,
    /// Whoever proposed what is in it; without a pull request, whoever was built there last.
    pub owner: Option<String>,
    /// Of its pull request.
    pub title: Option<String>,
}

/// Every preview that is not closed, those idle for longest first.
pub async fn previews(conn: &mut PgConnection) -> Result<Vec<PreviewRow>> {
    Ok(sqlx::query_as(
        "select a.name as app, s.*, p.title,
             coalesce(p.author, (select b.author from build b where b.stage_id = s.id
                 and b.author <> '' order by b.number desc limit 1)) as owner
         from stage s join app a on a.id = s.app_id
         left join pull_request p on p.app_id = s.app_id and p.number = s.pull_request
         where s.kind = 'preview' and s.state <> 'closed' order by s.active_at, s.id",
    )
    .fetch_all(conn)
    .await?)
}

/// How far a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Progress {
    pub build_id: BuildId,
    pub jobs: i64,
    pub finished: i64,
    pub running: i64,
}

/// How far builds are, for a page of them; one without jobs is absent.
pub async fn progress(conn: &mut PgConnection, builds: &[BuildId]) -> Result<Vec<Progress>> {
    Ok(sqlx::query_as(
        "select build_id, count(*) as jobs, count(*) filter (where state = 'finished') as finished,
             count(*) filter (where state = 'running') as running
         from job where build_id = any($1) group by build_id",
    )
    .bind(builds)
    .fetch_all(conn)
    .await?)
}

/// How full the queue is, for the system page and the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Queue {
    pub queued: i64,
    pub running: i64,
    /// Deliveries that intake has not acted on.
    pub received: i64,
    /// Statuses that GitHub was not told yet.
    pub unsent: i64,
}

pub async fn queue(conn: &mut PgConnection) -> Result<Queue> {
    Ok(sqlx::query_as(
        "select (select count(*) from job where state = 'queued') as queued,
             (select count(*) from job where state = 'running') as running,
             (select count(*) from delivery where state = 'received') as received,
             (select count(*) from outbox
                 where sent_version < wanted_version and rejected_at is null) as unsent",
    )
    .fetch_one(conn)
    .await?)
}
