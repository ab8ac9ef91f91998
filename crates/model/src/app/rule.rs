//! The rules of an app: what of the repository is built, and for which stage.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Lifetime, RefPattern};
use crate::{BranchName, ServiceName, StageName, TagName};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Rule {
    Branch {
        branch: RefPattern<BranchName>,
        stage: StageName,
        #[serde(default)]
        trigger: Trigger,
        /// What this rule builds, never empty; `None`: every service.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        services: Option<BTreeSet<ServiceName>>,
    },
    Tag {
        tag: RefPattern<TagName>,
        stage: StageName,
        #[serde(default)]
        trigger: Trigger,
        /// What this rule builds, never empty; `None`: every service.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        services: Option<BTreeSet<ServiceName>>,
    },
    Preview {
        preview: PreviewRule,
    },
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
pub struct PreviewRule {
    /// Pull requests against these branches get a preview.
    pub base: Vec<RefPattern<BranchName>>,
    #[serde(default)]
    pub stage_name: PreviewStageName,
    /// What a preview may hold, never empty; `None`: every service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<BTreeSet<ServiceName>>,
    #[serde(default)]
    pub deploy: PreviewDeploy,
    #[serde(default)]
    pub destroy: Destroy,
    /// A preview that nobody needed for so long is removed; `None`: it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<Lifetime>,
    #[serde(default, skip_serializing_if = "Drafts::is_usual")]
    pub drafts: Drafts,
    /// The long-lived stage that a pull request's change is foreseen for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foresee: Option<StageName>,
}

/// Where a preview takes its name from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PreviewStageName {
    /// Each branch has a preview of its own, named after it.
    #[default]
    Branch,
    /// One stage of this name, which the rule's pull requests share: the newest push wins.
    Fixed(StageName),
}

/// What becomes of pull requests that are drafts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drafts {
    #[default]
    Build,
    /// Nothing is built before the pull request is ready for review.
    Ignore,
}

impl Drafts {
    fn is_usual(&self) -> bool {
        match self {
            Self::Build => true,
            Self::Ignore => false,
        }
    }
}

/// How much of the app a preview holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "sqlx",
    derive(sqlx::Type),
    sqlx(type_name = "text", rename_all = "kebab-case")
)]
#[serde(rename_all = "kebab-case")]
pub enum PreviewDeploy {
    /// What the pull request changes; the rest is read from the stage that the parameter `env`
    /// names, where that stage has it.
    #[default]
    Changed,
    /// The whole app.
    All,
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
