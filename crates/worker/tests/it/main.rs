//! The machine-facing half of the worker on real git, bubblewrap and tar.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap, as tests do")]

mod archive;
mod cache;
mod git;
mod history;
mod log;
mod sandbox;
mod step;
mod support;
mod workspace;
