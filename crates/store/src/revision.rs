//! Table `app_revision`: what an app's settings were, one row for each time they were changed.
//!
//! What always holds: the numbers of an app run from 1 without a gap, and the newest row is what is
//! in force; a row is written in the transaction that changes the settings, under the lock of
//! [`hold`]. Rows are never changed. No secret stands in settings, so none stands here.

use chrono::{DateTime, Utc};
use model::app::{Change, Settings};
use model::{AppId, AppName};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::audit::Via;
use crate::error::{Error, Result};

/// A change of an app's settings.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Revision {
    pub number: i64,
    /// As they were from then on.
    #[sqlx(json)]
    pub settings: Settings,
    /// What was changed by it.
    #[sqlx(json)]
    pub changes: Vec<Change>,
    pub by: String,
    pub via: Via,
    pub at: DateTime<Utc>,
}

/// Keeps everybody else from changing the app's settings until the transaction ends; `None`: there
/// is no such app.
pub async fn hold(conn: &mut PgConnection, name: &AppName) -> Result<Option<AppId>> {
    Ok(sqlx::query_scalar("select id from app where name = $1 for no key update")
        .bind(name)
        .fetch_optional(conn)
        .await?)
}

/// Writes down that the settings are these now; the number it got.
pub async fn insert(
    conn: &mut PgConnection,
    app: AppId,
    settings: &Settings,
    changes: &[Change],
    (by, via): (&str, Via),
    now: DateTime<Utc>,
) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "insert into app_revision (app_id, number, settings, changes, by, via, at)
         select $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6
         from app_revision where app_id = $1
         returning number",
    )
    .bind(app)
    .bind(Json(settings))
    .bind(Json(changes))
    .bind(by)
    .bind(via.as_str())
    .bind(now)
    .fetch_one(conn)
    .await?)
}

/// The number of the newest one; 0 if the app has none.
pub async fn current(conn: &mut PgConnection, app: AppId) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "select coalesce((select number from app_revision where app_id = $1
             order by number desc limit 1), 0)",
    )
    .bind(app)
    .fetch_one(conn)
    .await?)
}

/// Newest first.
pub async fn list(
    conn: &mut PgConnection,
    app: AppId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Revision>> {
    Ok(sqlx::query_as(
        "select number, settings, changes, by, via, at from app_revision
         where app_id = $1 and number < $2 order by number desc limit $3",
    )
    .bind(app)
    .bind(before.unwrap_or(i64::MAX))
    .bind(limit)
    .fetch_all(conn)
    .await?)
}

pub async fn get(conn: &mut PgConnection, app: AppId, number: i64) -> Result<Revision> {
    sqlx::query_as(
        "select number, settings, changes, by, via, at from app_revision
         where app_id = $1 and number = $2",
    )
    .bind(app)
    .bind(number)
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found(format!("revision {number} of these settings")))
}
