//! How the stages stand that live long, in the few words that a monitor, a badge or a metric has.
//!
//! What always holds: one query for all of them, which looks at the newest builds of each stage
//! alone. What was superseded or canceled says nothing of how a stage stands.

use chrono::{DateTime, Utc};
use model::build::{BuildOutcome, Purpose};
use model::{AppId, AppName, StageName};
use sqlx::PgConnection;

use crate::build::BuildState;
use crate::error::Result;

/// A stage that lives long, and what came of it last.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Standing {
    pub app: AppName,
    pub stage: StageName,
    pub created_at: DateTime<Utc>,
    /// The last build that changed it, or failed to. `None`: there was none yet.
    #[sqlx(json(nullable))]
    pub last: Option<Last>,
    /// How its newest build is.
    pub newest: Option<BuildState>,
}

/// A build that came to an end of its own.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Last {
    pub number: i64,
    pub purpose: Purpose,
    pub outcome: BuildOutcome,
    pub finished_at: DateTime<Utc>,
}

/// Of one app, or of all; by app and name.
pub async fn standings(conn: &mut PgConnection, app: Option<AppId>) -> Result<Vec<Standing>> {
    Ok(sqlx::query_as(
        "select a.name as app, s.name as stage, s.created_at,
             (select jsonb_build_object('number', b.number, 'purpose', b.purpose,
                     'outcome', b.outcome, 'finished_at', b.finished_at)
                 from build b where b.stage_id = s.id and b.purpose not in ('inspect', 'test')
                     and b.outcome in ('succeeded', 'failed', 'skipped')
                 order by b.number desc limit 1) as last,
             (select b.state from build b
                 where b.stage_id = s.id and b.purpose not in ('inspect', 'test')
                 order by b.number desc limit 1) as newest
         from stage s join app a on a.id = s.app_id
         where s.kind = 'long-lived' and s.state <> 'closed' and ($1::uuid is null or a.id = $1)
         order by a.name, s.name",
    )
    .bind(app)
    .fetch_all(conn)
    .await?)
}
