//! Lists of builds, paged by key.
//!
//! What always holds: a page is read through one index, however many builds there are. Within an
//! app the order is by number, over all apps by id: both are the order of birth. The statement is
//! put together from fixed pieces, so that each combination of filters gets a plan of its own.

use model::build::Purpose;
use model::{AppId, BranchName, BuildId, CommitSha, StageId};
use sqlx::{PgConnection, Postgres, QueryBuilder};

use super::row::{Row, build_columns, builds};
use super::{Build, BuildState};
use crate::error::Result;

/// Where the page before this one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Of one app.
    Number(i64),
    Id(BuildId),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildFilter {
    pub app: Option<AppId>,
    pub branch: Option<BranchName>,
    pub commit: Option<CommitSha>,
    pub stage: Option<StageId>,
    pub state: Option<BuildState>,
    /// `None`: whatever does something; builds that only look are shown when they are asked for.
    pub purpose: Option<Purpose>,
    pub before: Option<Before>,
    pub limit: i64,
}

/// Newest first.
pub async fn list(conn: &mut PgConnection, filter: &BuildFilter) -> Result<Vec<Build>> {
    let mut sql = QueryBuilder::<Postgres>::new(concat!(build_columns!("build"), " where true"));
    if let Some(app) = filter.app {
        sql.push(" and b.app_id = ").push_bind(app);
    }
    if let Some(branch) = &filter.branch {
        sql.push(" and b.branch = ").push_bind(branch);
    }
    if let Some(commit) = &filter.commit {
        sql.push(" and b.commit_sha = ").push_bind(commit);
    }
    if let Some(stage) = filter.stage {
        sql.push(" and b.stage_id = ").push_bind(stage);
    }
    match filter.purpose {
        Some(purpose) => sql.push(" and b.purpose = ").push_bind(purpose.as_str()),
        None => sql.push(" and b.purpose <> 'inspect'"),
    };
    match filter.state {
        // a literal, so that the planner sees the partial index of unfinished builds
        Some(BuildState::Running) => {
            sql.push(" and b.state <> 'finished' and b.state = 'running'");
        }
        Some(BuildState::Waiting) => {
            sql.push(" and b.state <> 'finished' and b.state = 'waiting'");
        }
        Some(BuildState::Finished) => {
            sql.push(" and b.state = 'finished'");
        }
        None => {}
    }
    match filter.before {
        Some(Before::Number(number)) => {
            sql.push(" and b.number < ").push_bind(number);
        }
        Some(Before::Id(id)) => {
            sql.push(" and b.id < ").push_bind(id);
        }
        None => {}
    }
    let by_number = filter.app.is_some() || filter.stage.is_some();
    sql.push(if by_number {
        " order by b.number desc limit "
    } else {
        " order by b.id desc limit "
    })
    .push_bind(filter.limit);
    builds(sql.build_query_as::<Row>().fetch_all(conn).await?)
}
