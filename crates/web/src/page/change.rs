//! What a build's deploys do to their stacks, resource by resource; and what its commit would do to
//! another stage's.
//!
//! What always holds: what is lost stands first, a resource that holds data says so in a word, and
//! who may do what by the change stands apart from everything else.

use model::approval::is_access;
use model::change_set::{Effect, ResourceChange, StackChange, StackChangeKind};
use model::safeguard::is_stateful;
use model::worker_api::JobResult;
use model::{Region, ServiceName};
use store::job::{Job, Work};

use super::place::Places;
use super::view::Badge;

#[derive(Default)]
pub(super) struct Changes {
    pub(super) permissions: Vec<PermissionView>,
    pub(super) stacks: Vec<ChangeView>,
}

pub(super) struct PermissionView {
    pub(super) stack: String,
    pub(super) resource: ResourceView,
}

/// What the commit would change in the stage it is meant for.
pub(super) struct ForeseenView {
    pub(super) stage: String,
    pub(super) changes: Changes,
    /// Why this may not be all.
    pub(super) notes: Vec<String>,
}

pub(super) struct ChangeView {
    /// Names it within the page.
    pub(super) anchor: String,
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
    /// Some of it is about permissions, which stand apart.
    pub(super) permissions: bool,
    /// All but those.
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
pub(super) fn changes(jobs: &[Job], places: &Places<'_>) -> Changes {
    let mut latest: Vec<(Place<'_>, &[StackChange])> = Vec::new();
    for job in jobs {
        let (Some(service), Some(change)) = (&job.service, of_job(job)) else { continue };
        let place = (service, job.region.as_ref());
        match latest.iter_mut().find(|(known, _)| *known == place) {
            Some((_, known)) => *known = change,
            None => latest.push((place, change)),
        }
    }
    let mut changes = Changes::default();
    for ((service, region), stacks) in latest {
        changes.add("change", &places.service(service, region), stacks);
    }
    changes
}

/// By the stage that the jobs packaged for.
pub(super) fn foreseen(jobs: &[Job], places: &Places<'_>) -> Vec<ForeseenView> {
    let mut found: Vec<ForeseenView> = Vec::new();
    for job in jobs {
        let (Some(service), Some(Work::Foresee { stage, .. })) = (&job.service, &job.work) else {
            continue;
        };
        let Some(JobResult::Foreseen { change, notes }) = &job.result else { continue };
        let at = match found.iter().position(|one| one.stage == stage.as_str()) {
            Some(at) => at,
            None => {
                let stage = stage.to_string();
                found.push(ForeseenView { stage, changes: Changes::default(), notes: Vec::new() });
                found.len() - 1
            }
        };
        let of = places.service(service, job.region.as_ref());
        found[at].notes.extend(notes.iter().map(|note| format!("{of}: {note}")));
        found[at].changes.add(&format!("foreseen-{at}"), &of, change);
    }
    found
}

type Place<'a> = (&'a ServiceName, Option<&'a Region>);

/// `None`: the job did not look.
fn of_job(job: &Job) -> Option<&[StackChange]> {
    let change = match &job.result {
        Some(JobResult::Packaged { package }) => &package.change,
        Some(JobResult::Checked { change, .. }) => change,
        Some(
            JobResult::Planned { .. }
            | JobResult::Deployed { .. }
            | JobResult::Removed { .. }
            | JobResult::Recovered
            | JobResult::Foreseen { .. }
            | JobResult::Swept { .. }
            | JobResult::Drifted { .. },
        )
        | None => return None,
    };
    (!change.is_empty()).then_some(change)
}

impl Changes {
    pub(super) fn add(&mut self, prefix: &str, of: &str, stacks: &[StackChange]) {
        for stack in stacks {
            let mut changes: Vec<&ResourceChange> = stack.changes.iter().collect();
            changes.sort_by_key(|change| {
                (change.effect, !is_stateful(&change.resource_type), &change.logical_id)
            });
            let (permissions, others): (Vec<_>, Vec<_>) =
                changes.iter().partition(|change| is_access(&change.resource_type));
            self.stacks.push(ChangeView {
                anchor: format!("{prefix}-{}", self.stacks.len()),
                of: of.to_owned(),
                stack: stack.stack.clone(),
                new: match stack.kind {
                    StackChangeKind::New => true,
                    StackChangeKind::Update => false,
                },
                counts: counts(&changes),
                grave: changes.iter().any(|change| takes_away(change.effect)),
                note: stack.note.clone(),
                permissions: !permissions.is_empty(),
                resources: others.into_iter().map(resource).collect(),
            });
            self.permissions.extend(permissions.into_iter().map(|change| PermissionView {
                stack: stack.stack.clone(),
                resource: resource(change),
            }));
        }
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
