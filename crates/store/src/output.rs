//! What the services of all stages publish, and how much of it a job may read.
//!
//! What always holds: a job reads what its own stage publishes, and of the long-lived stages of
//! its app and of others those whose role is in the AWS account of its own; of no other preview,
//! and of no other account. A deployment that failed takes nothing back: what the last good one
//! published stays until the instance is removed.

use std::collections::BTreeMap;

use model::output::{Published, Scope};
use model::{AppId, AppName, ProfileName, Region, ServiceName, StageId, StageName};
use sqlx::PgConnection;

use crate::app::{self, App};
use crate::error::Result;
use crate::stage::Stage;

#[derive(sqlx::FromRow)]
struct Row {
    app_id: AppId,
    app: AppName,
    stage_id: StageId,
    stage: StageName,
    profile: ProfileName,
    region: Region,
    service: ServiceName,
    published_as: Option<String>,
    #[sqlx(json)]
    outputs: BTreeMap<String, String>,
}

/// What a job of this stage may read, from where it stands.
pub async fn scope(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    region: &Region,
) -> Result<Scope> {
    let rows: Vec<Row> = sqlx::query_as(
        "select a.id as app_id, a.name as app, s.id as stage_id, s.name as stage, s.profile,
             i.region, i.service, i.service_spec ->> 'published_as' as published_as, i.outputs
         from instance i join stage s on s.id = i.stage_id join app a on a.id = s.app_id
         where i.commit_sha is not null and i.state <> 'removed'
             and (s.id = $1 or s.kind = 'long-lived' and s.state <> 'closed')
         order by a.name <> $2, a.name, s.id <> $1, s.name, i.service, i.region",
    )
    .bind(stage.id)
    .bind(&app.name)
    .fetch_all(&mut *conn)
    .await?;
    // the settings of others are read only if there is something of theirs
    let others: BTreeMap<AppId, App> = if rows.iter().any(|row| row.app_id != app.id) {
        app::list(conn).await?.into_iter().map(|app| (app.id, app)).collect()
    } else {
        BTreeMap::new()
    };
    let account = stage.profile_in(&app.settings).1.role_arn.account();
    let readable = |row: &Row| {
        let of = if row.app_id == app.id { Some(app) } else { others.get(&row.app_id) };
        let its_account =
            of.map(|app| app.settings.profile_kept(&row.stage, &row.profile).1.role_arn.account());
        row.stage_id == stage.id || its_account == Some(account)
    };
    let published = rows.into_iter().filter(readable).map(|row| Published {
        app: row.app,
        stage: row.stage,
        region: row.region,
        service: row.service,
        published_as: row.published_as,
        outputs: row.outputs,
    });
    Ok(Scope { published: published.collect(), ..alone(app, stage, region) })
}

/// Where a job stands that may read nothing of what others publish.
pub fn nothing(app: &App, stage: &Stage, region: &Region) -> Scope {
    Scope { fallback_stage: None, ..alone(app, stage, region) }
}

fn alone(app: &App, stage: &Stage, region: &Region) -> Scope {
    Scope {
        app: app.name.clone(),
        stage: stage.name.clone(),
        region: region.clone(),
        fallback_stage: stage.base_in(&app.settings).cloned(),
        published: Vec::new(),
    }
}
