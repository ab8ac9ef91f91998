//! The pool and the schema.
//!
//! What always holds: migrations run one process at a time (sqlx takes an advisory lock), each
//! once; a binary never works on a schema newer than it knows.

use std::str::FromStr;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Postgres, Transaction};

use crate::error::{Error, Result};

/// How the planner is to choose. A queue grows from nothing to thousands of rows before PostgreSQL
/// looks at its statistics again, within about a minute; until then it would take the queue for
/// small, and sort all of it for each claim (measured: 25 claims a second at 50,000 jobs instead of
/// 6,000). Every hot query has its index, so it is told to prefer one whatever it believes. The
/// penalty on plans that need a scan must not start the compiler, hence no jit.
const PLANNER: [(&str, &str); 3] =
    [("enable_seqscan", "off"), ("enable_bitmapscan", "off"), ("jit", "off")];

pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

#[derive(Debug, Clone)]
pub struct Database {
    pool: PgPool,
}

impl Database {
    /// Opens a pool. A connection is not pinged before each use, which would cost every call a
    /// round trip; one that the server closed fails its first statement and is then replaced.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self> {
        let options =
            PgConnectOptions::from_str(url)?.application_name("greenroom").options(PLANNER);
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        Ok(Self { pool })
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>> {
        Ok(self.pool.acquire().await?)
    }

    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>> {
        Ok(self.pool.begin().await?)
    }

    /// Begins a transaction whose commit does not wait for the disk. For work that is done again
    /// from rows that are durable: a power failure may undo the last of it, whole and in order, and
    /// any later commit that waits carries it to the disk too.
    pub async fn begin_repeatable(&self) -> Result<Transaction<'static, Postgres>> {
        Ok(self.pool.begin_with("begin; set local synchronous_commit = off").await?)
    }

    /// Brings the schema to what this binary knows.
    pub async fn migrate(&self) -> Result<()> {
        match MIGRATOR.run(&self.pool).await {
            Ok(()) => Ok(()),
            Err(MigrateError::VersionMissing(_)) => Err(Error::Schema(format!(
                "the database is at schema {}, this binary knows {}: run a newer greenroom",
                self.schema().await?.unwrap_or_default(),
                known()
            ))),
            Err(MigrateError::VersionMismatch(version)) => Err(Error::Schema(format!(
                "migration {version} of the database is not the one this binary was built with: \
                 use the binary that made this database, or a new database"
            ))),
            Err(MigrateError::Execute(error)) => Err(error.into()),
            Err(error) => Err(Error::Schema(format!("the schema could not be migrated: {error}"))),
        }
    }

    /// Whether the database answers and has the schema of this binary.
    pub async fn ready(&self) -> Result<()> {
        match self.schema().await? {
            Some(schema) if schema == known() => Ok(()),
            Some(schema) => Err(Error::Schema(format!(
                "the database is at schema {schema}, this binary knows {}",
                known()
            ))),
            None => {
                Err(Error::Schema("the database has no schema yet: run greenroom migrate".into()))
            }
        }
    }

    /// The newest migration that the database has; `None` for an empty one.
    async fn schema(&self) -> Result<Option<i64>> {
        let exists: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
            .fetch_one(&self.pool)
            .await?;
        if !exists {
            return Ok(None);
        }
        Ok(sqlx::query_scalar("select max(version) from _sqlx_migrations where success")
            .fetch_one(&self.pool)
            .await?)
    }
}

/// The newest migration of this binary.
pub(crate) fn known() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or_default()
}
