//! The jobs of a build as rows: the plan, each service with a lane for each of its regions, and
//! at last the stage's own command; in each lane the jobs in order, with what they wait for.

use std::collections::{BTreeMap, BTreeSet};

use model::job::{JobKind, JobState, Outcome};
use model::pipeline::Service;
use model::plan::{Condition, Decision, PlannedService};
use model::worker_api::JobResult;
use model::{JobId, Region, ServiceName};
use store::job::Job;

use super::{Graph, kind, reason};
use crate::page::build::pace;
use crate::page::view::{Badge, Far, duration};

pub(in crate::page) struct Row {
    /// What others point at.
    pub(in crate::page) anchor: String,
    pub(in crate::page) name: String,
    pub(in crate::page) about: Option<About>,
    pub(in crate::page) lanes: Vec<Lane>,
}

/// How a service is built, as it was detected in the commit.
pub(in crate::page) struct About {
    pub(in crate::page) framework: &'static str,
    pub(in crate::page) path: String,
    pub(in crate::page) published_as: Option<String>,
    pub(in crate::page) notes: Vec<String>,
    /// The services it needs, and where each is written.
    pub(in crate::page) depends_on: Vec<(String, String)>,
}

/// The jobs of a service in one region, or those for which the region does not count.
#[derive(Default)]
pub(in crate::page) struct Lane {
    /// Named where the service has several.
    pub(in crate::page) region: Option<String>,
    /// A word and the sentence why.
    pub(in crate::page) decision: Option<(&'static str, String)>,
    pub(in crate::page) jobs: Vec<Node>,
    /// Why jobs of it ended without having run.
    pub(in crate::page) not_run: Vec<String>,
    pub(in crate::page) changed_outputs: Vec<String>,
    /// What a removal left behind, as it was allowed to.
    pub(in crate::page) kept: Vec<String>,
}

pub(in crate::page) struct Node {
    /// What it waits for outside its lane, as far as no job before it did.
    pub(in crate::page) after: Vec<After>,
    /// What must have come of them.
    pub(in crate::page) condition: Option<String>,
    /// It may turn out that there is nothing to do for it.
    pub(in crate::page) conditional: bool,
    pub(in crate::page) url: String,
    pub(in crate::page) kind: String,
    pub(in crate::page) badge: Badge,
    pub(in crate::page) duration: String,
    pub(in crate::page) reason: Option<String>,
    /// Against what it usually takes, while it runs.
    pub(in crate::page) far: Option<Far>,
    /// How far CloudFormation is, or why it has not begun.
    pub(in crate::page) now: Option<String>,
    /// Which attempt it is, if not the first.
    pub(in crate::page) again: Option<i32>,
    pub(in crate::page) selected: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::page) struct After {
    pub(in crate::page) name: String,
    /// The row it stands in.
    pub(in crate::page) anchor: Option<String>,
}

impl Graph<'_> {
    pub(in crate::page) fn rows(&self) -> Vec<Row> {
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
    pub(super) fn names(&self) -> Vec<&ServiceName> {
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
            far: pace::of_job(job, self.usual, self.now),
            now: pace::resources(job, self.progress.get(&job.id)).or_else(|| self.waits(job)),
            again: (job.attempt > 1).then_some(job.attempt),
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

fn anchor(service: &ServiceName) -> String {
    format!("service-{service}")
}

fn kept(job: &Job) -> &[String] {
    let Some(JobResult::Removed { kept }) = &job.result else { return &[] };
    kept
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
