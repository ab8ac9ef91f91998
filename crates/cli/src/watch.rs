//! A build, watched to its end: what its jobs do, and what they print.
//!
//! What always holds: watching changes nothing. Ctrl-C ends the watching and leaves the build; that
//! is said, with how to come back to it and how to end it. A server that is away for a minute, as
//! when it restarts, is waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::time::Duration;

use model::{AppName, JobId};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinSet;

use crate::Surroundings;
use crate::api::Client;
use crate::build::{Build, Job};
use crate::clean::Cleaner;
use crate::error::Result;
use crate::exit::Code;
use crate::follow::{Line, follow};
use crate::out;
use crate::table::plain;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// Looks in a row that may fail.
const TRIES: u32 = 60;

/// What is told beside the states of jobs.
#[derive(Debug, Clone)]
pub(crate) enum Show {
    States,
    /// The logs of these jobs, as lines or as JSON.
    Logs {
        of: Selection,
        json: bool,
    },
}

/// Which jobs of a build are meant: all, or those of a service and of a kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    pub(crate) service: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) failed: bool,
}

impl Selection {
    pub(crate) fn has(&self, job: &Job) -> bool {
        let service = self.service.is_none() || self.service == job.service;
        let kind = self.kind.as_ref().is_none_or(|kind| *kind == job.kind);
        let failed = !self.failed || job.outcome.as_deref() == Some("failed");
        service && kind && failed
    }
}

pub(crate) enum End {
    /// What the API says of the build in the end.
    Ended(Value, Box<Build>),
    Interrupted,
}

impl End {
    /// The last words, and what the command's end says of the build's.
    pub(crate) fn told(self, json: bool, around: &Surroundings) -> Result<Code> {
        match self {
            Self::Interrupted => Ok(Code::Interrupted),
            Self::Ended(value, build) => {
                if json {
                    out::json(&value)?;
                } else {
                    out::said(&build.end((around.now)()))?;
                }
                Ok(Code::of_outcome(build.outcome.as_deref()))
            }
        }
    }
}

pub(crate) fn path(app: &AppName, number: i64) -> String {
    format!("/apps/{app}/builds/{number}")
}

pub(crate) async fn watch(client: &Client, app: &AppName, number: i64, show: Show) -> Result<End> {
    let (sender, mut lines) = mpsc::channel(256);
    let mut watching = Watching::new(client, app, number, show, sender);
    let interrupt = tokio::signal::ctrl_c();
    tokio::pin!(interrupt);
    let mut turns = tokio::time::interval(EVERY);
    let mut reading = JoinSet::new();
    let mut last = None;
    loop {
        tokio::select! {
            biased;
            _ = &mut interrupt => {
                out::said(&format!(
                    "build {number} goes on. `greenroom logs -f {number} --app {app}` follows it \
                     again, `greenroom cancel {number} --app {app}` ends it."
                ))?;
                return Ok(End::Interrupted);
            }
            Some(line) = lines.recv() => watching.tell(&line)?,
            Some(done) = reading.join_next(), if !reading.is_empty() => {
                if let Ok(done) = done {
                    done?;
                }
            }
            _ = turns.tick(), if last.is_none() => {
                if let Some((value, build)) = watching.look(&mut reading).await?
                    && build.is_finished()
                {
                    last = Some((value, build));
                }
            }
        }
        if reading.is_empty()
            && let Some((value, build)) = last.take()
        {
            watching.rest(&mut lines)?;
            return Ok(End::Ended(value, Box::new(build)));
        }
    }
}

struct Watching<'a> {
    client: &'a Client,
    app: &'a AppName,
    number: i64,
    show: Show,
    sender: Sender<Line>,
    /// What was said of each job last.
    said: BTreeMap<JobId, String>,
    followed: BTreeSet<JobId>,
    cleaners: BTreeMap<JobId, Cleaner>,
    waits: bool,
    failures: u32,
    is_terminal: bool,
}

impl<'a> Watching<'a> {
    fn new(
        client: &'a Client,
        app: &'a AppName,
        number: i64,
        show: Show,
        sender: Sender<Line>,
    ) -> Self {
        Self {
            client,
            app,
            number,
            show,
            sender,
            said: BTreeMap::new(),
            followed: BTreeSet::new(),
            cleaners: BTreeMap::new(),
            waits: false,
            failures: 0,
            is_terminal: std::io::stdout().is_terminal(),
        }
    }

    /// `None`: the server is away for the moment.
    async fn look(&mut self, reading: &mut JoinSet<Result<()>>) -> Result<Option<(Value, Build)>> {
        let value = match self.client.get(&path(self.app, self.number)).await {
            Ok(value) => value,
            Err(error) if error.passes() && self.failures < TRIES => {
                self.failures += 1;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        self.failures = 0;
        let build: Build = self.client.part(&value)?;
        for job in &build.jobs {
            self.job(job, reading)?;
        }
        self.gate(&build)?;
        Ok(Some((value, build)))
    }

    fn job(&mut self, job: &Job, reading: &mut JoinSet<Result<()>>) -> Result<()> {
        let status = job.status();
        if self.said.get(&job.id) != Some(&status) {
            if is_told(&status) {
                let why = job.reason.as_deref().map(|why| format!(": {}", plain(why)));
                out::said(&format!("{}: {status}{}", job.name(), why.unwrap_or_default()))?;
            }
            self.said.insert(job.id, status);
        }
        let is_wanted = match &self.show {
            Show::States => false,
            Show::Logs { of, .. } => of.has(job),
        };
        if is_wanted && job.started_at.is_some() && self.followed.insert(job.id) {
            reading.spawn(follow(self.client.clone(), job.clone(), self.sender.clone()));
        }
        Ok(())
    }

    /// Says once that somebody is asked.
    fn gate(&mut self, build: &Build) -> Result<()> {
        let waits = build.state == "waiting";
        if waits && !self.waits {
            let why = build.approval.iter().flat_map(|approval| &approval.waits);
            let why: Vec<String> = why.map(|why| plain(why)).collect();
            let why = if why.is_empty() { "for somebody".to_owned() } else { why.join("; ") };
            out::said(&format!("build {} waits: {why}. See {}", build.number, build.url))?;
        }
        self.waits = waits;
        Ok(())
    }

    fn tell(&mut self, line: &Line) -> Result<()> {
        match &self.show {
            Show::States => Ok(()),
            Show::Logs { json: true, .. } => out::line(&as_json(line)),
            Show::Logs { json: false, .. } => {
                let text = if self.is_terminal {
                    let cleaner = self.cleaners.entry(line.job.id).or_default();
                    let clean = cleaner.clean(line.text.as_bytes());
                    format!("{}\u{1b}[0m", String::from_utf8_lossy(&clean))
                } else {
                    line.text.clone()
                };
                out::line(&format!("{} | {text}", line.job.name()))
            }
        }
    }

    fn rest(&mut self, lines: &mut Receiver<Line>) -> Result<()> {
        while let Ok(line) = lines.try_recv() {
            self.tell(&line)?;
        }
        Ok(())
    }
}

/// What waits its turn, and what was not needed, is nothing to tell.
fn is_told(status: &str) -> bool {
    !matches!(status, "blocked" | "queued" | "waiting" | "unneeded" | "skipped")
}

pub(crate) fn as_json(line: &Line) -> String {
    let job = &line.job;
    json!({
        "job": job.id, "service": job.service, "region": job.region, "kind": job.kind,
        "line": line.text,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(service: &str, kind: &str, outcome: &str) -> Job {
        serde_json::from_value(json!({
            "id": "01a1fe91-5a1a-740a-8445-d794cfd7dd8c", "service": service, "region": null,
            "kind": kind, "state": "finished", "outcome": outcome, "reason": null,
            "started_at": null, "finished_at": null,
        }))
        .unwrap()
    }

    #[test]
    fn jobs_are_chosen_by_service_and_kind_and_failure() {
        let all = Selection::default();
        assert!(all.has(&job("api", "deploy", "succeeded")));
        let api = Selection { service: Some("api".into()), ..Selection::default() };
        assert!(api.has(&job("api", "test", "failed")) && !api.has(&job("web", "test", "failed")));
        let failed = Selection { kind: Some("test".into()), failed: true, ..api };
        assert!(failed.has(&job("api", "test", "failed")));
        assert!(!failed.has(&job("api", "test", "succeeded")));
        assert!(!failed.has(&job("api", "deploy", "failed")));
    }
}
