//! The changes of a stage, newest first, each with the way back to it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::deployment::{DeploymentKind, DeploymentState};
use model::{AppName, ServiceName};
use store::deployment::Deployment;
use store::instance::Instance;

use super::super::view::{Badge, Time, duration, placed, short};

pub(super) struct Entry {
    pub(super) what: String,
    pub(super) kind: &'static str,
    pub(super) badge: Badge,
    pub(super) commit: String,
    pub(super) build_url: String,
    pub(super) build: i64,
    pub(super) reason: Option<String>,
    pub(super) started: Time,
    pub(super) duration: String,
    /// The dialog that takes the service back to it.
    pub(super) rollback: Option<String>,
    /// It is what is deployed now.
    pub(super) current: bool,
}

pub(super) struct History<'a> {
    pub(super) app: &'a AppName,
    pub(super) stage_url: &'a str,
    pub(super) instances: &'a [Instance],
    /// The caller may deploy here, and the stage takes it.
    pub(super) deployable: bool,
    pub(super) now: DateTime<Utc>,
}

impl History<'_> {
    pub(super) fn entries(&self, deployments: Vec<Deployment>) -> Vec<Entry> {
        let several = in_several_regions(self.instances);
        deployments.into_iter().map(|one| self.entry(one, &several)).collect()
    }

    fn entry(&self, deployment: Deployment, several: &BTreeSet<ServiceName>) -> Entry {
        let number = deployment.build_number;
        let service = &deployment.service;
        let region = Some(&deployment.region).filter(|_| several.contains(service));
        let current = self.is_current(&deployment);
        let back = self.deployable && !current && can_be_had_again(&deployment);
        Entry {
            what: placed(service.as_str(), region),
            kind: deployment.kind.as_str(),
            badge: Badge::of_deployment(deployment.state),
            commit: short(&deployment.commit),
            build_url: format!("/apps/{}/builds/{number}?job={}#log", self.app, deployment.job_id),
            build: number,
            reason: deployment.reason,
            started: Time::new(deployment.started_at, self.now),
            duration: duration(Some(deployment.started_at), deployment.finished_at, self.now),
            rollback: back.then(|| {
                let (url, id) = (self.stage_url, deployment.id);
                format!("{url}/rollback?service={service}&deployment={id}")
            }),
            current,
        }
    }

    fn is_current(&self, deployment: &Deployment) -> bool {
        can_be_had_again(deployment)
            && self.instances.iter().any(|instance| {
                instance.id == deployment.instance_id
                    && instance.artifact_id == deployment.artifact_id
                    && instance.build_number == Some(deployment.build_number)
            })
    }
}

/// Whether it left something that can be deployed again.
fn can_be_had_again(deployment: &Deployment) -> bool {
    match (deployment.kind, deployment.state) {
        (DeploymentKind::Deploy | DeploymentKind::Rollback, DeploymentState::Succeeded) => {
            deployment.artifact_id.is_some()
        }
        (
            DeploymentKind::Deploy | DeploymentKind::Rollback,
            DeploymentState::Running
            | DeploymentState::Failed
            | DeploymentState::RolledBack
            | DeploymentState::Canceled,
        )
        | (DeploymentKind::Remove, _) => false,
    }
}

fn in_several_regions(instances: &[Instance]) -> BTreeSet<ServiceName> {
    // they stand in the order of their services
    let same = instances.chunk_by(|one, other| one.service == other.service);
    same.filter(|same| same.len() > 1)
        .filter_map(|same| same.first())
        .map(|one| one.service.clone())
        .collect()
}
