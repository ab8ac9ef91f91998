//! GitHub, as Greenroom needs it: what a webhook says and whether GitHub said it, and the few
//! calls we make (tokens, commit statuses, comments, deployments, branches and tags, pull requests,
//! deliveries of webhooks) as a GitHub App or with a token.
//!
//! What always holds: nothing here decides what to build, keeps state on disk, reads the clock
//! or tries again by itself. Secrets are in types that do not print.
//!
//! - [`verify`]: the signature of a delivery
//! - [`Event::parse`]: the meaning of a delivery
//! - [`GitHub`]: the calls
//! - [`Connection`]: the identity that the parts of the process share
//! - [`Manifest`]: a GitHub App made by a click
//! - [`SignIn`]: people who show who they are
//! - [`Error`]: what went wrong, and whether waiting helps

mod api;
mod auth;
mod client;
mod connection;
mod count;
mod error;
pub mod event;
mod manifest;
mod oauth;
mod signature;
mod text;
mod token;

pub use auth::{Auth, Clock, ConfigError};
pub use client::{
    Account, Branch, CommitInfo, Comparison, Cursor, DeploymentState, DeploymentStatus, Edited,
    FastForward, GitHub, HeadRef, Hook, HookDeliveries, HookDelivery, Installation,
    LONGEST_COMMENT, Lasting, NewDeployment, NewRef, PullRequestInfo, PullRequestState, Reacted,
    Redelivery, Relation, RepositoryInfo, Status, StatusState, Taken, Tree, TreeFile, Visible,
};
pub use connection::{AppIdentity, Connection, Identity, Origin};
pub use error::{Error, Problem, Viewer};
pub use event::{Event, GitRef, ParseError};
pub use manifest::{CreatedApp, LONGEST_APP_NAME, Manifest, Owner, OwnerKind, PERMISSIONS, Places};
pub use oauth::{SignIn, SignInError, SignedIn};
pub use signature::{SignatureError, verify};
pub use token::CheckoutToken;
