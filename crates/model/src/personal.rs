//! What somebody does from their own machine: in a stage of their own, or in a long-lived one whose
//! profile lets them. Pure, and the words in which the command line and the server say it.
//!
//! What always holds: a personal stage is one person's, and nobody else gets credentials for it; who
//! may not begin is told by a sentence what stands in the way; no secret is in what is written down
//! of a command.

mod admission;
mod command;
mod environment;
mod left;
mod source;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use admission::{Admission, Asker, Refusal, There, admit};
pub use command::{Disagreement, MAX_COMMAND, agreed, frameworks_own, without_values, words};
pub use environment::{CREDENTIALS, environment};
pub use left::{Found, Left, left, may_be_named};
pub use source::Source;

use crate::output::{Declared, Scope};
use crate::pipeline::Service;
use crate::stage::StageKind;
use crate::worker_api::{AwsCredentials, AwsEndpoint};
use crate::{AppName, LaptopSessionId, PersonId, Region, ServiceName, StageName};

/// Whose a personal stage is: somebody who signed in with GitHub, or whoever holds a token of this
/// name where nobody does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub person: Option<PersonId>,
    /// The login, or the name of the token.
    pub name: String,
}

impl Owner {
    /// A login changes hands, a person's number does not.
    pub fn is(&self, other: &Self) -> bool {
        match (self.person, other.person) {
            (Some(one), Some(other)) => one == other,
            (None, None) => self.name == other.name,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// What the credentials are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "sqlx",
    derive(sqlx::Type),
    sqlx(type_name = "text", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// One command, whose end is told.
    #[default]
    Exec,
    /// A shell: its end is that of the credentials.
    Env,
}

impl Use {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Env => "env",
        }
    }
}

/// What a command line asks for before it runs anything.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    pub service: ServiceName,
    /// The service as the clone has it; without it, as the server knows it from other stages.
    #[serde(default)]
    pub spec: Option<Box<Service>>,
    /// `None`: the profile's.
    #[serde(default)]
    pub region: Option<Region>,
    #[serde(default)]
    pub purpose: Use,
    /// The words of the command, without the values of parameters.
    #[serde(default)]
    pub command: Vec<String>,
    pub source: Source,
    /// What the machine calls itself: nothing holds it to the truth.
    #[serde(default)]
    pub machine: Option<String>,
}

/// What a command gets.
#[derive(Clone, Serialize, Deserialize)]
pub struct Begun {
    pub id: LaptopSessionId,
    pub app: AppName,
    pub stage: StageName,
    pub stage_kind: StageKind,
    pub service: ServiceName,
    pub region: Region,
    pub account: String,
    /// Of the command: parameters, what others publish, and what is ours; without credentials.
    pub environment: BTreeMap<String, String>,
    /// What the Serverless Framework is to know as `${param:key}`.
    pub parameters: BTreeMap<String, String>,
    /// What `${output:…}` reads.
    pub outputs: Scope,
    /// What the stacks say of whose they are.
    pub stack_tags: BTreeMap<String, String>,
    pub aws: AwsEndpoint,
    pub credentials: AwsCredentials,
    /// When the stage ends if nobody uses it before.
    pub stage_expires_at: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Begun").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How a command ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// As shells have it: 128 and the signal of one that was killed.
    pub exit_code: u8,
    /// What the plugin left of the service's `outputs:`.
    #[serde(default)]
    pub declared: Option<Declared>,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_stage_is_its_persons_by_their_number_and_a_tokens_by_its_name() {
        let owner = |person: Option<u128>, name: &str| Owner {
            person: person.map(|number| PersonId(Uuid::from_u128(number))),
            name: name.into(),
        };
        assert!(owner(Some(1), "ann").is(&owner(Some(1), "ann-renamed")));
        assert!(!owner(Some(1), "ann").is(&owner(Some(2), "ann")), "the login changed hands");
        assert!(owner(None, "ann").is(&owner(None, "ann")));
        assert!(!owner(None, "ann").is(&owner(Some(1), "ann")), "a token is no person");
    }
}
