//! The words of Greenroom as types, and every decision as a pure function.
//!
//! What always holds: nothing here reads a clock, a file, the network or a random number. The
//! same input gives the same answer, so every rule of the product is tested without a database.
//! Names are parsed once at the edge; whoever holds a [`StageName`] holds a valid one.

pub mod app;
pub mod approval;
pub mod build;
pub mod change_set;
pub mod comment;
pub mod compose;
pub mod deployment;
pub mod detect;
mod document;
pub mod drift;
pub mod finding;
pub mod foresight;
pub mod freeze;
pub mod gate;
pub mod id;
pub mod job;
pub mod name;
pub mod notification;
pub mod output;
pub mod outside;
pub mod people;
pub mod permission;
pub mod personal;
pub mod pipeline;
pub mod plan;
pub mod plugin;
pub mod preflight;
pub mod promotion;
pub mod reconcile;
pub mod rule;
pub mod safeguard;
pub mod stage;
pub mod status;
pub mod stuck;
pub mod sweep;
pub mod system;
pub mod template;
pub mod terminal;
pub mod transient;
pub mod worker_api;

pub use id::{
    AppId, ArtifactId, BuildId, DeploymentId, DeviceId, InstanceId, JobId, LaptopSessionId,
    OrphanId, PersonId, SessionId, StageId, TokenId, WorkerId,
};
pub use name::{
    AppName, BranchName, CommitSha, InvalidName, Login, ParameterKey, ProfileName, ReceiverName,
    Region, RepositoryName, RoleArn, ServiceName, StageName, TagName, TeamName, TokenName,
};
