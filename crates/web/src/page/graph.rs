//! The jobs of a build as rows: the plan, each service with a lane for each of its regions, and
//! at last the stage's own command; in each lane the jobs in order, with what they wait for.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use model::job::{JobKind, JobState, Outcome};
use model::pipeline::Service;
use model::plan::{Condition, Decision, PlannedService};
use model::worker_api::JobResult;
use model::{JobId, Region, ServiceName};
use store::job::{Job, Work};

use super::place::Places;
use super::view::{Badge, duration};

pub(super) struct Row {
    /// What others point at.
    pub(super) anchor: String,
    pub(super) name: String,
    pub(super) about: Option<About>,
    pub(super) lanes: Vec<Lane>,
}

/// How a service is built, as it was detected in the commit.
pub(super) struct About {
    pub(super) framework: &'static str,
    pub(super) path: String,
    pub(super) published_as: Option<String>,
    pub(super) notes: Vec<String>,
    /// The services it needs, and where each is written.
    pub(super) depends_on: Vec<(String, String)>,
}

/// The jobs of a service in one region, or those for which the region does not count.
#[derive(Default)]
pub(super) struct Lane {
    /// Named where the service has several.
    pub(super) region: Option<String>,
    /// A word and the sentence why.
    pub(super) decision: Option<(&'static str, String)>,
    pub(super) jobs: Vec<Node>,
    /// Why jobs of it ended without having run.
    pub(super) not_run: Vec<String>,
    pub(super) changed_outputs: Vec<String>,
    /// What a removal left behind, as it was allowed to.
    pub(super) kept: Vec<String>,
}

pub(super) struct Node {
    /// What it waits for outside its lane, as far as no job before it did.
    pub(super) after: Vec<After>,
    /// What must have come of them.
    pub(super) condition: Option<String>,
    /// It may turn out that there is nothing to do for it.
    pub(super) conditional: bool,
    pub(super) url: String,
    pub(super) kind: String,
    pub(super) badge: Badge,
    pub(super) duration: String,
    pub(super) reason: Option<String>,
    pub(super) selected: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct After {
    pub(super) name: String,
    /// The row it stands in.
    pub(super) anchor: Option<String>,
}

/// What the rows are made from.
pub(super) struct Graph<'a> {
    pub(super) build_url: &'a str,
    pub(super) stage: Option<&'a str>,
    pub(super) planned: &'a [PlannedService],
    pub(super) jobs: &'a [Job],
    pub(super) places: &'a Places<'a>,
    pub(super) selected: Option<JobId>,
    pub(super) now: DateTime<Utc>,
}

impl Graph<'_> {
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        rows.extend(self.bare("plan".to_owned(), JobKind::Plan));
        rows.extend(self.bare("accounts".to_owned(), JobKind::Sweep));
        rows.extend(self.bare("a stack of no stage".to_owned(), JobKind::Remove));
        rows.extend(self.names().into_iter().map(|name| self.service(name)));
        let stage = self.stage.map_or_else(|| "stage".to_owned(), |name| format!("stage {name}"));
        rows.extend(self.bare(stage, JobKind::PostDeploy));
        rows
    }

    /// The services in the order in which they were planned, then those of a removal.
    fn names(&self) -> Vec<&ServiceName> {
        let planned = self.planned.iter().map(|planned| &planned.service.name);
        let mut seen = BTreeSet::new();
        planned
            .chain(self.jobs.iter().filter_map(|job| job.service.as_ref()))
            .filter(|name| seen.insert(*name))
            .collect()
    }

    /// A row of jobs that are of no service.
    fn bare(&self, name: String, kind: JobKind) -> Option<Row> {
        let bare = |job: &&Job| job.kind == kind && job.service.is_none();
        let jobs: Vec<&Job> = self.jobs.iter().filter(bare).collect();
        let anchor = format!("row-{}", kind.as_str());
        let lane = || self.lane(&jobs, None);
        (!jobs.is_empty()).then(|| Row { anchor, name, about: None, lanes: vec![lane()] })
    }

    fn service(&self, name: &ServiceName) -> Row {
        let planned: Vec<&PlannedService> =
            self.planned.iter().filter(|planned| planned.service.name == *name).collect();
        let mut jobs: Vec<&Job> =
            self.jobs.iter().filter(|job| job.service.as_ref() == Some(name)).collect();
        jobs.sort_by_key(|job| job.kind);
        let regions: Vec<&Region> = self.places.several(name).collect();
        let mut lanes = Vec::new();
        if regions.is_empty() {
            lanes.push(self.lane(&jobs, planned.first().copied()));
        } else {
            let everywhere: Vec<&Job> =
                jobs.iter().filter(|job| job.region.is_none()).copied().collect();
            if !everywhere.is_empty() {
                let region = Some("all regions".to_owned());
                lanes.push(Lane { region, ..self.lane(&everywhere, None) });
            }
        }
        for region in regions {
            let here: Vec<&Job> =
                jobs.iter().filter(|job| job.region.as_ref() == Some(region)).copied().collect();
            let planned = planned.iter().find(|planned| planned.region.as_ref() == Some(region));
            let lane = self.lane(&here, planned.copied());
            lanes.push(Lane { region: Some(region.to_string()), ..lane });
        }
        Row {
            anchor: anchor(name),
            name: name.to_string(),
            about: planned.first().map(|planned| About::of(&planned.service)),
            lanes,
        }
    }

    fn lane(&self, jobs: &[&Job], planned: Option<&PlannedService>) -> Lane {
        let own: BTreeSet<JobId> = jobs.iter().map(|job| job.id).collect();
        let mut seen = BTreeSet::new();
        let mut not_run: Vec<String> = Vec::new();
        for text in jobs.iter().filter_map(|job| not_run_because(job)) {
            if !not_run.contains(&text) {
                not_run.push(text);
            }
        }
        Lane {
            region: None,
            decision: planned.map(|planned| match &planned.decision {
                Decision::Run { reason } => ("runs", reason.clone()),
                Decision::Follow { reason, .. } => ("follows", reason.clone()),
                Decision::Skip { reason } => ("skipped", reason.clone()),
            }),
            not_run,
            changed_outputs: jobs.iter().flat_map(|job| job.changed_outputs()).cloned().collect(),
            kept: jobs.iter().flat_map(|job| kept(job)).cloned().collect(),
            jobs: jobs.iter().map(|job| self.node(job, &own, &mut seen)).collect(),
        }
    }

    /// `own`: the jobs of its lane; `seen`: what a job before it in the lane waits for.
    fn node(&self, job: &Job, own: &BTreeSet<JobId>, seen: &mut BTreeSet<JobId>) -> Node {
        let (condition, conditional) = self.condition(job, own);
        let needs: Vec<JobId> =
            job.needs.iter().copied().filter(|id| !own.contains(id) && seen.insert(*id)).collect();
        Node {
            after: self.after(job, &needs),
            condition,
            conditional,
            url: format!("{}?job={}#log", self.build_url, job.id),
            kind: kind(job),
            badge: Badge::of_job(&job.state),
            duration: duration(job.started_at, job.finished_at, self.now),
            reason: reason(job),
            selected: self.selected == Some(job.id),
        }
    }

    fn after(&self, job: &Job, needs: &[JobId]) -> Vec<After> {
        if job.kind == JobKind::PostDeploy && !needs.is_empty() {
            return vec![After { name: "every deploy".into(), anchor: None }];
        }
        let jobs: BTreeMap<JobId, &Job> = self.jobs.iter().map(|job| (job.id, job)).collect();
        let after: BTreeSet<After> = needs
            .iter()
            .filter_map(|id| {
                let need = jobs.get(id)?;
                let service = need.service.as_ref()?;
                Some(if need.service == job.service {
                    After { name: format!("its {}", need.kind.as_str()), anchor: None }
                } else {
                    let name = self.places.service(service, need.region.as_ref());
                    After { name, anchor: Some(anchor(service)) }
                })
            })
            .collect();
        after.into_iter().collect()
    }

    /// In words, where the job before it in the lane does not say it already; and whether there is
    /// a condition at all.
    fn condition(&self, job: &Job, own: &BTreeSet<JobId>) -> (Option<String>, bool) {
        match &job.condition {
            Condition::Always => (None, false),
            Condition::OutputsOf(deploys) => {
                if job.needs.iter().all(|id| deploys.contains(id)) {
                    return (Some("only if outputs change".to_owned()), true);
                }
                let of = self.jobs.iter().filter(|job| deploys.contains(&job.id));
                let names: BTreeSet<&str> =
                    of.filter_map(|job| job.service.as_ref()).map(ServiceName::as_str).collect();
                let names: Vec<&str> = names.into_iter().collect();
                (Some(format!("only if the outputs of {} change", names.join(" or "))), true)
            }
            Condition::AnyOf(jobs) if jobs.iter().all(|id| own.contains(id)) => (None, true),
            Condition::AnyOf(_) => (Some("only if one of them is made".to_owned()), true),
        }
    }
}

impl About {
    fn of(service: &Service) -> Self {
        let depends_on = service.depends_on.iter();
        Self {
            framework: service.framework.as_str(),
            path: service.path.clone(),
            published_as: service.published_as.clone(),
            notes: service.notes.clone(),
            depends_on: depends_on.map(|on| (on.service.to_string(), on.place())).collect(),
        }
    }
}

/// What a job does, with what it is about where the kind alone does not say it.
fn kind(job: &Job) -> String {
    let kind = job.kind.as_str();
    match &job.work {
        Some(Work::Foresee { stage, .. }) => format!("{kind} {stage}"),
        Some(Work::Sweep { profile, .. }) => format!("{kind} {profile}"),
        Some(Work::Rollback { commit, .. }) => format!("{kind} to {}", commit.short()),
        Some(Work::Discard { name, .. }) => format!("{kind} {name}"),
        Some(Work::Service(_) | Work::Step(_) | Work::Removal { .. } | Work::Recover { .. })
        | None => kind.to_owned(),
    }
}

fn anchor(service: &ServiceName) -> String {
    format!("service-{service}")
}

fn kept(job: &Job) -> &[String] {
    match &job.result {
        Some(JobResult::Removed { kept }) => kept,
        Some(
            JobResult::Planned { .. }
            | JobResult::Packaged { .. }
            | JobResult::Deployed { .. }
            | JobResult::Recovered
            | JobResult::Foreseen { .. }
            | JobResult::Swept { .. }
            | JobResult::Drifted { .. }
            | JobResult::Checked { .. },
        )
        | None => &[],
    }
}

pub(super) fn reason(job: &Job) -> Option<String> {
    match &job.state {
        JobState::Finished(outcome) => outcome.reason().map(str::to_owned),
        JobState::Blocked | JobState::Waiting | JobState::Queued { .. } | JobState::Running(_) => {
            None
        }
    }
}

/// Why a job never ran; what one that failed says stands with its log.
fn not_run_because(job: &Job) -> Option<String> {
    let word = Badge::of_job(&job.state).text;
    match &job.state {
        JobState::Finished(
            Outcome::Unneeded { reason }
            | Outcome::Skipped { reason }
            | Outcome::Canceled { reason },
        ) => Some(format!("{word}: {reason}")),
        JobState::Finished(Outcome::Succeeded | Outcome::Failed(_))
        | JobState::Blocked
        | JobState::Waiting
        | JobState::Queued { .. }
        | JobState::Running(_) => None,
    }
}

/// The job whose log is shown when none is chosen: what runs, else what failed, else the last.
pub(super) fn interesting(jobs: &[Job]) -> Option<&Job> {
    let running = jobs.iter().find(|job| matches!(job.state, JobState::Running(_)));
    let failed =
        || jobs.iter().find(|job| matches!(job.state, JobState::Finished(Outcome::Failed(_))));
    let begun =
        || jobs.iter().filter(|job| job.started_at.is_some()).max_by_key(|job| job.started_at);
    running.or_else(failed).or_else(begun).or_else(|| jobs.first())
}
