//! What a job works on: the column `spec`.

use model::pipeline::{Service, Step};
use serde::{Deserialize, Serialize};

/// A service as the plan job read it from the commit (of a removal: as it was last deployed), or
/// the stage's own command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    Service(Box<Service>),
    Step(Step),
}

impl Work {
    pub fn service(&self) -> Option<&Service> {
        match self {
            Self::Service(service) => Some(service),
            Self::Step(_) => None,
        }
    }

    pub fn step(&self) -> Option<&Step> {
        match self {
            Self::Service(_) => None,
            Self::Step(step) => Some(step),
        }
    }
}

impl From<Service> for Work {
    fn from(service: Service) -> Self {
        Self::Service(Box::new(service))
    }
}
