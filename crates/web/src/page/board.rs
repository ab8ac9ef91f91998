//! Board, the home page: what commit is deployed where, since when, by whom; what runs now; and
//! what waits to be promoted.
//!
//! What always holds: an app that the caller may not read is not on it. The stages of an app stand
//! in the order in which a commit comes to them.

mod lead;
mod stage;

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Extension, Query, State as Extract};
use axum::response::Html;
use chrono::{DateTime, Utc};
use model::app::{Rule, Settings};
use model::build::BuildOutcome;
use model::permission::{Action, Readable, Scope};
use model::stage::{StageKind, same_stage};
use model::{AppId, AppName, StageName};
use serde::Deserialize;
use store::app::App;
use store::board::{BoardRow, Progress};
use store::build::Build;

use self::stage::{Ground, StageView};
use super::view::BuildLine;
use super::{Shell, html};
use crate::auth::Caller;
use crate::board_version::running;
use crate::error::Result;
use crate::extract::escape;
use crate::state::State;

const APPS_SHOWN: usize = 20;
/// Previews shown of an app; the others are on their own page.
const PREVIEWS_SHOWN: usize = 6;

#[derive(Template)]
#[template(path = "board.html")]
struct BoardPage {
    shell: Shell,
    apps: Vec<AppView>,
    running: Vec<BuildLine>,
    /// A part of an app's name or repository.
    q: String,
    /// There are more apps than fit on one page, or some are left out.
    is_long: bool,
    next: Option<String>,
    /// There are apps, and the caller may read none of them.
    barred: bool,
    may_set_up: bool,
}

struct AppView {
    name: String,
    repository: String,
    /// In the order in which a commit comes to them.
    stages: Vec<StageView>,
    previews: Vec<StageView>,
    /// Beyond those that are shown.
    more_previews: usize,
    /// Stages that people have of their own.
    personal: Vec<StageView>,
    may_build: bool,
}

#[derive(Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    q: String,
    /// The name of the last app of the page before.
    #[serde(default)]
    after: String,
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Query(filter): Query<Filter>,
) -> Result<Html<String>> {
    let now = state.now();
    let seen = state.board.known(&state.db).await?;
    let mut conn = state.db.acquire().await?;
    let mut apps = store::app::list(&mut conn).await?;
    let any = !apps.is_empty();
    let readable = caller.rights.readable();
    apps.retain(|app| readable.includes(&app.name));
    let barred = any && apps.is_empty();
    let of_these = match &readable {
        Readable::All => None,
        Readable::These(_) => Some(ids(&apps)),
    };
    let (running, progress) = running(&mut conn, of_these).await?;
    let is_long = apps.len() > APPS_SHOWN || filter.narrows();
    let (apps, next) = filter.page(apps);
    let rows = store::board::rows(&mut conn, Some(&ids(&apps))).await?;
    drop(conn);

    let page = BoardPage {
        shell: Shell {
            icon: icon(&rows, &running),
            events: Some(format!("/live/board?seen={seen}")),
            ..Shell::new("Board", "board").of(&caller)
        },
        q: filter.q.trim().to_owned(),
        is_long,
        next,
        barred,
        may_set_up: caller.rights.allows(Action::Configure, Scope::Server),
        running: running.iter().map(|build| line(build, &progress, now)).collect(),
        apps: views(&state, &caller, &apps, &rows, &progress, now),
    };
    html(&page)
}

fn ids(apps: &[App]) -> Vec<AppId> {
    apps.iter().map(|app| app.id).collect()
}

impl Filter {
    fn narrows(&self) -> bool {
        !self.q.trim().is_empty() || !self.after.is_empty()
    }

    /// What of the apps one page shows, and where the next one is.
    fn page(&self, apps: Vec<App>) -> (Vec<App>, Option<String>) {
        let q = self.q.trim().to_lowercase();
        let is_wanted = |app: &App| {
            app.name.as_str().contains(&q) || app.repository.to_string().to_lowercase().contains(&q)
        };
        let mut apps: Vec<App> = apps
            .into_iter()
            .filter(|app| app.name.as_str() > self.after.as_str() && is_wanted(app))
            .collect();
        // the database may have another order of letters
        apps.sort_by(|a, b| a.name.cmp(&b.name));
        let more = apps.len() > APPS_SHOWN;
        apps.truncate(APPS_SHOWN);
        let next = apps.last().filter(|_| more).map(|last| match q.as_str() {
            "" => format!("/?after={}", last.name),
            q => format!("/?q={}&after={}", escape(q), last.name),
        });
        (apps, next)
    }
}

fn line(build: &Build, progress: &[Progress], now: DateTime<Utc>) -> BuildLine {
    let far = progress.iter().find(|progress| progress.build_id == build.id);
    BuildLine::new(build, far.map(|far| (far.finished, far.jobs)), now)
}

fn icon(rows: &[BoardRow], running: &[Build]) -> &'static str {
    let failed = rows.iter().filter(|row| row.kind == StageKind::LongLived).any(|row| {
        row.last_build.as_ref().is_some_and(|build| build.outcome == Some(BuildOutcome::Failed))
    });
    match (running.is_empty(), failed, rows.is_empty()) {
        (false, _, _) => "running",
        (true, true, _) => "failed",
        (true, false, false) => "ok",
        (true, false, true) => "idle",
    }
}

fn views(
    state: &State,
    caller: &Caller,
    apps: &[App],
    rows: &[BoardRow],
    progress: &[Progress],
    now: DateTime<Utc>,
) -> Vec<AppView> {
    let mut of_app: BTreeMap<&AppName, Vec<&BoardRow>> = BTreeMap::new();
    for row in rows {
        of_app.entry(&row.app).or_default().push(row);
    }
    apps.iter()
        .map(|app| {
            let rows = of_app.remove(&app.name).unwrap_or_default();
            let may_build = caller.allows(Action::Build, &app.name);
            let git_url = state.settings.git_url.trim_end_matches('/');
            let ground = Ground { app, rows: &rows, progress, git_url, may_build, now };
            let row_of = |name: &StageName| {
                rows.iter()
                    .copied()
                    .find(|row| row.kind == StageKind::LongLived && same_stage(&row.stage, name))
            };
            let order = in_order(&app.settings);
            // a stage that the settings no longer name is still there
            let forgotten = rows.iter().copied().filter(|row| {
                row.kind == StageKind::LongLived && app.settings.stage(&row.stage).is_none()
            });
            let stages = order
                .into_iter()
                .map(|name| match row_of(name) {
                    Some(row) => ground.view(row),
                    None => ground.unbuilt(name),
                })
                .chain(forgotten.map(|row| ground.view(row)))
                .collect();
            let mut previews: Vec<&BoardRow> =
                rows.iter().copied().filter(|row| row.kind == StageKind::Preview).collect();
            previews.sort_by_key(|row| std::cmp::Reverse(row.active_at));
            let personal = rows.iter().filter(|row| row.kind == StageKind::Personal);
            let personal = personal.map(|row| ground.view(row)).collect();
            AppView {
                name: app.name.to_string(),
                repository: app.repository.to_string(),
                stages,
                more_previews: previews.len().saturating_sub(PREVIEWS_SHOWN),
                previews: previews
                    .iter()
                    .take(PREVIEWS_SHOWN)
                    .map(|row| ground.view(row))
                    .collect(),
                personal,
                may_build,
            }
        })
        .collect()
}

/// A stage after the one it is promoted from, and else as the rules name them.
fn in_order(settings: &Settings) -> Vec<&StageName> {
    let mut names: Vec<&StageName> = settings.long_lived().collect();
    let named = |name: &StageName| {
        let leads_there = |rule: &Rule| match rule {
            Rule::Branch { stage, .. } | Rule::Tag { stage, .. } => same_stage(stage, name),
            Rule::Preview { .. } => false,
        };
        settings.rules.iter().position(leads_there).unwrap_or(usize::MAX)
    };
    names.sort_by_key(|name| (steps(settings, name), named(name), *name));
    names
}

/// How many promotions bring a commit there. Settings may promote in a circle.
fn steps(settings: &Settings, name: &StageName) -> usize {
    let from =
        |name: &StageName| settings.stage(name).and_then(|(_, own)| own.promote_from.clone());
    std::iter::successors(from(name), from).take(settings.stages.len()).count()
}

/// An output is a text of the stack's: only a web address becomes a link.
pub(super) fn is_link(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stages_stand_in_the_order_in_which_a_commit_comes_to_them() {
        let profile =
            json!({ "role_arn": "arn:aws:iam::111111111111:role/deploy", "region": "us-east-1" });
        let settings = model::app::parse_json(&json!({
            "app": "workshop", "repository": "acme/workshop", "default_profile": "all",
            "profiles": { "all": profile },
            "stages": {
                "prod": { "profile": "all", "promote_from": "staging" },
                "alpha": { "profile": "all" },
                "dev": { "profile": "all" },
                "staging": { "profile": "all", "promote_from": "dev" },
            },
            "rules": [
                { "branch": "develop", "stage": "dev" },
                { "branch": "alpha", "stage": "alpha" },
                { "branch": "master", "stage": "staging" },
                { "branch": "release", "stage": "prod" },
            ],
        }))
        .unwrap()
        .settings;
        let names: Vec<&str> = in_order(&settings).into_iter().map(StageName::as_str).collect();
        assert_eq!(names, ["dev", "alpha", "staging", "prod"]);
    }
}
