//! Every SQL statement of Greenroom, one file per table.
//!
//! What always holds: functions take a `&mut PgConnection`, so the caller decides what is one
//! transaction; times and ids come from the caller; every update checks how many rows it met; a
//! job's state changes in [`job`] alone, and a change marks its build for the engine in the same
//! statement. Row locks are `for no key update`, which the foreign-key checks of concurrent
//! inserts (a line of a log, a job) do not wait for.
//!
//! After a crash: PostgreSQL is the only truth. What was committed is found again by the passes
//! that read it; what was not never happened.

pub mod app;
pub mod approval;
pub mod artifact;
pub mod audit;
pub mod badge;
pub mod board;
pub mod build;
pub mod cluster;
mod database;
pub mod delivery;
pub mod deployment;
pub mod device;
pub mod drift;
mod error;
pub mod freeze;
pub mod gate;
pub mod gauges;
pub mod github_app;
pub mod idempotency;
pub mod instance;
pub mod issue_comment;
pub mod job;
pub mod lead;
pub mod leader;
pub mod log;
pub mod monitor;
pub mod notification;
pub mod objects;
pub mod order;
pub mod orphan;
pub mod outbox;
pub mod output;
pub mod person;
pub mod personal;
pub mod progress;
pub mod pull_request;
pub mod queued;
pub mod reconcile;
pub mod revision;
pub mod secret;
pub mod session;
pub mod setup;
pub mod signals;
pub mod stage;
pub mod sweep;
pub mod system;
pub mod token;
pub mod usual;
pub mod vault;
pub mod worker;

pub use database::{Database, MIGRATOR};
pub use error::{Error, Result};
pub use sqlx::PgConnection;
