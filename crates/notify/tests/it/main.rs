//! Messages sent to receivers that really listen.
#![expect(clippy::unwrap_used, reason = "what fails in a test's helper fails the test")]

mod guard;
mod mail;
mod slack;
mod support;
mod webhook;
