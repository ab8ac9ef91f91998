//! The crate through its public edge: deliveries as GitHub writes them, and calls against the
//! GitHub stand-in.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap, as tests do")]

mod client;
mod commit;
mod event;
mod hook;
mod people;
mod reference;
mod setup;
mod support;
mod surface;
