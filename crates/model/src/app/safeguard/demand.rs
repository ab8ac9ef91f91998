//! What each policy asks, with its configuration.

use std::collections::{BTreeMap, BTreeSet};

use super::{ClosedTime, FunctionPattern, Pattern, Policy, Range};
use crate::Region;

/// A policy with what it is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// At least one.
    AllowedRegions(Vec<Region>),
    AllowedStages(Allowed),
    AllowedRuntimes(Allowed),
    /// At least one.
    FrameworkVersion(BTreeMap<Tool, Range>),
    /// At least one key, with what its value must look like.
    RequiredStackTags(BTreeMap<String, Pattern>),
    NoWildIamRoleStatements,
    NoSecretEnvVars,
    RequireCfnRole,
    RequireDlq,
    RequireDescription(DescriptionLength),
    RequireGlobalVpc {
        min_subnets: usize,
    },
    AllowedFunctionNames(FunctionPattern),
    ForbidS3HttpAccess,
    /// At least one.
    RestrictedDeployTimes(Vec<ClosedTime>),
    NoReplacement(Replacement),
}

/// Words that are allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// These, to the letter; at least one.
    Words(Vec<String>),
    /// All that look like this.
    Like(Pattern),
}

/// A program that packages and deploys, and has a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    Serverless,
    /// The Serverless Framework as its community goes on with it.
    Osls,
    Sam,
    Cdk,
}

/// How long a function's description is; `min` is not above `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescriptionLength {
    pub min: usize,
    pub max: usize,
}

/// Which resource types `no-replacement` guards, beside those it knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replacement {
    /// Guarded as well.
    pub also: BTreeSet<String>,
    /// Not guarded.
    pub except: BTreeSet<String>,
}

impl Default for DescriptionLength {
    /// The bounds of Serverless Framework's safeguard; 256 is also the most that Lambda takes.
    fn default() -> Self {
        Self { min: 30, max: Self::MOST }
    }
}

impl DescriptionLength {
    /// "Description" of Lambda's `CreateFunction`.
    pub const MOST: usize = 256;
}

/// Two, so that the function outlives an availability zone.
pub(super) const MIN_SUBNETS: usize = 2;

impl Tool {
    pub const ALL: [(&'static str, Self); 4] = [
        ("serverless", Self::Serverless),
        ("osls", Self::Osls),
        ("sam", Self::Sam),
        ("cdk", Self::Cdk),
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serverless => "serverless",
            Self::Osls => "osls",
            Self::Sam => "sam",
            Self::Cdk => "cdk",
        }
    }
}

impl Allowed {
    pub fn allows(&self, word: &str) -> bool {
        match self {
            Self::Words(words) => words.iter().any(|allowed| allowed == word),
            Self::Like(pattern) => pattern.matches(word),
        }
    }
}

impl Demand {
    pub fn policy(&self) -> Policy {
        match self {
            Self::AllowedRegions(_) => Policy::AllowedRegions,
            Self::AllowedStages(_) => Policy::AllowedStages,
            Self::AllowedRuntimes(_) => Policy::AllowedRuntimes,
            Self::FrameworkVersion(_) => Policy::FrameworkVersion,
            Self::RequiredStackTags(_) => Policy::RequiredStackTags,
            Self::NoWildIamRoleStatements => Policy::NoWildIamRoleStatements,
            Self::NoSecretEnvVars => Policy::NoSecretEnvVars,
            Self::RequireCfnRole => Policy::RequireCfnRole,
            Self::RequireDlq => Policy::RequireDlq,
            Self::RequireDescription(_) => Policy::RequireDescription,
            Self::RequireGlobalVpc { .. } => Policy::RequireGlobalVpc,
            Self::AllowedFunctionNames(_) => Policy::AllowedFunctionNames,
            Self::ForbidS3HttpAccess => Policy::ForbidS3HttpAccess,
            Self::RestrictedDeployTimes(_) => Policy::RestrictedDeployTimes,
            Self::NoReplacement(_) => Policy::NoReplacement,
        }
    }
}
