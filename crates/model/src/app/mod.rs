//! The app file: what the server decides about a repository (where its builds go, and as whom).
//!
//! What always holds: a [`Settings`] value that [`parse_yaml`] or [`parse_json`] answered is whole:
//! every stage and the default name a profile that exists, every rule names a stage that exists, no
//! two stages differ in case alone. Stored settings are read back with serde, which does not look
//! again; text from outside never goes that way.

mod diff;
mod file;
mod lifetime;
mod parameter;
mod rules;
mod safeguard;
mod warnings;
mod written;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use diff::{Change, diff};
pub use file::{AppFile, parse_json, parse_yaml};
pub use lifetime::{InvalidLifetime, Lifetime};
pub use parameter::SecretInput;
pub use safeguard::{Level, Policy, Safeguard};

pub use crate::document::Problem;

use crate::{
    AppName, BranchName, ParameterKey, ProfileName, Region, RepositoryName, RoleArn, StageName,
};

/// The app file, checked. It serialises to the JSON that `PUT /api/v1/apps/{app}` takes and
/// `GET` answers; secret values never stand in it (see [`Value`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub app: AppName,
    pub repository: RepositoryName,
    pub default_profile: ProfileName,
    pub profiles: BTreeMap<ProfileName, Profile>,
    pub stages: BTreeMap<StageName, StageSettings>,
    pub rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub role_arn: RoleArn,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    pub region: Region,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<ParameterKey, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub safeguards: Vec<Safeguard>,
}

/// A parameter as the settings show it: a plain value, or where a secret one came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Plain(String),
    Secret(SecretSource),
}

/// Where a secret value is taken from when the file is applied. The value itself is stored
/// encrypted beside the settings, under `(profile, key)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretSource {
    /// An environment variable of the process that applies the file.
    SecretEnv(String),
    /// Given in the file or the call itself, and shown as `{"secret": null}` ever after.
    #[serde(rename = "secret")]
    Given(()),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageSettings {
    pub profile: ProfileName,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    #[default]
    Auto,
    /// Never by a push; by the API or a button.
    Manual,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Rule {
    Branch {
        branch: BranchName,
        stage: StageName,
        #[serde(default)]
        trigger: Trigger,
    },
    Tag {
        /// A glob: `*` is any run of characters, slashes too.
        tag: String,
        stage: StageName,
        #[serde(default)]
        trigger: Trigger,
    },
    Preview {
        preview: PreviewRule,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewRule {
    /// Pull requests against these branches get a preview.
    pub base: Vec<BranchName>,
    #[serde(default)]
    pub stage_name: PreviewStageName,
    #[serde(default)]
    pub destroy: Destroy,
    /// Kept and shown; the sweep that acts on it comes with its own issue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<Lifetime>,
}

/// Where a preview takes its name from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PreviewStageName {
    #[default]
    Branch,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destroy {
    #[default]
    BranchDeleted,
    /// When the pull request is closed or its branch deleted, whichever comes first.
    PullRequestClosed,
    Never,
}

impl Settings {
    /// The profile of a stage; the default profile serves every stage that is not configured.
    pub fn profile_of(&self, stage: &StageName) -> (&ProfileName, &Profile) {
        let name = self.stages.get(stage).map_or(&self.default_profile, |stage| &stage.profile);
        self.profiles.get_key_value(name).expect("settings are whole: a stage's profile exists")
    }

    /// The names that no preview may have, nor one that differs from them in case alone.
    pub fn long_lived(&self) -> impl Iterator<Item = &StageName> {
        self.stages.keys()
    }
}
