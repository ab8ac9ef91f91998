//! What a worker and the server say to each other: JSON over HTTP under `/worker/v1`, the same
//! for the embedded worker and for one on another machine.
//!
//! | call | says | answer |
//! |---|---|---|
//! | `POST register` | [`Register`] | [`Registered`] |
//! | `POST claim` | [`Claim`] | 200 [`Assignment`], or 204 when nothing came within `wait_seconds` |
//! | `POST jobs/{id}/heartbeat` | [`Held`] | [`Heartbeat`] |
//! | `POST jobs/{id}/log?attempt=A&seq=N` | raw bytes; with `&head=L`, the first L are a [`LogHead`] | 204; a chunk that is known is ignored |
//! | `POST jobs/{id}/progress?attempt=A` | [`Progress`] | 204 |
//! | `POST jobs/{id}/checkout` | [`Held`] | [`Checkout`] |
//! | `POST jobs/{id}/credentials` | [`Held`] | [`AwsCredentials`] |
//! | `PUT jobs/{id}/artifact?attempt=A` | tar.zst bytes | [`StoredArtifact`] |
//! | `GET jobs/{id}/artifact?attempt=A` | | tar.zst bytes of the assignment's artifact |
//! | `POST jobs/{id}/finish` | [`Finish`] | 204 |
//!
//! What always holds: every call about a job names the attempt; one that no longer holds the job
//! is answered 409 and the worker stops that job at once. Every call may be repeated: a lost
//! answer is asked for again and does no harm.

mod log;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use log::{GroupEnd, GroupKind, GroupName, GroupOutcome, LogGroup, LogHead, MAX_LOG_GROUPS};

use crate::app::{RemoteParameter, Safeguard};
use crate::build::Source;
use crate::change_set::StackChange;
use crate::drift::StackDrift;
use crate::finding::Finding;
use crate::job::{JobKind, Outcome};
use crate::output::Scope;
use crate::outside::{Found, Left};
use crate::pipeline::{Service, Step};
use crate::plan::Findings;
use crate::stage::StageKind;
use crate::sweep::TaggedStack;
use crate::{
    AppName, BuildId, CommitSha, JobId, ParameterKey, Region, RepositoryName, StageName, WorkerId,
};

/// A worker process presents itself. A new incarnation of the same name gives back whatever the
/// old one held: a worker locks its directory, so the old process is gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Register {
    pub name: String,
    pub incarnation: uuid::Uuid,
    pub slots: u16,
    pub version: String,
    /// What its sandbox can do, for the pages.
    pub executor: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Registered {
    pub worker: WorkerId,
    pub lease_seconds: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claim {
    pub worker: WorkerId,
    pub incarnation: uuid::Uuid,
    /// How long the server may hold the call open, at most 30.
    pub wait_seconds: u16,
}

/// Names the attempt on whose behalf a call is made.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Held {
    pub attempt: i32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Heartbeat {
    pub lease_expires_at: DateTime<Utc>,
    pub directive: Directive,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "directive")]
pub enum Directive {
    Continue,
    /// End the job's processes and report `canceled` with this reason.
    Cancel {
        reason: String,
    },
}

/// How far a change of stacks is, counted in resources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub done: u32,
    pub total: u32,
    /// In a few words what is under way, as in `creating Table`; `None`: nothing just now.
    pub doing: Option<String>,
}

/// All that a worker needs to run one job, but for tokens and credentials, which it asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Assignment {
    pub job: JobId,
    pub attempt: i32,
    pub build: BuildId,
    pub build_number: i64,
    pub build_url: String,
    pub app: AppName,
    pub repository: RepositoryName,
    pub source: Source,
    pub task: Task,
    /// Where AWS answers when it is not the real one (a test, a VPC endpoint).
    pub aws: AwsEndpoint,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsEndpoint {
    pub url: Option<String>,
    /// PEM of the authority that signed the endpoint's certificate.
    pub ca_bundle: Option<String>,
}

/// What the job does, with what it needs for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Task {
    Plan {
        /// The commits last deployed in the stage: the plan says what changed since each.
        compare_with: Vec<CommitSha>,
        /// The commits that run in the stage whose services stand in for those of this one: the
        /// plan says what changed on this side since the two parted.
        diverged_from: Vec<CommitSha>,
    },
    Test {
        service: Service,
        /// `None` for a pull request from a fork.
        target: Option<Target>,
        trust: String,
    },
    Package {
        service: Service,
        target: Target,
        trust: String,
        /// What the stacks are held against, to see whether somebody else was at them.
        #[serde(default)]
        left: Left,
    },
    Deploy {
        service: Service,
        target: Target,
        artifact: StoredArtifact,
        trust: String,
    },
    Remove {
        service: Service,
        target: Target,
        /// The stacks as the last deployment saw them; empty if none came that far.
        stacks: Vec<String>,
        trust: String,
        #[serde(default)]
        how: RemoveHow,
    },
    /// The stage's own command, when all of the build's deploys are through.
    PostDeploy {
        step: Step,
        target: Target,
        trust: String,
    },
    /// As a deploy, of an artifact that this stage had before; the assignment's commit is the
    /// artifact's.
    Rollback {
        service: Service,
        target: Target,
        artifact: StoredArtifact,
        trust: String,
    },
    /// Continues a rollback of CloudFormation's that failed.
    Recover {
        service: Service,
        target: Target,
        stacks: Vec<String>,
        /// Resources, by their logical ids, that CloudFormation is to leave as they are.
        skip: Vec<String>,
    },
    /// Packages for another stage than the build's with credentials that change nothing, to see
    /// what the commit would change there. Of the target's secrets only the names are there, with
    /// empty values; its references are not read.
    Foresee {
        service: Service,
        target: Target,
        trust: String,
    },
    /// Lists the stacks that say they are Greenroom's, in each of these regions.
    Sweep {
        regions: Vec<Region>,
    },
    /// Deletes one stack that no stage knows, by its ARN. It stays if it is not as it was when a
    /// person decided about it: somebody has taken it over since.
    Discard {
        region: Region,
        stack: String,
        name: String,
        /// When it was changed last, as a sweep saw it.
        changed_at: Option<DateTime<Utc>>,
    },
    /// Holds the stacks of an instance against their templates.
    Drift {
        service: Service,
        target: Target,
        stacks: Vec<String>,
        left: Left,
    },
}

/// How far a removal goes with a stack that does not let itself be deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "sqlx",
    derive(sqlx::Type),
    sqlx(type_name = "text", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum RemoveHow {
    /// It stays, and the stage says what keeps it.
    #[default]
    Careful,
    /// The resources that cannot be deleted are kept and named; the stack goes.
    Retaining,
    /// CloudFormation is told to delete the stack by force.
    Forced,
}

impl RemoveHow {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Careful => "careful",
            Self::Retaining => "retaining",
            Self::Forced => "forced",
        }
    }
}

impl Task {
    pub fn kind(&self) -> JobKind {
        match self {
            Self::Plan { .. } => JobKind::Plan,
            Self::Test { .. } => JobKind::Test,
            Self::Package { .. } => JobKind::Package,
            Self::Deploy { .. } => JobKind::Deploy,
            Self::Remove { .. } | Self::Discard { .. } => JobKind::Remove,
            Self::PostDeploy { .. } => JobKind::PostDeploy,
            Self::Rollback { .. } => JobKind::Rollback,
            Self::Recover { .. } => JobKind::Recover,
            Self::Foresee { .. } => JobKind::Foresee,
            Self::Sweep { .. } => JobKind::Sweep,
            Self::Drift { .. } => JobKind::Drift,
        }
    }
}

/// The stage a job works for, as the server's settings have it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    pub stage: StageName,
    pub stage_kind: StageKind,
    pub region: Region,
    /// What the job may know: a test job gets no secret ones.
    pub parameters: BTreeMap<ParameterKey, Parameter>,
    /// Parameters that the worker reads itself, with the job's credentials. A test job has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub references: BTreeMap<ParameterKey, RemoteParameter>,
    /// What other services have published and this job may read.
    pub outputs: Scope,
    /// What a package is held against before it is deployed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub safeguards: Vec<Safeguard>,
    /// Of a deploy that was approved: what was shown. It may lose nothing beyond that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Vec<StackChange>>,
}

/// A parameter's value on its way into a job. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    pub value: String,
    /// Masked in logs.
    pub secret: bool,
}

impl std::fmt::Debug for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parameter").field("secret", &self.secret).finish_non_exhaustive()
    }
}

/// How to read the job's repository, and nothing else.
#[derive(Clone, Serialize, Deserialize)]
pub struct Checkout {
    /// `https://…/owner/name.git`
    pub url: String,
    /// Password of the user `x-access-token`.
    pub token: String,
    pub expires_at: DateTime<Utc>,
}

impl std::fmt::Debug for Checkout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checkout").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Credentials of the stage's role, good for an hour at most.
#[derive(Clone, Serialize, Deserialize)]
pub struct AwsCredentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
    pub expires_at: DateTime<Utc>,
}

impl std::fmt::Debug for AwsCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsCredentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// An artifact in the object store, by the SHA-256 of its plain bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredArtifact {
    /// Lowercase hexadecimal.
    pub digest: String,
    pub size_bytes: i64,
}

/// The end of a job, and what it found out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finish {
    pub attempt: i32,
    pub outcome: Outcome,
    pub result: Option<JobResult>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum JobResult {
    Planned {
        findings: Findings,
    },
    Packaged {
        package: Packaged,
    },
    Deployed {
        deployed: DeployedStack,
        /// The outputs that differ from what the instance had published. The server finds them
        /// out; what a worker says here is not looked at.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changed_outputs: Vec<String>,
    },
    /// What is kept although the stacks are gone, as `Retaining` allows: in words.
    Removed {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        kept: Vec<String>,
    },
    Recovered,
    /// What a commit would change in the stage it is meant for.
    Foreseen {
        change: Vec<StackChange>,
        /// Why the list may not be whole, in sentences.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
    },
    Swept {
        found: Vec<TaggedStack>,
    },
    Drifted {
        stacks: Vec<StackDrift>,
        /// The stacks of [`Task::Drift`]'s `left` as they are.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        found: BTreeMap<String, Found>,
    },
    /// Beside a failure: what a package or deploy job had found before it was refused.
    Checked {
        change: Vec<StackChange>,
        findings: Vec<Finding>,
        /// Of a package job, as in [`Packaged`].
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        found: BTreeMap<String, Found>,
    },
}

/// What a package job made, and for whom: read from what the framework left, not from the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packaged {
    pub artifact: StoredArtifact,
    pub stage: StageName,
    pub region: Region,
    /// What the deploy will do to each stack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub change: Vec<StackChange>,
    /// What is worth a warning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// The stacks of [`Task::Package`]'s `left` as they are. The server judges by its rows whether
    /// somebody else changed them: a deploy of ours may have ended meanwhile.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub found: BTreeMap<String, Found>,
}

/// What a deploy job read back from AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployedStack {
    /// The service's stacks, the main one first; empty for a service without any.
    pub stacks: Vec<String>,
    /// When each of them had last been changed once the deploy was through.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_at: BTreeMap<String, DateTime<Utc>>,
    pub outputs: BTreeMap<String, String>,
    pub endpoints: Vec<String>,
}
