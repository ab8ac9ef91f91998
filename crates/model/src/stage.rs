//! Stages: their kinds, and the name a preview gets from its branch.

mod expiry;

use std::iter;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::{BranchName, StageName};

pub use expiry::{EndOfTime, Expiry, at_end_of_personal, removal_retry};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "sqlx",
    derive(sqlx::Type),
    sqlx(type_name = "text", rename_all = "kebab-case")
)]
#[serde(rename_all = "kebab-case")]
pub enum StageKind {
    LongLived,
    Preview,
    Personal,
}

impl StageKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LongLived => "long-lived",
            Self::Preview => "preview",
            Self::Personal => "personal",
        }
    }

    /// Caches are shared within one trust and never across: nothing that a preview wrote is read
    /// by staging or production.
    pub fn trust(self) -> &'static str {
        match self {
            Self::LongLived => "trusted",
            Self::Preview | Self::Personal => "preview",
        }
    }
}

/// Where a stage is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "sqlx",
    derive(sqlx::Type),
    sqlx(type_name = "text", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum StageState {
    Active,
    /// Its branch is gone; its stacks are being removed.
    Removing,
    /// A removal failed: stacks are left, and the stage says which.
    RemoveFailed,
    /// No stack is left, verified. The name is free again.
    Closed,
}

impl StageState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Removing => "removing",
            Self::RemoveFailed => "remove_failed",
            Self::Closed => "closed",
        }
    }
}

/// The longest name a preview gets. The role that the Serverless Framework makes,
/// `<service>-<stage>-<region>-lambdaRole`, may have 64 characters (IAM's quota for role names);
/// this leaves 17 for the service in `us-east-1`.
pub const MAX_PREVIEW_NAME: usize = 24;

/// Digits of the branch's hash in a name that the branch alone could not make.
const HASH_DIGITS: usize = 6;
const LONG_HASH_DIGITS: usize = 16;

/// Whether two names mean one stage: IAM takes role names that differ in case alone for the same.
pub fn same_stage(one: &StageName, other: &StageName) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

/// The stage name of a branch's preview.
///
/// `taken` says whether a name belongs to a long-lived stage, to somebody's personal one or to
/// another branch, compared with [`same_stage`]; it answers from a finite set, so a free name is always found. The same branch
/// and the same answers give the same name.
pub fn preview_name(branch: &BranchName, taken: impl Fn(&StageName) -> bool) -> StageName {
    let words = words_of(branch);
    let plain = (!words.is_empty() && words.len() <= MAX_PREVIEW_NAME).then(|| words.clone());
    let start = if words.is_empty() { "preview" } else { &words };
    let short = with_suffix(start, &hash(branch, 0)[..HASH_DIGITS]);
    // whoever may push can name branches like the hashed names of another: keep looking
    let long = (0_u64..).map(|salt| with_suffix(start, &hash(branch, salt)[..LONG_HASH_DIGITS]));
    plain
        .into_iter()
        .chain(iter::once(short))
        .chain(long)
        .map(|name| name.parse::<StageName>().expect("letters, digits and inner dashes are a name"))
        .find(|name| !taken(name))
        .expect("a finite set leaves one of 2^64 names free")
}

/// The branch in lowercase letters and digits, whatever else it has as single dashes between them.
fn words_of(branch: &BranchName) -> String {
    let lower = branch.as_str().to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

fn with_suffix(start: &str, suffix: &str) -> String {
    let room = MAX_PREVIEW_NAME - 1 - suffix.len();
    let start = &start[..start.len().min(room)];
    format!("{}-{suffix}", start.trim_end_matches('-'))
}

fn hash(branch: &BranchName, salt: u64) -> String {
    let mut bytes = branch.as_str().as_bytes().to_vec();
    if salt > 0 {
        bytes.push(0);
        bytes.extend(salt.to_be_bytes());
    }
    hex::encode(digest(&SHA256, &bytes))
}

#[cfg(test)]
mod tests;
