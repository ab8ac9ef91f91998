//! Everything that speaks HTTP on the server's side: webhook intake, the worker API, the REST API
//! and the pages.
//!
//! What always holds: nothing here calls the engine. A request writes rows and, after its commit,
//! wakes whoever waits for them ([`store::signals::Signals`]). No answer is given before the
//! commit it promises. A crash loses nothing but open connections: every call may be repeated.

mod access;
mod ansi;
mod api;
pub mod apply;
mod asset;
mod audit;
mod auth;
mod badge;
mod board_version;
mod cc;
mod error;
mod extract;
mod fresh;
mod inbox;
mod live;
mod log;
mod login;
mod measure;
mod nul;
mod once;
pub mod openapi;
mod order;
mod page;
mod peer;
mod request;
mod rights;
mod router;
mod save;
mod session;
mod setup;
mod shield;
mod state;
mod system;
mod telemetry;
mod webhook;
mod worker_api;

pub use login::{CALLBACK, Login, LoginClient};
pub use peer::Connection;
pub use router::{open_routes, router, routes};
pub use setup::identity;
pub use state::{Access, Parts, SecretLookup, Settings, State};
pub use telemetry::{begin as begin_metrics, upkeep as keep_metrics};
