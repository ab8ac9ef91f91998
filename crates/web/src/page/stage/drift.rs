//! What of a stage's stacks is no longer as their templates say.
//!
//! What always holds: what could not be looked at is never shown as in sync; an instance is as bad
//! as the worst of its stacks.

use chrono::{DateTime, Utc};
use model::drift::{DriftStatus, DriftedResource, PropertyDifference, ResourceDrift, StackDrift};
use store::app::App;
use store::drift::Drift as Look;
use store::instance::Instance;
use store::stage::Stage;

use super::super::view::{Badge, Time};

pub(super) struct Drift {
    /// When its stacks are looked at, in a sentence.
    pub(super) how_often: String,
    pub(super) services: Vec<ServiceDrift>,
}

/// One service in one region.
pub(super) struct ServiceDrift {
    pub(super) service: String,
    pub(super) region: String,
    pub(super) badge: Badge,
    pub(super) drifted: bool,
    /// The build that looked, and its page.
    pub(super) build: (String, i64),
    pub(super) checked: Time,
    pub(super) stacks: Vec<StackView>,
}

pub(super) struct StackView {
    pub(super) name: String,
    pub(super) badge: Badge,
    pub(super) note: Option<String>,
    pub(super) resources: Vec<ResourceView>,
}

pub(super) struct ResourceView {
    pub(super) name: String,
    pub(super) physical: Option<String>,
    pub(super) kind: String,
    pub(super) badge: Badge,
    pub(super) differences: Vec<PropertyDifference>,
}

impl Drift {
    /// `None`: nothing is there to be looked at.
    pub(super) fn of(
        app: &App,
        stage: &Stage,
        instances: &[Instance],
        looks: &[Look],
        now: DateTime<Utc>,
    ) -> Option<Self> {
        if instances.iter().all(|one| one.stacks.is_empty()) {
            return None;
        }
        let interval = app.settings.stage(&stage.name).map(|(_, own)| own.drift_interval());
        let how_often = match interval {
            Some(Some(interval)) => format!("Looked at every {interval}, and before each deploy."),
            Some(None) => "Looked at before each deploy, and when somebody asks.".to_owned(),
            None => "Looked at when somebody asks.".to_owned(),
        };
        let of = |look: &Look| {
            let instance = instances.iter().find(|one| one.id == look.instance_id)?;
            Some(ServiceDrift::of(app, instance, look, now))
        };
        Some(Self { how_often, services: looks.iter().filter_map(of).collect() })
    }
}

impl ServiceDrift {
    fn of(app: &App, instance: &Instance, look: &Look, now: DateTime<Utc>) -> Self {
        let worst = look.stacks.iter().map(|one| &one.status).max_by_key(|one| weight(one));
        Self {
            service: instance.service.to_string(),
            region: instance.region.to_string(),
            badge: worst.map_or_else(|| Badge::new("off", "no stack"), badge),
            drifted: look.stacks.iter().any(StackDrift::is_drifted),
            build: (format!("/apps/{}/builds/{}", app.name, look.build_number), look.build_number),
            checked: Time::new(look.looked_at, now),
            stacks: look.stacks.iter().map(StackView::of).collect(),
        }
    }
}

impl StackView {
    fn of(drift: &StackDrift) -> Self {
        let (note, resources) = match &drift.status {
            DriftStatus::InSync | DriftStatus::Deleted => (None, Vec::new()),
            DriftStatus::Drifted { resources } => {
                (None, resources.iter().map(ResourceView::of).collect())
            }
            DriftStatus::NotChecked { reason } => (Some(reason.clone()), Vec::new()),
        };
        Self { name: drift.stack.clone(), badge: badge(&drift.status), note, resources }
    }
}

impl ResourceView {
    fn of(resource: &DriftedResource) -> Self {
        let (badge, differences) = match &resource.deed {
            ResourceDrift::Modified { differences } => {
                (Badge::new("warn", "changed"), differences.clone())
            }
            ResourceDrift::Deleted => (Badge::new("bad", "deleted"), Vec::new()),
        };
        Self {
            name: resource.logical_id.clone(),
            physical: resource.physical_id.clone(),
            kind: resource.resource_type.clone(),
            badge,
            differences,
        }
    }
}

fn badge(status: &DriftStatus) -> Badge {
    match status {
        DriftStatus::InSync => Badge::new("ok", "in sync"),
        DriftStatus::Drifted { .. } => Badge::new("warn", "drifted"),
        DriftStatus::Deleted => Badge::new("bad", "deleted"),
        DriftStatus::NotChecked { .. } => Badge::new("off", "not checked"),
    }
}

fn weight(status: &DriftStatus) -> u8 {
    match status {
        DriftStatus::InSync => 0,
        DriftStatus::NotChecked { .. } => 1,
        DriftStatus::Drifted { .. } => 2,
        DriftStatus::Deleted => 3,
    }
}
