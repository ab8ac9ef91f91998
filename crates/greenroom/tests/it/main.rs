//! The whole product with everything real: the `greenroom` program, PostgreSQL, git over http,
//! bubblewrap, osls, a local AWS; and a GitHub stand-in that speaks GitHub's protocol.
//!
//! `script/test` starts the local AWS and says where it is. Each test has a server, a data
//! directory and a GitHub of its own, and ends by asserting that nothing is left over.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on says so, with the logs, by panicking"
)]

mod again;
mod approvals;
mod aws;
mod bad_input;
mod browser;
mod bucket;
mod client;
mod comments;
mod compose;
mod concurrency;
mod contract;
mod database;
mod drift;
mod environments;
mod frameworks;
mod gate;
mod histories;
mod lifecycle;
mod look;
mod mistakes;
mod notifications;
mod observed;
mod outbox;
mod outputs;
mod outside;
mod pace;
mod package;
mod page;
mod personal;
mod pipeline;
mod previews;
mod progress;
mod promotion;
mod pull_request;
mod reconcile;
mod regions;
mod removal;
mod restart;
mod rollbacks;
mod rules;
mod safeguards;
mod sample;
mod server;
mod setup;
mod steps;
mod story;
mod stuck;
mod sweep;
mod trust;
mod webhooks;
mod world;
