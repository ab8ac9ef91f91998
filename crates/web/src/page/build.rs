//! Build: the graph of its jobs with times, why each service runs, follows or is skipped, what it
//! waits for, what the deploys change and what the checks before them found, and a log.

use askama::Template;
use axum::extract::{Extension, Form, Path, Query, State as Extract};
use axum::response::{Html, Redirect};
use model::build::{BuildOutcome, Purpose};
use model::job::JobState;
use model::permission::Action;
use model::{BuildId, CommitSha, JobId, ServiceName, StageName};
use serde::Deserialize;
use store::PgConnection;
use store::app::App;
use store::build::{Build, BuildState};
use store::job::Job;

use super::change::{Changes, ForeseenView, changes, foreseen};
use super::finding::{FindingView, findings};
use super::graph::{self, Graph, Row};
use super::live;
use super::logs::{LINES_PER_PAGE, render};
use super::place::Places;
use super::view::{Badge, Time, duration, origin, short};
use super::waiting::{Waiting, waiting};
use super::{Shell, html};
use crate::api;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::value;
use crate::log::{self, Place};
use crate::state::State;

#[derive(Template)]
#[template(path = "build.html")]
struct BuildPage {
    shell: Shell,
    build: View,
    waiting: Option<Waiting>,
    rows: Vec<Row>,
    findings: Vec<FindingView>,
    changes: Changes,
    foreseen: Vec<ForeseenView>,
    log: Option<LogView>,
}

struct View {
    url: String,
    app: String,
    number: i64,
    badge: Badge,
    title: String,
    event: String,
    /// What it is for, where that is no deploy of its commit.
    purpose: Option<&'static str>,
    /// It can be run again: it is of a commit, or a removal.
    repeatable: bool,
    origin: String,
    commit: String,
    commit_full: String,
    commit_url: String,
    author: String,
    stage: Option<String>,
    stage_url: String,
    forced: bool,
    /// What it is for, if not every service.
    services: Option<String>,
    reason: Option<String>,
    superseded_by: Option<i64>,
    created: Time,
    duration: String,
    /// It can still be canceled.
    running: bool,
    /// The caller may start and cancel builds.
    may_build: bool,
    failed: bool,
}

struct LogView {
    job: JobId,
    name: String,
    badge: Badge,
    reason: Option<String>,
    attempt: i32,
    ended: bool,
    html: String,
    /// Where the script goes on.
    next: String,
    /// The next page, when there is one now.
    more: Option<String>,
    /// The first page, when this is another.
    first: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Shown {
    job: Option<String>,
    at: Option<String>,
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, String)>,
    Query(shown): Query<Shown>,
) -> Result<Html<String>> {
    let now = state.now();
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    let build = api::builds::find(&mut conn, &app, &number).await?;
    let jobs = store::job::list(&mut conn, build.id).await?;
    let job = match &shown.job {
        Some(id) => {
            let id: JobId = value("job", id)?;
            let missing = || Error::NotFound(format!("build {} has no such job", build.number));
            Some(jobs.iter().find(|job| job.id == id).ok_or_else(missing)?)
        }
        None => graph::interesting(&jobs),
    };
    let url = format!("/apps/{}/builds/{}", app.name, build.number);
    let planned = build.planned.as_deref().unwrap_or_default();
    let places = Places::new(planned, &jobs);
    let place: Option<Place> = shown.at.as_deref().map(|at| value("at", at)).transpose()?;
    let log = match job {
        Some(job) => Some(log(&mut conn, &url, job, places.job(job), place).await?),
        None => None,
    };
    let waiting = waiting(&mut conn, &app, &build, &jobs, &caller, now).await?;
    let events = events(&mut conn, build.id, build.state).await?;
    drop(conn);
    let rows = Graph {
        build_url: &url,
        stage: build.stage.as_ref().map(StageName::as_str),
        planned,
        jobs: &jobs,
        places: &places,
        selected: job.map(|job| job.id),
        now,
    }
    .rows();
    let (findings, changes) = (findings(&jobs, &places), changes(&jobs, &places));
    let foreseen = foreseen(&jobs, &places);
    let commit_url = commit_url(&state, &app, &build.source.commit);
    let view = View::new(build, url, commit_url, &caller, now);
    let icon = match (view.running, view.failed) {
        (true, _) => "running",
        (false, true) => "failed",
        (false, false) => "ok",
    };
    let title = format!("{} #{}", view.app, view.number);
    let shell = Shell { icon, events, ..Shell::new(title, "builds") };
    html(&BuildPage { shell, build: view, waiting, rows, findings, changes, foreseen, log })
}

/// A commit's page on GitHub.
pub(super) fn commit_url(state: &State, app: &App, commit: &CommitSha) -> String {
    let git = state.settings.git_url.trim_end_matches('/');
    format!("{git}/{}/commit/{commit}", app.repository)
}

/// An ended build changes no more.
async fn events(conn: &mut PgConnection, id: BuildId, state: BuildState) -> Result<Option<String>> {
    Ok(match state {
        BuildState::Running | BuildState::Waiting => {
            Some(format!("/live/builds/{id}?seen={}", live::build_version(conn, id).await?))
        }
        BuildState::Finished => None,
    })
}

impl View {
    fn new(
        build: Build,
        url: String,
        commit_url: String,
        caller: &Caller,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Self {
        let badge = match (build.state, build.cancel_requested_at) {
            (BuildState::Running | BuildState::Waiting, Some(_)) => Badge::new("run", "canceling"),
            (BuildState::Running | BuildState::Waiting | BuildState::Finished, _) => {
                Badge::of_build(build.state, build.outcome)
            }
        };
        let stage = build.stage.as_ref().map(ToString::to_string);
        Self {
            app: build.app.to_string(),
            number: build.number,
            badge,
            event: build.event.as_str().replace('_', " "),
            purpose: purpose(build.purpose),
            repeatable: match build.purpose {
                Purpose::Deploy | Purpose::Test | Purpose::Remove => true,
                Purpose::Rollback | Purpose::Recover | Purpose::Inspect => false,
            },
            origin: origin(&build.source),
            commit: short(&build.source.commit),
            commit_full: build.source.commit.to_string(),
            commit_url,
            stage_url: stage
                .as_ref()
                .map(|stage| format!("/apps/{}/stages/{stage}", build.app))
                .unwrap_or_default(),
            stage,
            forced: build.forced,
            services: build.services.as_ref().map(|services| {
                services.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(", ")
            }),
            reason: build.reason.or(build.cancel_reason),
            superseded_by: build.superseded_by,
            created: Time::new(build.created_at, now),
            duration: duration(build.started_at, build.finished_at, now),
            running: build.state != BuildState::Finished && build.cancel_requested_at.is_none(),
            may_build: caller.role.allows(Action::Build),
            failed: build.outcome == Some(BuildOutcome::Failed),
            title: build.source.title,
            author: build.source.author,
            url,
        }
    }
}

fn purpose(purpose: Purpose) -> Option<&'static str> {
    match purpose {
        Purpose::Deploy => None,
        Purpose::Test => Some("tests only"),
        Purpose::Remove => Some("removal"),
        Purpose::Rollback => Some("rollback"),
        Purpose::Recover => Some("recovery of a stuck stack"),
        Purpose::Inspect => Some("looks, and changes nothing"),
    }
}

async fn log(
    conn: &mut PgConnection,
    build_url: &str,
    job: &Job,
    name: String,
    place: Option<Place>,
) -> Result<LogView> {
    let ended = matches!(job.state, JobState::Finished(_));
    let from = place.unwrap_or_default();
    let read = log::lines(conn, job.id, from, LINES_PER_PAGE, ended).await?;
    let page = |at: &str| format!("{build_url}?job={}{at}#log", job.id);
    Ok(LogView {
        job: job.id,
        name,
        badge: Badge::of_job(&job.state),
        reason: graph::reason(job),
        attempt: job.attempt,
        ended,
        html: render(&read.lines)?,
        next: read.next.to_string(),
        more: read.more.then(|| page(&format!("&at={}", read.next))),
        first: place.is_some().then(|| page("")),
    })
}

pub(super) async fn cancel(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Redirect> {
    let build = api::builds::cancel_build(&state, &caller, &name, &number).await?;
    Ok(to(&build))
}

#[derive(Deserialize)]
pub(super) struct Again {
    #[serde(default)]
    failed_only: bool,
}

pub(super) async fn rerun(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, String)>,
    Form(again): Form<Again>,
) -> Result<Redirect> {
    let build =
        api::builds::rerun_build(&state, &caller, &name, &number, again.failed_only).await?;
    Ok(to(&build))
}

pub(super) fn to(build: &Build) -> Redirect {
    Redirect::to(&format!("/apps/{}/builds/{}", build.app, build.number))
}
