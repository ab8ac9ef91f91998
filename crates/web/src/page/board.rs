//! Board, the home page: what commit is deployed where, since when, by whom; what runs now.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State as Extract;
use axum::response::Html;
use chrono::{DateTime, Utc};
use model::app::Settings;
use model::build::BuildOutcome;
use model::freeze::{Freeze, in_force};
use model::stage::StageKind;
use store::board::BoardRow;
use store::build::{BuildFilter, BuildState};

use super::cell::{Cell, cells};
use super::view::{Badge, BuildLine, Time};
use super::{Shell, html, live};
use crate::error::Result;
use crate::state::State;

pub(super) const RUNNING_SHOWN: i64 = 20;

#[derive(Template)]
#[template(path = "board.html")]
struct BoardPage {
    shell: Shell,
    apps: Vec<AppView>,
    running: Vec<BuildLine>,
}

struct AppView {
    name: String,
    repository: String,
    stages: Vec<StageView>,
    /// Long-lived stages that no build has made yet.
    unbuilt: Vec<String>,
    previews: Vec<StageView>,
}

struct StageView {
    url: String,
    name: String,
    branch: String,
    state: Option<Badge>,
    /// Why it takes no deploys now.
    frozen: Option<String>,
    cells: Vec<Cell>,
    build: Option<LastBuild>,
}

struct LastBuild {
    url: String,
    number: i64,
    badge: Badge,
    title: String,
    author: String,
    when: Time,
}

pub(super) async fn show(Extract(state): Extract<State>) -> Result<Html<String>> {
    let now = state.now();
    let mut conn = state.db.acquire().await?;
    let rows = store::board::rows(&mut conn).await?;
    let registered = store::app::list(&mut conn).await?;
    let running = BuildFilter {
        state: Some(BuildState::Running),
        limit: RUNNING_SHOWN,
        ..BuildFilter::default()
    };
    let running = store::build::list(&mut conn, &running).await?;
    let ids: Vec<_> = running.iter().map(|build| build.id).collect();
    let progress = store::board::progress(&mut conn, &ids).await?;
    drop(conn);

    let failed = rows.iter().filter(|row| row.kind == StageKind::LongLived).any(|row| {
        row.last_build.as_ref().is_some_and(|build| build.outcome == Some(BuildOutcome::Failed))
    });
    let icon = match (running.is_empty(), failed, rows.is_empty()) {
        (false, _, _) => "running",
        (true, true, _) => "failed",
        (true, false, false) => "ok",
        (true, false, true) => "idle",
    };
    let events = Some(format!("/live/board?seen={}", live::version(&(&rows, &running, &progress))));
    let running = running
        .iter()
        .map(|build| {
            let far = progress.iter().find(|progress| progress.build_id == build.id);
            BuildLine::new(build, far.map(|far| (far.finished, far.jobs)), now)
        })
        .collect();
    let settings: BTreeMap<String, Settings> =
        registered.iter().map(|app| (app.name.to_string(), app.settings.clone())).collect();
    let mut apps: BTreeMap<String, AppView> = registered
        .into_iter()
        .map(|app| {
            let name = app.name.to_string();
            let view = AppView {
                name: name.clone(),
                repository: app.repository.to_string(),
                stages: Vec::new(),
                unbuilt: app.settings.long_lived().map(ToString::to_string).collect(),
                previews: Vec::new(),
            };
            (name, view)
        })
        .collect();
    for row in rows {
        let Some(app) = apps.get_mut(row.app.as_str()) else { continue };
        app.unbuilt.retain(|name| !name.eq_ignore_ascii_case(row.stage.as_str()));
        let frozen =
            settings.get(row.app.as_str()).and_then(|settings| frozen(&row, settings, now));
        let view = stage(&row, frozen, now);
        match row.kind {
            StageKind::LongLived => app.stages.push(view),
            StageKind::Preview | StageKind::Personal => app.previews.push(view),
        }
    }
    html(&BoardPage {
        shell: Shell { icon, events, ..Shell::new("Board", "board") },
        apps: apps.into_values().collect(),
        running,
    })
}

fn frozen(row: &BoardRow, settings: &Settings, now: DateTime<Utc>) -> Option<String> {
    let windows = settings.stage(&row.stage).map(|(_, own)| own.freeze.as_slice());
    let freezes = in_force(row.frozen.as_ref(), windows.unwrap_or_default(), now);
    freezes.first().map(Freeze::sentence)
}

fn stage(row: &BoardRow, frozen: Option<String>, now: DateTime<Utc>) -> StageView {
    let quiet = row.state == model::stage::StageState::Active;
    StageView {
        url: format!("/apps/{}/stages/{}", row.app, row.stage),
        name: row.stage.to_string(),
        branch: match (row.pull_request, &row.branch) {
            (Some(number), Some(branch)) => format!("#{number} {branch}"),
            (None, Some(branch)) => branch.to_string(),
            (Some(number), None) => format!("#{number}"),
            (None, None) => String::new(),
        },
        frozen,
        state: (!quiet).then(|| Badge::of_stage(row.state)),
        cells: cells(&row.instances, now),
        build: row.last_build.as_ref().map(|build| LastBuild {
            url: format!("/apps/{}/builds/{}", row.app, build.number),
            number: build.number,
            badge: Badge::of_build(build.state, build.outcome),
            title: build.title.clone(),
            author: build.author.clone(),
            when: Time::new(build.finished_at.unwrap_or(build.created_at), now),
        }),
    }
}

/// An output is a text of the stack's: only a web address becomes a link.
pub(super) fn is_link(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}
