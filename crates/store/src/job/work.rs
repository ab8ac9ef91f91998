//! What a job works on: the column `spec`.

use chrono::{DateTime, Utc};
use model::pipeline::{Service, Step};
use model::worker_api::RemoveHow;
use model::{ArtifactId, CommitSha, OrphanId, ProfileName, Region, StageName};
use serde::{Deserialize, Serialize};

/// A service as the plan job read it from the commit (of a removal: as it was last deployed), the
/// stage's own command, or what a job that was not planned is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    Service(Box<Service>),
    Step(Step),
    /// A service as it was deployed, and how far its removal goes.
    Removal {
        service: Box<Service>,
        how: RemoveHow,
    },
    /// A service as its artifact was made from this commit.
    Rollback {
        service: Box<Service>,
        artifact: ArtifactId,
        commit: CommitSha,
    },
    /// A service whose stacks are stuck, and the resources to leave as they are.
    Recover {
        service: Box<Service>,
        skip: Vec<String>,
    },
    /// A service, and the stage that it is packaged for.
    Foresee {
        service: Box<Service>,
        stage: StageName,
    },
    /// Where the role of this profile looks.
    Sweep {
        profile: ProfileName,
        regions: Vec<Region>,
    },
    /// A stack that no stage knows, by its ARN, as it was when a person wanted it gone.
    Discard {
        orphan: OrphanId,
        profile: ProfileName,
        stack: String,
        name: String,
        changed_at: Option<DateTime<Utc>>,
    },
}

impl Work {
    pub fn service(&self) -> Option<&Service> {
        match self {
            Self::Service(service)
            | Self::Removal { service, .. }
            | Self::Rollback { service, .. }
            | Self::Recover { service, .. }
            | Self::Foresee { service, .. } => Some(service),
            Self::Step(_) | Self::Sweep { .. } | Self::Discard { .. } => None,
        }
    }

    /// How far a removal goes.
    pub fn how(&self) -> RemoveHow {
        match self {
            Self::Removal { how, .. } => *how,
            Self::Service(_)
            | Self::Step(_)
            | Self::Rollback { .. }
            | Self::Recover { .. }
            | Self::Foresee { .. }
            | Self::Sweep { .. }
            | Self::Discard { .. } => RemoveHow::default(),
        }
    }

    pub fn step(&self) -> Option<&Step> {
        match self {
            Self::Step(step) => Some(step),
            Self::Service(_)
            | Self::Removal { .. }
            | Self::Rollback { .. }
            | Self::Recover { .. }
            | Self::Foresee { .. }
            | Self::Sweep { .. }
            | Self::Discard { .. } => None,
        }
    }
}

impl From<Service> for Work {
    fn from(service: Service) -> Self {
        Self::Service(Box::new(service))
    }
}
