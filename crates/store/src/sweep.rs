//! Table `sweep`: when each region of an account was looked through for stacks of ours.
//!
//! What always holds: apps that share an account share its sweeps; one that failed is not asked
//! for again before its time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::Region;
use sqlx::PgConnection;

use crate::error::Result;

/// When a sweep of each place was last asked for.
pub async fn ordered(conn: &mut PgConnection) -> Result<BTreeMap<(String, Region), DateTime<Utc>>> {
    let rows: Vec<(String, Region, DateTime<Utc>)> =
        sqlx::query_as("select account, region, ordered_at from sweep").fetch_all(conn).await?;
    Ok(rows.into_iter().map(|(account, region, at)| ((account, region), at)).collect())
}

/// A sweep of these regions is asked for.
pub async fn order(
    conn: &mut PgConnection,
    account: &str,
    regions: &[Region],
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "insert into sweep (account, region, ordered_at)
         select $1, region, $3 from unnest($2::text[]) as row (region)
         on conflict (account, region) do update set ordered_at = excluded.ordered_at",
    )
    .bind(account)
    .bind(regions.iter().map(Region::as_str).collect::<Vec<_>>())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}
