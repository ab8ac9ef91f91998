//! The web side over real HTTP on a real PostgreSQL: each test gets a server and a database of its
//! own from `DATABASE_URL`, which `script/lib/postgres.sh` starts and exports.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

extern crate greenroom_web as web;

mod job;
mod live;
mod metrics;
mod page;
mod rest;
mod support;
mod webhook;
mod worker;
