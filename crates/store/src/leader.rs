//! One process at a time does what must not be done twice: it holds an advisory lock.
//!
//! What always holds: the lock belongs to a connection of its own, so it is free again as soon as
//! the process, or its way to the database, is gone. Whoever works under it confirms now and then
//! that the connection still stands.

use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, Postgres};

use crate::{Database, Result};

/// The proof that this process leads. Dropped, it lets go.
#[derive(Debug)]
pub struct Leader {
    conn: PgConnection,
}

impl Leader {
    /// Takes the lead over `name`, or answers `None` while another process has it.
    pub async fn acquire(db: &Database, name: &str) -> Result<Option<Self>> {
        // taken out of the pool for good: the lock must end with this value
        let conn: PoolConnection<Postgres> = db.acquire().await?;
        let mut conn = conn.detach();
        let taken: bool =
            sqlx::query_scalar("select pg_try_advisory_lock(hashtextextended($1, 0))")
                .bind(name)
                .fetch_one(&mut conn)
                .await?;
        if taken {
            Ok(Some(Self { conn }))
        } else {
            conn.close().await?;
            Ok(None)
        }
    }

    /// An error once the connection, and with it the lead, is lost.
    pub async fn confirm(&mut self) -> Result<()> {
        Ok(self.conn.ping().await?)
    }
}
