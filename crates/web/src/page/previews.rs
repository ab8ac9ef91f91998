//! Previews: every open one, its branch, whose it is, its age, when it ends, and the buttons that
//! put that off or remove it; and the pull requests that wait for a place.
//!
//! What always holds: what is shown is of apps that the caller may read; what is looked for stands
//! in the address.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Extension, Query, State as Extract};
use axum::response::Html;
use chrono::{DateTime, Utc};
use model::AppName;
use model::permission::Action;
use model::stage::StageState;
use serde::Deserialize;
use store::app::App;
use store::board::PreviewRow;
use store::pull_request::PullRequest;

use super::view::{Badge, Time};
use super::{Shell, html};
use crate::auth::Caller;
use crate::error::Result;
use crate::state::State;

#[derive(Template)]
#[template(path = "previews.html")]
struct PreviewsPage {
    shell: Shell,
    apps: Vec<String>,
    filter: Filter,
    /// There are some, but none like that.
    narrowed: bool,
    previews: Vec<Preview>,
    waiting: Vec<Waiting>,
}

/// What is looked for; empty: anything.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    app: String,
    q: String,
}

impl Filter {
    fn app(&self) -> &str {
        self.app.trim()
    }

    /// Whether one of these texts has what is looked for, in whatever case.
    fn takes(&self, app: &AppName, texts: &[&str]) -> bool {
        let wanted = self.q.trim().to_lowercase();
        let of_app = self.app().is_empty() || self.app() == app.as_str();
        of_app && texts.iter().any(|text| text.to_lowercase().contains(&wanted))
    }
}

struct Preview {
    url: String,
    app: String,
    name: String,
    branch: String,
    /// Of its pull request.
    title: String,
    owner: String,
    pull_request: Option<Link>,
    badge: Badge,
    /// What is left after a removal that failed.
    left_over: Option<String>,
    created: Time,
    active: Time,
    /// `None`: it is not removed by itself.
    expires: Option<Time>,
    extendable: bool,
    removable: bool,
}

/// A pull request beyond what its app may have at once.
struct Waiting {
    app: String,
    pull_request: Link,
    title: String,
    branch: String,
    since: Time,
    limit: String,
}

struct Link {
    text: String,
    url: String,
}

/// Where pull requests are on GitHub.
struct Repositories {
    git_url: String,
    apps: BTreeMap<AppName, App>,
}

impl Repositories {
    fn link(&self, app: &AppName, number: i64) -> Link {
        let (git, repository) = (&self.git_url, self.apps.get(app).map(|app| &app.repository));
        let url = repository.map(|repository| format!("{git}/{repository}/pull/{number}"));
        Link { text: format!("#{number}"), url: url.unwrap_or_default() }
    }

    fn limit(&self, app: &AppName) -> String {
        let limit = self.apps.get(app).and_then(|app| app.settings.preview_limit);
        limit.map(|limit| limit.get().to_string()).unwrap_or_default()
    }
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Query(filter): Query<Filter>,
) -> Result<Html<String>> {
    let now = state.now();
    let readable = caller.rights.readable();
    let seen = state.board.known(&state.db).await?;
    let mut conn = state.db.acquire().await?;
    let rows = store::board::previews(&mut conn).await?;
    let waiting = store::pull_request::waiting(&mut conn).await?;
    let mut apps = store::app::list(&mut conn).await?;
    drop(conn);
    apps.retain(|app| readable.includes(&app.name));
    let repositories = Repositories {
        git_url: state.settings.git_url.trim_end_matches('/').to_owned(),
        apps: apps.into_iter().map(|app| (app.name.clone(), app)).collect(),
    };
    let rows: Vec<PreviewRow> =
        rows.into_iter().filter(|row| readable.includes(&row.app)).collect();
    let any = !rows.is_empty();
    let previews: Vec<Preview> = rows
        .into_iter()
        .filter(|row| {
            let branch = row.stage.branch.as_ref().map_or("", |branch| branch.as_str());
            let owner = row.owner.as_deref().unwrap_or_default();
            let title = row.title.as_deref().unwrap_or_default();
            let number = row.stage.pull_request.map(|number| format!("#{number}"));
            let number = number.unwrap_or_default();
            filter.takes(&row.app, &[row.stage.name.as_str(), branch, owner, title, &number])
        })
        .map(|row| {
            let may_build = caller.allows(Action::Build, &row.app);
            preview(row, &repositories, may_build, now)
        })
        .collect();
    let waiting = waiting
        .into_iter()
        .filter(|(app, one)| {
            readable.includes(app)
                && filter.takes(app, &[&one.title, one.branch.as_str(), &one.author])
        })
        .map(|(app, one)| wait(&app, one, &repositories, now))
        .collect();
    html(&PreviewsPage {
        shell: Shell {
            events: Some(format!("/live/board?seen={seen}")),
            ..Shell::new("Previews", "previews").of(&caller)
        },
        apps: repositories.apps.keys().map(ToString::to_string).collect(),
        narrowed: any && previews.is_empty(),
        filter,
        previews,
        waiting,
    })
}

fn preview(
    row: PreviewRow,
    repositories: &Repositories,
    may_build: bool,
    now: DateTime<Utc>,
) -> Preview {
    let PreviewRow { app, stage, owner, title } = row;
    Preview {
        url: format!("/apps/{app}/stages/{}", stage.name),
        app: app.to_string(),
        name: stage.name.to_string(),
        branch: match stage.branch {
            Some(branch) => branch.into(),
            None => "shared by its pull requests".to_owned(),
        },
        title: title.unwrap_or_default(),
        owner: owner.unwrap_or_default(),
        pull_request: stage.pull_request.map(|number| repositories.link(&app, number)),
        badge: Badge::of_stage(stage.state),
        left_over: match stage.state {
            StageState::RemoveFailed => stage.left_over,
            StageState::Active | StageState::Removing | StageState::Closed => None,
        },
        created: Time::new(stage.created_at, now),
        active: Time::new(stage.active_at, now),
        expires: stage.expires_at.map(|at| Time::new(at, now)),
        extendable: may_build && stage.state == StageState::Active && stage.expires_at.is_some(),
        removable: may_build
            && matches!(stage.state, StageState::Active | StageState::RemoveFailed),
    }
}

fn wait(
    app: &AppName,
    pull_request: PullRequest,
    repositories: &Repositories,
    now: DateTime<Utc>,
) -> Waiting {
    Waiting {
        app: app.to_string(),
        pull_request: repositories.link(app, pull_request.number),
        title: pull_request.title,
        branch: pull_request.branch.into(),
        since: Time::new(pull_request.waiting_since.unwrap_or(pull_request.changed_at), now),
        limit: repositories.limit(app),
    }
}
