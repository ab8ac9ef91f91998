//! The passes over rows of a real PostgreSQL: each test gets a database of its own from
//! `DATABASE_URL`, which `script/lib/postgres.sh` starts and exports. Workers are played by the
//! tests: they claim and finish through the store.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

extern crate greenroom_engine as engine;

mod base;
mod comments;
mod follow;
mod foresee;
mod gates;
mod inspect;
mod intake;
mod lead;
mod notify;
mod only;
mod personal;
mod previews;
mod reconcile;
mod support;
mod surface;
mod wake;
