//! How long jobs and builds usually take: the median of the last ones that went well.
//!
//! What always holds: nothing is kept for this and nothing written; what is looked at is bounded
//! by the newest builds of one stage and one app, whatever lies behind them.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use model::job::JobKind;
use model::{BuildId, Region, ServiceName};
use sqlx::PgConnection;

use crate::build::Build;
use crate::error::Result;
use crate::job::Job;

/// Of so many builds the jobs are looked at.
const BUILDS: i64 = 20;
/// Among so many of the newest builds they are looked for: others for something else lie between
/// them.
const NEWEST: i64 = 100;

/// What the jobs of one build usually take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usual {
    /// In the build's own stage.
    here: BTreeMap<Place, TimeDelta>,
    /// In any stage of the app.
    anywhere: BTreeMap<Place, TimeDelta>,
}

type Place = (JobKind, Option<ServiceName>, Option<Region>);

impl Usual {
    /// What a job like this took: in its stage and region, else in that region of another stage,
    /// else wherever the app has it.
    pub fn of(&self, job: &Job) -> Option<TimeDelta> {
        self.of_place(job.kind, job.service.as_ref(), job.region.as_ref())
    }

    pub fn of_place(
        &self,
        kind: JobKind,
        service: Option<&ServiceName>,
        region: Option<&Region>,
    ) -> Option<TimeDelta> {
        let place = (kind, service.cloned(), region.cloned());
        let known = self.here.get(&place).or_else(|| self.anywhere.get(&place));
        known.copied().or_else(|| {
            let elsewhere = self.here.iter().chain(&self.anywhere);
            elsewhere
                .filter(|((of, about, _), _)| *of == kind && about.as_ref() == service)
                .map(|(_, took)| *took)
                .max()
        })
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    here: bool,
    kind: JobKind,
    service: Option<ServiceName>,
    region: Option<Region>,
    seconds: f64,
}

/// What the jobs of earlier builds like this one took.
pub async fn jobs(conn: &mut PgConnection, build: &Build) -> Result<Usual> {
    let rows: Vec<Row> = sqlx::query_as(
        "with here as (
             select id from (
                 select id, purpose, state from build
                 where stage_id = $2 and number < $3 order by number desc limit $5) as newest
             where purpose = $4 and state = 'finished' limit $6),
         anywhere as (
             select id from (
                 select id, purpose, state from build
                 where app_id = $1 and number < $3 order by number desc limit $5) as newest
             where purpose = $4 and state = 'finished' limit $6),
         past as (
             select true as here, id from here union all select false, id from anywhere)
         select here, kind, service, region, percentile_cont(0.5) within group (
             order by extract(epoch from finished_at - started_at)::float8) as seconds
         from past join job on job.build_id = past.id
         -- a job that was begun again took the time of its lost attempts too
         where outcome = 'succeeded' and started_at is not null and attempt = 1
         group by here, kind, service, region",
    )
    .bind(build.app_id)
    .bind(build.stage_id)
    .bind(build.number)
    .bind(build.purpose.as_str())
    .bind(NEWEST)
    .bind(BUILDS)
    .fetch_all(conn)
    .await?;
    let mut usual = Usual::default();
    for row in rows {
        let of = if row.here { &mut usual.here } else { &mut usual.anywhere };
        of.insert((row.kind, row.service, row.region), seconds(row.seconds));
    }
    Ok(usual)
}

/// What builds like each of these take: of the same app, for the same stage and purpose. Absent:
/// none went well yet.
pub async fn builds(
    conn: &mut PgConnection,
    builds: &[BuildId],
) -> Result<BTreeMap<BuildId, TimeDelta>> {
    let rows: Vec<(BuildId, f64)> = sqlx::query_as(
        "with wanted as (
             select id, app_id, stage_id, purpose from build where id = any($1)),
         alike as (select distinct app_id, stage_id, purpose from wanted),
         usual as (
             select alike.*, (
                 select percentile_cont(0.5) within group (order by seconds) from (
                     select extract(epoch from finished_at - started_at)::float8 as seconds
                     from (
                         -- each of the two walks its own index
                         (select number, purpose, outcome, started_at, finished_at from build
                             where stage_id = alike.stage_id order by number desc limit $2)
                         union all
                         (select number, purpose, outcome, started_at, finished_at from build
                             where alike.stage_id is null and app_id = alike.app_id
                                 and stage_id is null
                                 and number > (
                                     select last_build_number - $2 from app
                                     where id = alike.app_id)
                             order by number desc limit $2)) as newest
                     where purpose = alike.purpose and outcome = 'succeeded'
                         and started_at is not null
                     order by number desc limit $3) as past) as seconds
             from alike)
         select wanted.id, seconds
         from wanted join usual on usual.app_id = wanted.app_id
             and usual.stage_id is not distinct from wanted.stage_id
             and usual.purpose = wanted.purpose
         where seconds is not null",
    )
    .bind(builds)
    .bind(NEWEST)
    .bind(BUILDS)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(build, took)| (build, seconds(took))).collect())
}

fn seconds(seconds: f64) -> TimeDelta {
    // a clock may have been set back between two moments
    let finite = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
    std::time::Duration::try_from_secs_f64(finite)
        .ok()
        .and_then(|took| TimeDelta::from_std(took).ok())
        .unwrap_or_default()
}
