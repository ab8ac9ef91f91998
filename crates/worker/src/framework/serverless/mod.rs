//! The Serverless Framework: `osls` 3 and 4, and `serverless` 3, as found in a service's own
//! `node_modules`.
//!
//! - `config`: what `serverless.yml` says before anything is installed, and the traps in it;
//! - `tool`: the installed program and its version;
//! - `argv`: its command lines;
//! - `package`: what a package says about the stage and region it was made for.

pub(crate) mod argv;
pub(crate) mod config;
pub(crate) mod package;
pub(crate) mod tool;
