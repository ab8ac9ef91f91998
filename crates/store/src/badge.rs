//! Table `badge`: the keys under which an app's badges are shown to everybody.
//!
//! What always holds: an app has one key at most; a new one ends the one before.

use chrono::{DateTime, Utc};
use model::{AppId, AppName};
use sqlx::PgConnection;

use crate::error::Result;

/// Who made an app's badges public, and how they are addressed.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct BadgeKey {
    pub key: String,
    pub made_by: String,
    pub made_at: DateTime<Utc>,
}

pub async fn find(conn: &mut PgConnection, app: AppId) -> Result<Option<BadgeKey>> {
    Ok(sqlx::query_as("select key, made_by, made_at from badge where app_id = $1")
        .bind(app)
        .fetch_optional(conn)
        .await?)
}

/// The app that a key is of.
pub async fn app(conn: &mut PgConnection, key: &str) -> Result<Option<(AppId, AppName)>> {
    Ok(sqlx::query_as(
        "select a.id, a.name from badge b join app a on a.id = b.app_id where b.key = $1",
    )
    .bind(key)
    .fetch_optional(conn)
    .await?)
}

pub async fn put(conn: &mut PgConnection, app: AppId, key: &BadgeKey) -> Result<()> {
    sqlx::query(
        "insert into badge (app_id, key, made_by, made_at) values ($1, $2, $3, $4)
         on conflict (app_id) do update set key = $2, made_by = $3, made_at = $4",
    )
    .bind(app)
    .bind(&key.key)
    .bind(&key.made_by)
    .bind(key.made_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether there was one.
pub async fn remove(conn: &mut PgConnection, app: AppId) -> Result<bool> {
    let done = sqlx::query("delete from badge where app_id = $1").bind(app).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}
