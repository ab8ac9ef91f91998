//! The web side over real HTTP on a real PostgreSQL: each test gets a server and a database of its
//! own from `DATABASE_URL`, which `script/lib/postgres.sh` starts and exports.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

extern crate greenroom_web as web;

mod apply;
mod approvals;
mod authority;
mod authority_ground;
mod authority_session;
mod authority_table;
mod contract;
mod device;
mod entrance;
mod expiry;
mod injection;
mod injection_markup;
mod inspect;
mod job;
mod live;
mod log;
mod login;
mod login_roles;
mod metrics;
mod monitors;
mod outcome;
mod outside;
mod page;
mod page_approval;
mod page_board;
mod page_build;
mod page_builds;
mod page_care;
mod page_dialog;
mod page_made;
mod page_picture;
mod page_progress;
mod page_scene;
mod page_stage;
mod personal;
mod promote;
mod rest;
mod rollback;
mod settings;
mod support;
mod system;
mod target;
mod tasks;
mod webhook;
mod weight;
mod worker;
