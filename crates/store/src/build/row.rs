//! A build as the database holds it, joined with the names of its app and stage.

use chrono::{DateTime, Utc};
use model::app::PreviewDeploy;
use model::build::{BuildEvent, BuildOutcome, Purpose, Source};
use model::plan::PlannedService;
use model::stage::StageKind;
use model::{
    AppId, AppName, BranchName, BuildId, CommitSha, ServiceName, StageId, StageName, TagName,
};

use super::{Build, BuildState};
use crate::error::{Error, Result};

/// `select` of a build's columns from a table or `with` name. When the first job started is read
/// from the jobs until the build is finished: a claim then writes no row of `build`.
macro_rules! build_columns {
    ($from:literal) => {
        concat!(
            "select b.id, b.app_id, a.name as app, b.number, b.event, b.purpose, b.stage_id, \
             s.name as stage, s.kind as stage_kind, b.commit_sha, b.branch, b.tag, \
             b.pull_request, b.title, b.author, b.forced, b.services, \
             b.preview_deploy, b.planned, b.state, b.outcome, \
             b.reason, b.cancel_requested_at, b.cancel_reason, b.superseded_by, b.created_at, \
             case when b.state = 'finished' then b.started_at \
                 else (select min(j.started_at) from job j where j.build_id = b.id) \
                 end as started_at, b.finished_at from ",
            $from,
            " b join app a on a.id = b.app_id left join stage s on s.id = b.stage_id"
        )
    };
}
pub(super) use build_columns;

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: BuildId,
    app_id: AppId,
    app: AppName,
    number: i64,
    event: BuildEvent,
    purpose: Purpose,
    stage_id: Option<StageId>,
    stage: Option<StageName>,
    stage_kind: Option<StageKind>,
    commit_sha: CommitSha,
    branch: Option<BranchName>,
    tag: Option<TagName>,
    pull_request: Option<i64>,
    title: String,
    author: String,
    forced: bool,
    services: Option<Vec<ServiceName>>,
    preview_deploy: PreviewDeploy,
    #[sqlx(json(nullable))]
    planned: Option<Vec<PlannedService>>,
    state: BuildState,
    outcome: Option<BuildOutcome>,
    reason: Option<String>,
    cancel_requested_at: Option<DateTime<Utc>>,
    cancel_reason: Option<String>,
    superseded_by: Option<i64>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Build {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        if (row.state == BuildState::Finished) != row.outcome.is_some() {
            return Err(Error::Inconsistent {
                table: "build",
                column: "outcome",
                id: row.id.to_string(),
            });
        }
        Ok(Self {
            id: row.id,
            app_id: row.app_id,
            app: row.app,
            number: row.number,
            event: row.event,
            purpose: row.purpose,
            stage_id: row.stage_id,
            stage: row.stage,
            stage_kind: row.stage_kind,
            source: Source {
                commit: row.commit_sha,
                branch: row.branch,
                tag: row.tag,
                pull_request: row.pull_request,
                title: row.title,
                author: row.author,
            },
            forced: row.forced,
            services: row.services.map(|names| names.into_iter().collect()),
            preview_deploy: row.preview_deploy,
            planned: row.planned,
            state: row.state,
            outcome: row.outcome,
            reason: row.reason,
            cancel_requested_at: row.cancel_requested_at,
            cancel_reason: row.cancel_reason,
            superseded_by: row.superseded_by,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}

pub(super) fn one(row: Option<Row>) -> Result<Option<Build>> {
    row.map(Build::try_from).transpose()
}

pub(super) fn builds(rows: Vec<Row>) -> Result<Vec<Build>> {
    rows.into_iter().map(Build::try_from).collect()
}
