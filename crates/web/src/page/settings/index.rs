//! All apps whose settings the caller may see, and the way to add one.

use askama::Template;
use axum::extract::{Extension, State as Extract};
use axum::response::Html;
use model::permission::{Action, Scope};

use super::super::view::Time;
use super::super::{Shell, html};
use crate::auth::Caller;
use crate::error::Result;
use crate::state::State;

#[derive(Template)]
#[template(path = "settings_apps.html")]
struct AppsPage {
    shell: Shell,
    apps: Vec<AppRow>,
    may_add: bool,
}

struct AppRow {
    name: String,
    repository: String,
    stages: String,
    changed: Time,
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Html<String>> {
    let now = state.now();
    let mut conn = state.db.acquire().await?;
    let mut apps = store::app::list(&mut conn).await?;
    drop(conn);
    apps.retain(|app| caller.allows(Action::Read, &app.name));
    html(&AppsPage {
        shell: Shell::new("Settings", "settings").of(&caller),
        apps: apps
            .into_iter()
            .map(|app| AppRow {
                name: app.name.to_string(),
                repository: app.repository.to_string(),
                stages: app
                    .settings
                    .stages
                    .keys()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
                changed: Time::new(app.updated_at, now),
            })
            .collect(),
        may_add: caller.rights.allows(Action::Configure, Scope::Server),
    })
}
