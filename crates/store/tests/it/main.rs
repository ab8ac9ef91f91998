//! The store on a real PostgreSQL: each test gets a database of its own from `DATABASE_URL`, which
//! `script/lib/postgres.sh` starts and exports.
#![expect(clippy::unwrap_used, reason = "what fails in a test's helper fails the test")]

mod app;
mod board;
mod build;
mod claim;
mod cluster;
mod delivery;
mod deployment;
mod device;
mod foresee;
mod gate;
mod inspect;
mod instance;
mod job;
mod lead;
mod limit;
mod log;
mod notification;
mod objects;
mod order;
mod orphan;
mod outbox;
mod output;
mod outside;
mod person;
mod personal;
mod previews;
mod progress;
mod pull_request;
mod queued;
mod reconcile;
mod revision;
mod rollback;
mod schema;
mod secret;
mod session;
mod setup;
mod signals;
mod stage;
mod support;
mod system;
mod token;
mod usual;
mod vault;
mod worker;
