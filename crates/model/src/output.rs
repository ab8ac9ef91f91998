//! Outputs: what a service publishes when it is deployed, and how others read it by
//! `${output:service.key}`. Pure.
//!
//! What always holds: a reference is resolved only from the [`Scope`] that the server gave the
//! job; what is not in it does not exist for the job, and a [`Missing`] says where was looked and
//! what is published there. The Serverless plugin (`plugins/serverless-greenroom`) reads the same
//! scope by the same rules: both are held to `test/cases.json` of the plugin.

mod declared;
mod environment;
mod reference;
mod resolve;
mod scan;
mod substitute;
mod variable;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use declared::{Declaration, Declared};
pub use environment::environment;
pub use reference::{Certainty, InvalidReference, Reference};
pub use resolve::{Found, Looked, Missing, Nowhere, resolve};
pub use scan::scan;
pub use substitute::{NotSubstituted, substitute};

use crate::{AppName, Region, ServiceName, StageName};

/// Everything a job may read, and where it stands itself. As a file it is what steps find under
/// `GREENROOM_OUTPUTS_FILE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    pub app: AppName,
    pub stage: StageName,
    pub region: Region,
    /// Where a preview or personal stage reads what it has not deployed itself.
    #[serde(default)]
    pub fallback_stage: Option<StageName>,
    #[serde(default)]
    pub published: Vec<Published>,
}

/// What one service published in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    pub app: AppName,
    pub stage: StageName,
    pub region: Region,
    pub service: ServiceName,
    /// The framework's own name for the service (`service:` of `serverless.yml`); references may
    /// use either.
    #[serde(default)]
    pub published_as: Option<String>,
    #[serde(default)]
    pub outputs: BTreeMap<String, String>,
}
