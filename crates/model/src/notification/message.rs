//! What a receiver is told of one thing: plain data, written out by whoever sends it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Kind;
use crate::{AppName, BranchName, CommitSha, RepositoryName, StageName, TagName};

/// What happened to the thing last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    #[serde(rename = "build.failed")]
    BuildFailed,
    #[serde(rename = "build.fixed")]
    BuildFixed,
    #[serde(rename = "build.succeeded")]
    BuildSucceeded,
    #[serde(rename = "build.waiting")]
    BuildWaiting,
    /// It waits no more.
    #[serde(rename = "build.resumed")]
    BuildResumed,
    /// Canceled, superseded, or there was nothing to do.
    #[serde(rename = "build.ended")]
    BuildEnded,
    #[serde(rename = "preview.expiring")]
    PreviewExpiring,
    #[serde(rename = "preview.kept")]
    PreviewKept,
    #[serde(rename = "preview.removed")]
    PreviewRemoved,
    #[serde(rename = "stage.leftover")]
    StageLeftover,
    #[serde(rename = "stage.cleared")]
    StageCleared,
    #[serde(rename = "stage.drifted")]
    StageDrifted,
    #[serde(rename = "stage.in_sync")]
    StageInSync,
}

impl Event {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BuildFailed => "build.failed",
            Self::BuildFixed => "build.fixed",
            Self::BuildSucceeded => "build.succeeded",
            Self::BuildWaiting => "build.waiting",
            Self::BuildResumed => "build.resumed",
            Self::BuildEnded => "build.ended",
            Self::PreviewExpiring => "preview.expiring",
            Self::PreviewKept => "preview.kept",
            Self::PreviewRemoved => "preview.removed",
            Self::StageLeftover => "stage.leftover",
            Self::StageCleared => "stage.cleared",
            Self::StageDrifted => "stage.drifted",
            Self::StageInSync => "stage.in_sync",
        }
    }

    /// What a receiver asks for to be told of it; `None`: of interest only to who was told before.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Self::BuildFailed => Some(Kind::Failed),
            Self::BuildFixed => Some(Kind::Fixed),
            Self::BuildSucceeded => Some(Kind::Succeeded),
            Self::BuildWaiting => Some(Kind::Waiting),
            Self::PreviewExpiring => Some(Kind::Expiring),
            Self::StageLeftover => Some(Kind::Leftover),
            Self::StageDrifted => Some(Kind::Drift),
            Self::BuildResumed
            | Self::BuildEnded
            | Self::PreviewKept
            | Self::PreviewRemoved
            | Self::StageCleared
            | Self::StageInSync => None,
        }
    }

    /// Whether the thing is over with it: what comes next to the same stage is another one.
    pub(super) fn ends(self) -> bool {
        match self {
            Self::PreviewKept | Self::PreviewRemoved | Self::StageCleared | Self::StageInSync => {
                true
            }
            Self::BuildFailed
            | Self::BuildFixed
            | Self::BuildSucceeded
            | Self::BuildWaiting
            | Self::BuildResumed
            | Self::BuildEnded
            | Self::PreviewExpiring
            | Self::StageLeftover
            | Self::StageDrifted => false,
        }
    }
}

/// The build that a message is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildRef {
    pub number: i64,
    pub commit: CommitSha,
    pub branch: Option<BranchName>,
    pub tag: Option<TagName>,
    /// As somebody wrote them: to be escaped wherever they are shown.
    pub title: String,
    pub author: String,
}

/// As the column `wanted` of the table `notification` holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub event: Event,
    pub app: AppName,
    pub repository: RepositoryName,
    pub stage: Option<StageName>,
    pub build: Option<BuildRef>,
    /// One sentence without a full stop.
    pub headline: String,
    /// Why, or what is to be done.
    pub detail: Option<String>,
    /// The page that says more.
    pub url: String,
    /// When it came to be so.
    pub at: DateTime<Utc>,
    /// The subject that this is the sequel of: the build that broke what this one mends.
    pub answers: Option<String>,
}

impl Message {
    /// Whether both say the same, whenever they do.
    pub(super) fn says_what(&self, other: &Self) -> bool {
        *self == Self { at: self.at, ..other.clone() }
    }
}

/// What a receiver made of a message, so that a later one changes or answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handle {
    /// The conversation's id and the message's time, which Slack knows it by; and the thread that it
    /// stands in.
    Slack { channel: String, ts: String, thread: Option<String> },
    /// The `Message-ID` of the first mail.
    Mail { id: String },
}
