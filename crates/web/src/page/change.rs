//! What a build's deploys do to their stacks, resource by resource.
//!
//! What always holds: what is lost stands first, and a resource that holds data says so in a word.

use model::change_set::{Effect, ResourceChange, StackChange, StackChangeKind};
use model::safeguard::is_stateful;
use model::worker_api::JobResult;
use model::{Region, ServiceName};
use store::job::Job;

use super::place::Places;
use super::view::Badge;

pub(super) struct ChangeView {
    /// The service, with its region if it has several.
    pub(super) of: String,
    pub(super) stack: String,
    pub(super) new: bool,
    /// How many of each, in a few words.
    pub(super) counts: String,
    /// Something of it goes, or may go.
    pub(super) grave: bool,
    /// Why this may not be all.
    pub(super) note: Option<String>,
    pub(super) resources: Vec<ResourceView>,
}

pub(super) struct ResourceView {
    pub(super) effect: Badge,
    pub(super) name: String,
    pub(super) physical: Option<String>,
    pub(super) kind: String,
    /// What it holds goes with it.
    pub(super) holds_data: bool,
    pub(super) because: String,
}

/// The changes of a build. What a deploy looked at last goes before what its package foresaw.
pub(super) fn changes(jobs: &[Job], places: &Places<'_>) -> Vec<ChangeView> {
    let mut latest: Vec<(Place<'_>, &[StackChange])> = Vec::new();
    for job in jobs {
        let (Some(service), Some(change)) = (&job.service, of_job(job)) else { continue };
        let place = (service, job.region.as_ref());
        match latest.iter_mut().find(|(known, _)| *known == place) {
            Some((_, known)) => *known = change,
            None => latest.push((place, change)),
        }
    }
    latest
        .into_iter()
        .flat_map(|((service, region), change)| {
            change.iter().map(move |stack| view(places.service(service, region), stack))
        })
        .collect()
}

type Place<'a> = (&'a ServiceName, Option<&'a Region>);

/// `None`: the job did not look.
fn of_job(job: &Job) -> Option<&[StackChange]> {
    let change = match &job.result {
        Some(JobResult::Packaged { package }) => &package.change,
        Some(JobResult::Checked { change, .. }) => change,
        Some(JobResult::Planned { .. } | JobResult::Deployed { .. } | JobResult::Removed)
        | None => return None,
    };
    (!change.is_empty()).then_some(change)
}

fn view(of: String, stack: &StackChange) -> ChangeView {
    let mut changes: Vec<&ResourceChange> = stack.changes.iter().collect();
    changes.sort_by_key(|change| {
        (change.effect, !is_stateful(&change.resource_type), &change.logical_id)
    });
    ChangeView {
        of,
        stack: stack.stack.clone(),
        new: match stack.kind {
            StackChangeKind::New => true,
            StackChangeKind::Update => false,
        },
        counts: counts(&changes),
        grave: changes.iter().any(|change| takes_away(change.effect)),
        note: stack.note.clone(),
        resources: changes.into_iter().map(resource).collect(),
    }
}

/// `changes` stand in the order of their effects.
fn counts(changes: &[&ResourceChange]) -> String {
    let counts: Vec<String> = changes
        .chunk_by(|one, other| one.effect == other.effect)
        .filter_map(|same| Some(format!("{} {}", same.len(), same.first()?.effect.as_str())))
        .collect();
    if counts.is_empty() { "nothing changes".to_owned() } else { counts.join(", ") }
}

fn takes_away(effect: Effect) -> bool {
    match effect {
        Effect::Removed | Effect::Replaced | Effect::MayBeReplaced => true,
        Effect::Changed | Effect::Added => false,
    }
}

fn resource(change: &ResourceChange) -> ResourceView {
    let class = match change.effect {
        Effect::Removed | Effect::Replaced => "bad",
        Effect::MayBeReplaced => "warn",
        Effect::Changed => "wait",
        Effect::Added => "ok",
    };
    ResourceView {
        effect: Badge::new(class, change.effect.as_str()),
        name: change.logical_id.clone(),
        physical: change.physical_id.clone(),
        kind: change.resource_type.clone(),
        holds_data: takes_away(change.effect) && is_stateful(&change.resource_type),
        because: change.because.join(", "),
    }
}
