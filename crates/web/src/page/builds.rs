//! Builds: all of them, newest first, narrowed by what the address says, with how long each took
//! beside what it usually takes, and what the unfinished ones wait for. Builds that only look are
//! shown when they are asked for.

mod filter;

use askama::Template;
use axum::extract::{Extension, Query, State as Extract};
use axum::response::Html;
use chrono::{DateTime, TimeDelta, Utc};
use model::BuildId;
use model::build::Purpose;
use store::build::{Build, BuildState, Wait};
use store::queued::FAR;

use self::filter::Filter;
use super::view::{BuildLine, duration};
use super::{Shell, html};
use crate::api::builds::{OUTCOMES, PURPOSES};
use crate::auth::Caller;
use crate::error::Result;
use crate::state::State;

const PAGE: i64 = 40;

#[derive(Template)]
#[template(path = "builds.html")]
struct BuildsPage {
    shell: Shell,
    apps: Vec<String>,
    filter: Filter,
    outcomes: [&'static str; 5],
    purposes: [&'static str; 6],
    builds: Vec<Row>,
    /// Where the next page is, and in which words.
    next: Option<(String, &'static str)>,
    /// The feed of the app that was chosen, or of its stage.
    feed: Option<String>,
}

struct Row {
    line: BuildLine,
    bar: Option<Bar>,
    waits: Option<String>,
}

/// How long it took, or has taken so far, beside the usual; in milliseconds.
struct Bar {
    took: i64,
    /// From here on it is much longer than usual.
    high: i64,
    most: i64,
    /// In words.
    told: String,
}

impl Bar {
    fn new(build: &Build, usual: TimeDelta, now: DateTime<Utc>) -> Option<Self> {
        let took = (build.finished_at.unwrap_or(now) - build.started_at?).num_milliseconds().max(0);
        let usually = usual.num_milliseconds().max(1);
        Some(Self {
            took: took.min(usually * 2),
            high: usually + usually / 4,
            most: usually * 2,
            told: format!(
                "{}, usually {}",
                duration(build.started_at, build.finished_at, now),
                duration(Some(now - usual), Some(now), now)
            ),
        })
    }
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Query(filter): Query<Filter>,
) -> Result<Html<String>> {
    let now = state.now();
    let events = match filter.before()? {
        None => Some(format!("/live/board?seen={}", state.board.known(&state.db).await?)),
        Some(_) => None,
    };
    let mut conn = state.db.acquire().await?;
    let readable = caller.rights.readable();
    let mut apps = store::app::list(&mut conn).await?;
    apps.retain(|app| readable.includes(&app.name));
    // one more than shown says whether there is a next page
    let question = filter.question(&mut conn, &readable, &apps, PAGE + 1).await?;
    let (mut builds, looked_to) = match filter.wanted_text() {
        Some(text) => {
            let found = store::build::search(&mut conn, &question, text).await?;
            (found.builds, found.looked_to)
        }
        None => (store::build::list(&mut conn, &question).await?, None),
    };
    let shown = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = builds.len() > shown;
    builds.truncate(shown);
    let next = match (more, builds.last(), looked_to) {
        (true, Some(last), _) => Some((filter.address(Some(last.id)), "Older builds")),
        (_, _, Some(last)) => Some((filter.address(Some(last)), "Search older builds")),
        (_, _, None) => None,
    };
    let ids: Vec<BuildId> = builds.iter().map(|build| build.id).collect();
    let progress = store::board::progress(&mut conn, &ids).await?;
    let usual = store::usual::builds(&mut conn, &ids).await?;
    let waits = store::build::waits(&mut conn, &ids, now - store::worker::SILENT).await?;
    drop(conn);
    let rows = builds
        .iter()
        .map(|build| {
            let far = progress.iter().find(|progress| progress.build_id == build.id);
            // of a build that was canceled or failed early the usual says nothing
            let compared = build.state != BuildState::Finished
                || build.outcome == Some(model::build::BuildOutcome::Succeeded);
            Row {
                line: BuildLine::new(build, far.map(|far| (far.finished, far.jobs)), now),
                bar: usual
                    .get(&build.id)
                    .filter(|_| compared)
                    .and_then(|usual| Bar::new(build, *usual, now)),
                waits: waits.get(&build.id).map(|wait| sentence(*wait)),
            }
        })
        .collect();
    html(&BuildsPage {
        shell: Shell { events, ..Shell::new("Builds", "builds").of(&caller) },
        apps: apps.into_iter().map(|app| app.name.into()).collect(),
        feed: feed(&filter),
        filter,
        outcomes: OUTCOMES.map(model::build::BuildOutcome::as_str),
        purposes: PURPOSES.map(Purpose::as_str),
        builds: rows,
        next,
    })
}

fn feed(filter: &Filter) -> Option<String> {
    let (app, stage) = (filter.app.trim(), filter.stage.trim());
    match (app.is_empty(), stage.is_empty()) {
        (true, _) => None,
        (false, true) => Some(format!("/apps/{app}/feed.atom")),
        (false, false) => Some(format!("/apps/{app}/stages/{stage}/feed.atom")),
    }
}

fn sentence(wait: Wait) -> String {
    match wait {
        Wait::Approval => "waits for an approval".into(),
        Wait::Freeze => "waits: its stage is frozen".into(),
        Wait::Behind(number) => format!("waits for build {number} of the same stage"),
        Wait::NoWorker => "waits: no worker has been heard of lately".into(),
        Wait::Queued(0) => "next in the queue".into(),
        Wait::Queued(before) if before >= FAR => format!("queued behind {FAR} jobs or more"),
        Wait::Queued(1) => "queued behind 1 job".into(),
        Wait::Queued(before) => format!("queued behind {before} jobs"),
    }
}
