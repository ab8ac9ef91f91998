//! Lists of builds, paged by key, and a search in them.
//!
//! What always holds: a page is read through one index, however many builds there are. Within an
//! app the order is by number, over all apps by id: both are the order of birth. The statement is
//! put together from fixed pieces, so that each combination of filters gets a plan of its own. A
//! search looks at so many builds a page and no further, and says where it stopped.

use model::build::{BuildOutcome, Purpose};
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

/// So many builds are looked at for one page of a search.
const SEARCHED: i64 = 5_000;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildFilter {
    pub app: Option<AppId>,
    /// Of these apps alone; `None`: of all.
    pub apps: Option<Vec<AppId>>,
    pub branch: Option<BranchName>,
    pub commit: Option<CommitSha>,
    pub stage: Option<StageId>,
    pub state: Option<BuildState>,
    pub outcome: Option<BuildOutcome>,
    /// `None`: whatever does something; builds that only look are shown when they are asked for.
    pub purpose: Option<Purpose>,
    pub before: Option<Before>,
    pub limit: i64,
}

/// What a search found, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub builds: Vec<Build>,
    /// Where the search stopped looking, if older builds are left.
    pub looked_to: Option<BuildId>,
}

/// Newest first.
pub async fn list(conn: &mut PgConnection, filter: &BuildFilter) -> Result<Vec<Build>> {
    let mut sql = QueryBuilder::<Postgres>::new(concat!(build_columns!("build"), " where true"));
    narrow(&mut sql, filter);
    newest_first(&mut sql, filter, filter.limit);
    builds(sql.build_query_as::<Row>().fetch_all(conn).await?)
}

/// The newest of the builds that the filter names and whose commit begins with `text`, or in whose
/// title, branch, tag or author it stands, in whatever case.
pub async fn search(conn: &mut PgConnection, filter: &BuildFilter, text: &str) -> Result<Found> {
    let mut sql = QueryBuilder::<Postgres>::new(
        "with looked as materialized (select b.id, b.number, b.commit_sha, b.title, b.branch, \
         b.tag, b.author from build b where true",
    );
    narrow(&mut sql, filter);
    newest_first(&mut sql, filter, SEARCHED);
    sql.push("), hit as (select id from looked where commit_sha like ")
        .push_bind(format!("{}%", pattern(&text.to_lowercase())));
    for column in ["title", "branch", "tag", "author"] {
        sql.push(format!(" or {column} ilike ")).push_bind(format!("%{}%", pattern(text)));
    }
    sql.push(" order by id desc limit ").push_bind(filter.limit);
    sql.push(concat!(") ", build_columns!("build"), " where b.id in (select id from hit)"));
    sql.push(" order by b.id desc");
    let found = builds(sql.build_query_as::<Row>().fetch_all(&mut *conn).await?)?;
    let looked_to = match found.len() {
        hits if hits as i64 >= filter.limit => None,
        _ => furthest(conn, filter).await?,
    };
    Ok(Found { builds: found, looked_to })
}

/// The last build that a search looks at, if there are older ones.
async fn furthest(conn: &mut PgConnection, filter: &BuildFilter) -> Result<Option<BuildId>> {
    let mut sql = QueryBuilder::<Postgres>::new("select b.id from build b where true");
    narrow(&mut sql, filter);
    newest_first(&mut sql, filter, 2);
    sql.push(" offset ").push_bind(SEARCHED - 1);
    let ids: Vec<BuildId> = sql.build_query_scalar().fetch_all(conn).await?;
    Ok((ids.len() > 1).then(|| ids[0]))
}

/// A text that stands for itself in a `like`.
fn pattern(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn narrow(sql: &mut QueryBuilder<Postgres>, filter: &BuildFilter) {
    if let Some(app) = filter.app {
        sql.push(" and b.app_id = ").push_bind(app);
    }
    if let Some(apps) = &filter.apps {
        sql.push(" and b.app_id = any(").push_bind(apps.clone()).push(")");
    }
    if let Some(branch) = &filter.branch {
        sql.push(" and b.branch = ").push_bind(branch.clone());
    }
    if let Some(commit) = &filter.commit {
        sql.push(" and b.commit_sha = ").push_bind(commit.clone());
    }
    if let Some(stage) = filter.stage {
        sql.push(" and b.stage_id = ").push_bind(stage);
    }
    match filter.purpose {
        Some(purpose) => sql.push(" and b.purpose = ").push_bind(purpose.as_str()),
        None => sql.push(" and b.purpose <> 'inspect'"),
    };
    if let Some(outcome) = filter.outcome {
        sql.push(" and b.outcome = ").push_bind(outcome.as_str());
    }
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
}

fn newest_first(sql: &mut QueryBuilder<Postgres>, filter: &BuildFilter, limit: i64) {
    let by_number = filter.app.is_some() || filter.stage.is_some();
    sql.push(if by_number {
        " order by b.number desc limit "
    } else {
        " order by b.id desc limit "
    })
    .push_bind(limit);
}
