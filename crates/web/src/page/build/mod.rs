//! Build: the graph of its jobs as a picture and as rows, with times and why each service runs,
//! follows or is skipped, what it waits for, what the deploys change and what the checks before
//! them found, what came of it, and a log.

pub(super) mod act;
mod head;
mod made;
pub(super) mod pace;
mod queue;

use askama::Template;
use axum::extract::{Extension, Path, Query, State as Extract};
use axum::response::Html;
use model::{BuildId, CommitSha, JobId, StageName};
use serde::Deserialize;
use store::PgConnection;
use store::app::App;
use store::build::{Build, BuildState};

pub(super) use self::act::to;
use self::head::Head;
use self::made::Made;
use super::change::{Changes, ForeseenView, changes, foreseen};
use super::finding::{FindingView, findings};
use super::graph::{self, Graph, Picture, Row};
use super::live;
use super::logs::{self, LogView, Wanted};
use super::place::Places;
use super::waiting::{Waiting, waiting};
use super::{Shell, html};
use crate::api;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::value;
use crate::state::State;

#[derive(Template)]
#[template(path = "build.html")]
struct BuildPage {
    shell: Shell,
    build: Head,
    waiting: Option<Waiting>,
    picture: Option<Picture>,
    rows: Vec<Row>,
    findings: Vec<FindingView>,
    changes: Changes,
    foreseen: Vec<ForeseenView>,
    made: Made,
    log: Option<LogView>,
}

#[derive(Deserialize)]
pub(super) struct Shown {
    job: Option<String>,
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, String)>,
    Query(shown): Query<Shown>,
    Query(wanted): Query<Wanted>,
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
    let url = url(&build);
    let planned = build.planned.as_deref().unwrap_or_default();
    let places = Places::new(planned, &jobs);
    let log = match job {
        Some(job) => Some(logs::section(&mut conn, &url, job, places.job(job), &wanted).await?),
        None => None,
    };
    let gate = waiting(&mut conn, &app, &build, &jobs, &caller, now).await?;
    let mut waits = queue::waits(&mut conn, &app, &build, &jobs, now).await?;
    waits.extend(gate.iter().flat_map(|gate| gate.of_jobs.clone()));
    let usual = store::usual::jobs(&mut conn, &build).await?;
    let whole = store::usual::builds(&mut conn, &[build.id]).await?;
    let progress = store::progress::of_build(&mut conn, build.id).await?;
    let made = made::made(&state, &mut conn, &app, &build, &jobs, &places).await?;
    let events = events(&state, &mut conn, &build).await?;
    drop(conn);
    let graph = Graph {
        build_url: &url,
        stage: build.stage.as_ref().map(StageName::as_str),
        planned,
        jobs: &jobs,
        places: &places,
        usual: &usual,
        progress: &progress,
        waits: &waits,
        selected: job.map(|job| job.id),
        now,
    };
    let (picture, rows) = (graph.picture(), graph.rows());
    let (findings, changes) = (findings(&jobs, &places), changes(&jobs, &places));
    let foreseen = foreseen(&jobs, &places);
    let title = format!("{} #{}", build.app, build.number);
    let commit_url = commit_url(&state, &app, &build.source.commit);
    let usual = whole.get(&build.id).copied();
    let head = Head::new(build, url, commit_url, usual, &caller, now);
    let shell = Shell { icon: head.icon(), events, ..Shell::new(title, "builds") }.of(&caller);
    html(&BuildPage {
        shell,
        build: head,
        waiting: gate,
        picture,
        rows,
        findings,
        changes,
        foreseen,
        made,
        log,
    })
}

fn url(build: &Build) -> String {
    format!("/apps/{}/builds/{}", build.app, build.number)
}

/// A commit's page on GitHub.
pub(super) fn commit_url(state: &State, app: &App, commit: &CommitSha) -> String {
    let git = state.settings.git_url.trim_end_matches('/');
    format!("{git}/{}/commit/{commit}", app.repository)
}

/// An ended build changes no more.
async fn events(state: &State, conn: &mut PgConnection, build: &Build) -> Result<Option<String>> {
    let id: BuildId = build.id;
    Ok(match build.state {
        BuildState::Running | BuildState::Waiting => {
            let seen = live::build_version(conn, id, state.now()).await?;
            Some(format!("/live/builds/{id}?seen={seen}"))
        }
        BuildState::Finished => None,
    })
}
