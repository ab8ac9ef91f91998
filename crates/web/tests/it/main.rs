//! The web side over real HTTP on a real PostgreSQL: each test gets a server and a database of its
//! own from `DATABASE_URL`, which `script/lib/postgres.sh` starts and exports.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

extern crate greenroom_web as web;

mod apply;
mod approvals;
mod expiry;
mod inspect;
mod job;
mod live;
mod metrics;
mod outcome;
mod outside;
mod page;
mod page_approval;
mod page_build;
mod page_care;
mod page_dialog;
mod page_scene;
mod page_stage;
mod promote;
mod rest;
mod rollback;
mod support;
mod target;
mod tasks;
mod webhook;
mod worker;
