//! Builds: all of them, newest first, by app, branch, stage, state and purpose. Those that only look
//! are shown when they are asked for.

use askama::Template;
use axum::extract::{Query, State as Extract};
use axum::response::Html;
use model::build::Purpose;
use model::{AppName, BranchName, BuildId, StageName};
use serde::Deserialize;
use store::build::{Before, BuildFilter};

use super::view::BuildLine;
use super::{Shell, html, live};
use crate::api::builds::{PURPOSES, build_purpose, build_state};
use crate::error::{Error, Result};
use crate::extract::{escape, value};
use crate::state::State;

const PAGE: i64 = 40;

#[derive(Template)]
#[template(path = "builds.html")]
struct BuildsPage {
    shell: Shell,
    apps: Vec<String>,
    filter: Filter,
    purposes: [&'static str; 6],
    builds: Vec<BuildLine>,
    next: Option<String>,
}

#[derive(Deserialize, Default)]
pub(super) struct Filter {
    #[serde(default)]
    app: String,
    #[serde(default)]
    branch: String,
    #[serde(default)]
    stage: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    purpose: String,
    #[serde(default)]
    before: String,
}

impl Filter {
    fn query(&self, before: BuildId) -> String {
        let mut query = format!("/builds?before={before}");
        for (key, value) in [
            ("app", &self.app),
            ("branch", &self.branch),
            ("stage", &self.stage),
            ("state", &self.state),
            ("purpose", &self.purpose),
        ] {
            if !value.is_empty() {
                query.push_str(&format!("&{key}={}", escape(value)));
            }
        }
        query
    }
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Query(filter): Query<Filter>,
) -> Result<Html<String>> {
    let now = state.now();
    let mut conn = state.db.acquire().await?;
    let apps = store::app::list(&mut conn).await?;
    let app = match given(&filter.app) {
        Some(name) => {
            let name: AppName = value("app", name)?;
            let app = apps.iter().find(|app| app.name == name);
            Some(app.ok_or_else(|| Error::NotFound(format!("there is no app {name}")))?)
        }
        None => None,
    };
    let stage = match (given(&filter.stage), app) {
        (Some(stage), Some(app)) => {
            let stage: StageName = value("stage", stage)?;
            let found = store::stage::find_latest(&mut conn, app.id, &stage).await?;
            let missing = || Error::NotFound(format!("{} has no stage {stage}", app.name));
            Some(found.ok_or_else(missing)?.id)
        }
        (Some(_), None) => return Err(Error::invalid("stage", "choose the app of the stage too")),
        (None, _) => None,
    };
    let branch: Option<BranchName> =
        given(&filter.branch).map(|b| value("branch", b)).transpose()?;
    let before: Option<BuildId> =
        given(&filter.before).map(|id| value("before", id)).transpose()?;
    let wanted = BuildFilter {
        app: app.map(|app| app.id),
        branch,
        commit: None,
        stage,
        state: given(&filter.state).map(build_state).transpose()?,
        purpose: given(&filter.purpose).map(build_purpose).transpose()?,
        before: before.map(Before::Id),
        limit: PAGE + 1,
    };
    let mut builds = store::build::list(&mut conn, &wanted).await?;
    let more = builds.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    builds.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
    let ids: Vec<BuildId> = builds.iter().map(|build| build.id).collect();
    let progress = store::board::progress(&mut conn, &ids).await?;
    let events = match before {
        None => Some(format!("/live/board?seen={}", live::board_version(&mut conn).await?)),
        Some(_) => None,
    };
    let next = ids.last().filter(|_| more).map(|last| filter.query(*last));
    let lines = builds
        .iter()
        .map(|build| {
            let far = progress.iter().find(|progress| progress.build_id == build.id);
            BuildLine::new(build, far.map(|far| (far.finished, far.jobs)), now)
        })
        .collect();
    html(&BuildsPage {
        shell: Shell { events, ..Shell::new("Builds", "builds") },
        apps: apps.into_iter().map(|app| app.name.into()).collect(),
        filter,
        purposes: PURPOSES.map(Purpose::as_str),
        builds: lines,
        next,
    })
}
