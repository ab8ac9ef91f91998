//! Where a test's server keeps its rows.
//!
//! Most have a database in the PostgreSQL that all tests share, which need not be made and does
//! not wait for the disk; it goes with the test. What is tested with the server's own PostgreSQL
//! says so.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) enum Rows {
    /// The server runs a PostgreSQL of its own, as it does when nobody names one.
    OwnPostgres,
    Shared(Shared),
}

/// A database of the tests' PostgreSQL; dropped when this is.
pub(crate) struct Shared {
    name: String,
}

impl Rows {
    pub(crate) fn shared() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("server_{}_{number}", std::process::id());
        let made = psql(&format!("create database {name}"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self::Shared(Shared { name })
    }

    /// What the server is told of it.
    pub(crate) fn environment(&self) -> Option<(String, String)> {
        match self {
            Self::OwnPostgres => None,
            Self::Shared(shared) => Some(("GREENROOM_DATABASE_URL".to_owned(), shared.url())),
        }
    }
}

impl Shared {
    pub(crate) fn url(&self) -> String {
        let base = url();
        let (path, query) = base.split_once('?').unwrap_or((&base, ""));
        let (server, _) = path.rsplit_once('/').expect("a URL with a database");
        format!("{server}/{}?{query}", self.name)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // what is left of it goes with the tests' PostgreSQL
        let _ = psql(&format!("drop database {} with (force)", self.name));
    }
}

fn psql(statement: &str) -> Output {
    Command::new("psql").args(["-X", "-q", "-d", &url(), "-c", statement]).output().unwrap()
}

fn url() -> String {
    std::env::var("DATABASE_URL").expect("DATABASE_URL is set, see script/lib/postgres.sh")
}
