//! The graph of a build's jobs as a picture: boxes with what each job is and how it stands, lines
//! for what waits for what, and the chain that decides how long it takes.
//!
//! What always holds: every box leads to its job's log; what its colour says, an icon and a word
//! say too; a text that is too long for its box is whole in its title.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use model::job::{JobKind, JobState};
use model::plan::Condition;
use model::{JobId, Region, ServiceName};
use store::job::Job;

use super::layout::{BOX_HEIGHT, BOX_WIDTH, Layout, Vertex, layout, path, reduced};
use super::{Graph, critical, kind, reason};
use crate::page::build::pace;
use crate::page::view::{Badge, duration};

/// As many letters as fit into a box's line.
const LINE: usize = 26;
/// As many of a box's first line, beside the time.
const FIRST_LINE: usize = 15;
/// A picture of fewer says nothing.
const FEWEST: usize = 3;

pub(in crate::page) struct Picture {
    pub(in crate::page) width: i32,
    pub(in crate::page) height: i32,
    /// What there is to see, in a sentence.
    pub(in crate::page) about: String,
    /// What decides how long it takes, in words.
    pub(in crate::page) critical: Option<String>,
    pub(in crate::page) edges: Vec<Line>,
    pub(in crate::page) boxes: Vec<JobBox>,
}

pub(in crate::page) struct Line {
    pub(in crate::page) path: String,
    /// It may turn out that nothing goes along it.
    pub(in crate::page) conditional: bool,
    pub(in crate::page) critical: bool,
}

pub(in crate::page) struct JobBox {
    pub(in crate::page) x: i32,
    pub(in crate::page) y: i32,
    pub(in crate::page) url: String,
    pub(in crate::page) badge: Badge,
    pub(in crate::page) kind: String,
    pub(in crate::page) what: String,
    pub(in crate::page) time: String,
    /// How it stands, in the last line.
    pub(in crate::page) state: String,
    /// The width of its bar.
    pub(in crate::page) bar: Option<i32>,
    /// It takes longer than it usually does.
    pub(in crate::page) late: bool,
    pub(in crate::page) critical: bool,
    pub(in crate::page) selected: bool,
    /// All of it, for whoever cannot read the box.
    pub(in crate::page) label: String,
}

impl Picture {
    pub(in crate::page) const BOX_WIDTH: i32 = BOX_WIDTH;
    pub(in crate::page) const BOX_HEIGHT: i32 = BOX_HEIGHT;
}

impl Graph<'_> {
    /// `None`: there are too few jobs for a picture.
    pub(in crate::page) fn picture(&self) -> Option<Picture> {
        if self.jobs.len() < FEWEST {
            return None;
        }
        let vertices = self.vertices();
        let Layout { width, height, places, edges } = layout(&vertices);
        let took: Vec<TimeDelta> =
            self.jobs.iter().map(|job| pace::expected(job, self.usual, self.now)).collect();
        let (chain, whole) = critical::longest(&reduced(&vertices), &took)
            .unwrap_or((Vec::new(), TimeDelta::zero()));
        let critical: BTreeSet<usize> = chain.iter().copied().collect();
        let steps: BTreeSet<(usize, usize)> =
            chain.windows(2).filter_map(|pair| Some((*pair.first()?, *pair.last()?))).collect();
        let edges = edges.iter().map(|edge| Line {
            path: path(&edge.way),
            conditional: self.jobs.get(edge.to).is_some_and(|job| match job.condition {
                Condition::Always => false,
                Condition::OutputsOf(_) | Condition::AnyOf(_) => true,
            }),
            critical: steps.contains(&(edge.from, edge.to)),
        });
        let boxes = self.jobs.iter().zip(&places).enumerate();
        Some(Picture {
            width,
            height,
            about: self.about(),
            critical: self.in_words(&chain, whole),
            edges: edges.collect(),
            boxes: boxes
                .map(|(at, (job, place))| JobBox {
                    x: place.x,
                    y: place.y,
                    critical: critical.contains(&at),
                    ..self.job_box(job)
                })
                .collect(),
        })
    }

    fn vertices(&self) -> Vec<Vertex> {
        let at: BTreeMap<JobId, usize> =
            self.jobs.iter().enumerate().map(|(at, job)| (job.id, at)).collect();
        // nothing waits for a plan in so many words: without it there would be no other job
        let plan = self.jobs.iter().position(|job| job.kind == JobKind::Plan);
        let mut lanes: BTreeMap<(&ServiceName, Option<&Region>), usize> = BTreeMap::new();
        let order = self.names();
        for job in self.jobs {
            if let Some(lane) = self.lane_of(job) {
                lanes.entry(lane).or_default();
            }
        }
        let place = |name: &ServiceName| order.iter().position(|known| *known == name);
        let mut sorted: Vec<_> = lanes.keys().copied().collect();
        sorted.sort_by_key(|(name, region)| (place(name), *region));
        for (number, lane) in sorted.into_iter().enumerate() {
            lanes.insert(lane, number);
        }
        self.jobs
            .iter()
            .map(|job| {
                let mut needs: Vec<usize> =
                    job.needs.iter().filter_map(|need| at.get(need).copied()).collect();
                if needs.is_empty() && job.kind != JobKind::Plan {
                    needs.extend(plan);
                }
                let lane = self.lane_of(job).and_then(|lane| lanes.get(&lane).copied());
                Vertex { lane, needs }
            })
            .collect()
    }

    /// A service has a row for each of its regions where it has several; what is for all of them
    /// stands in a row of its own.
    fn lane_of<'a>(&self, job: &'a Job) -> Option<(&'a ServiceName, Option<&'a Region>)> {
        let service = job.service.as_ref()?;
        let several = self.places.several(service).next().is_some();
        Some((service, job.region.as_ref().filter(|_| several)))
    }

    fn about(&self) -> String {
        let many = self.jobs.len();
        let of = |wanted: fn(&JobState) -> bool| {
            self.jobs.iter().filter(|job| wanted(&job.state)).count()
        };
        let running = of(|state| matches!(state, JobState::Running(_)));
        let ended = of(|state| matches!(state, JobState::Finished(_)));
        format!(
            "{many} jobs, each to the right of what it waits for: {ended} ended, {running} running. \
             The same stands below as a list."
        )
    }

    fn in_words(&self, chain: &[usize], whole: TimeDelta) -> Option<String> {
        // one job alone is no chain
        let names: Vec<String> = chain
            .iter()
            .filter_map(|at| self.jobs.get(*at))
            .map(|job| self.places.job(job))
            .collect();
        (names.len() > 1).then(|| format!("{}: {}", names.join(" → "), pace::words(whole)))
    }

    fn job_box(&self, job: &Job) -> JobBox {
        let badge = Badge::of_job(&job.state);
        let (kind, time) = (kind(job), duration(job.started_at, job.finished_at, self.now));
        let what = match (&job.service, &job.region) {
            (Some(service), _) => self.places.service(service, job.region.as_ref()),
            (None, Some(region)) => region.to_string(),
            (None, None) => self.stage.map(|name| format!("stage {name}")).unwrap_or_default(),
        };
        let far = pace::of_job(job, self.usual, self.now);
        let resources = pace::resources(job, self.progress.get(&job.id));
        let again = (job.attempt > 1).then(|| format!("attempt {}", job.attempt));
        let waits = self.waits(job);
        let state = pace::resources_in_short(job, self.progress.get(&job.id))
            .or_else(|| far.as_ref().map(|far| far.text.clone()))
            .or_else(|| again.clone().map(|again| format!("{}, {again}", badge.text)))
            .unwrap_or_else(|| badge.text.clone());
        let label = [
            Some(format!("{kind} {what}").trim().to_owned()),
            Some(badge.text.clone()),
            (!time.is_empty()).then(|| time.clone()),
            again,
            far.as_ref().map(|far| far.text.clone()),
            resources,
            waits,
            reason(job),
        ];
        JobBox {
            x: 0,
            y: 0,
            url: format!("{}?job={}#log", self.build_url, job.id),
            kind: cut(&kind, FIRST_LINE),
            what: cut(&what, LINE),
            time,
            state: cut(&state, LINE),
            late: far.as_ref().is_some_and(|far| far.class == "over"),
            bar: far.map(|far| bar(far.value, far.max)),
            critical: false,
            selected: self.selected == Some(job.id),
            label: label.into_iter().flatten().collect::<Vec<_>>().join(", "),
            badge,
        }
    }
}

/// How much of a box's width.
fn bar(value: i64, max: i64) -> i32 {
    let part = value.saturating_mul(BOX_WIDTH.into()).checked_div(max).unwrap_or_default();
    i32::try_from(part).unwrap_or(BOX_WIDTH).clamp(0, BOX_WIDTH)
}

fn cut(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(letters.saturating_sub(1)).collect();
            format!("{}…", kept.trim_end())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_with_a_sign_of_it() {
        assert_eq!(cut("restapi", 7), "restapi");
        assert_eq!(cut("restapi in us", 9), "restapi…");
        assert_eq!(cut("äöüß", 3), "äö…");
    }

    #[test]
    fn a_bar_is_as_wide_as_its_box_at_most() {
        assert_eq!((bar(1, 2), bar(9, 3), bar(1, 0)), (BOX_WIDTH / 2, BOX_WIDTH, 0));
    }
}
