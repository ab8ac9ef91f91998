//! The question whether a build may deploy: what is asked, and what came of it.
//!
//! What always holds: an approval counts for exactly what was shown: the commit, the artifacts and
//! what they change ([`Ask::bound_to`]). Whatever is deployed beside it has a question of its own:
//! services that are packaged only after another's deploy are asked about when they are packaged.

mod iam;
mod unseen;

use aws_lc_rs::digest::{Context, SHA256};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::app::Policy;
use crate::change_set::StackChange;
use crate::finding::{Check, Finding};
use crate::{CommitSha, Region, ServiceName};

pub use iam::{Part, is_access, parts};
pub use unseen::unseen;

/// What a build would deploy if somebody let it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    pub commit: CommitSha,
    /// In the order of their names and regions, each once.
    pub services: Vec<Asked>,
}

/// One service in one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub service: ServiceName,
    pub region: Region,
    /// SHA-256 of the artifact; `None`: there is none to be found, and the deploy will say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// What the deploy will do to each stack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub change: Vec<StackChange>,
    /// What is worth a warning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

impl Asked {
    /// Whether it is shown that the safeguard `no-replacement` objects: whoever approves it lets
    /// that happen.
    pub fn shows_replacement(&self) -> bool {
        self.findings.iter().any(|finding| finding.check == Check::Safeguard(Policy::NoReplacement))
    }
}

impl Ask {
    /// In whatever order they come.
    pub fn new(commit: CommitSha, mut services: Vec<Asked>) -> Self {
        services.sort_by(|a, b| (&a.service, &a.region).cmp(&(&b.service, &b.region)));
        services.dedup_by(|a, b| (&a.service, &a.region) == (&b.service, &b.region));
        Self { commit, services }
    }

    /// What an answer to it is bound to: SHA-256 over commit, artifacts and changes, in lowercase
    /// hexadecimal.
    pub fn bound_to(&self) -> String {
        let mut digest = Context::new(&SHA256);
        // each part with its length, so that no two lists of parts run together to the same bytes
        let mut part = |text: &str| {
            digest.update(&(text.len() as u64).to_be_bytes());
            digest.update(text.as_bytes());
        };
        part(self.commit.as_str());
        for Asked { service, region, artifact, change, findings: _ } in &self.services {
            part(service.as_str());
            part(region.as_str());
            part(artifact.as_deref().unwrap_or_default());
            // structs of texts and lists: written in one way, and never refused
            part(&serde_json::to_string(change).unwrap_or_default());
        }
        hex::encode(digest.finish())
    }

    pub fn of(&self, service: &ServiceName, region: &Region) -> Option<&Asked> {
        self.services.iter().find(|asked| asked.service == *service && asked.region == *region)
    }
}

/// One service of a build, about to be deployed.
#[derive(Debug, Clone, Copy)]
pub struct Deploy<'a> {
    pub service: &'a ServiceName,
    pub region: &'a Region,
    pub artifact: Option<&'a str>,
}

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "sqlx",
    derive(sqlx::Type),
    sqlx(type_name = "text", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    Waiting,
    Approved,
    Rejected,
    /// Nobody answered in time, or what was approved did not come to be deployed in time.
    Expired,
    /// It would deploy something else by now, or nothing any more.
    Void,
}

impl ApprovalState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Void => "void",
        }
    }
}

/// A question with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    pub ask: Ask,
    /// [`Ask::bound_to`] of the question.
    pub bound_to: String,
    pub state: ApprovalState,
    pub asked_at: DateTime<Utc>,
    /// Until when an answer is waited for, or a given one counts; `None`: nobody's approval is
    /// needed, the stage is only frozen.
    pub expires_at: Option<DateTime<Utc>>,
    /// Who answered; `None` also for what expired or became void by itself.
    pub decided_by: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
    /// Why it was rejected, or became void.
    pub reason: Option<String>,
    /// The build may be deployed although the stage was frozen when this was said.
    pub overridden: Option<Override>,
}

/// Somebody let a build through a freeze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    pub by: String,
    pub at: DateTime<Utc>,
}

impl Approval {
    /// Whether it asks about exactly this.
    pub fn is_about(&self, commit: &CommitSha, deploy: &Deploy<'_>) -> bool {
        self.ask.commit == *commit
            && self
                .ask
                .of(deploy.service, deploy.region)
                .is_some_and(|asked| asked.artifact.as_deref() == deploy.artifact)
    }

    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// Who may approve, in words, where a stage names these.
pub fn who_may(approvers: &[String]) -> String {
    match approvers {
        [] => "an admin".to_owned(),
        approvers => format!("{}, or an admin", approvers.join(", ")),
    }
}

#[cfg(test)]
mod tests;
