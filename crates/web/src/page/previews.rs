//! Previews: every open one, its branch, its age, and the button that removes it.

use askama::Template;
use axum::extract::{Extension, State as Extract};
use axum::response::Html;
use model::permission::Action;
use model::stage::StageState;

use super::view::{Badge, Time};
use super::{Shell, html, live};
use crate::auth::Caller;
use crate::error::Result;
use crate::state::State;

#[derive(Template)]
#[template(path = "previews.html")]
struct PreviewsPage {
    shell: Shell,
    previews: Vec<Preview>,
}

struct Preview {
    url: String,
    app: String,
    name: String,
    branch: String,
    pull_request: Option<i64>,
    badge: Badge,
    created: Time,
    active: Time,
    removable: bool,
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Html<String>> {
    let now = state.now();
    let mut conn = state.db.acquire().await?;
    let previews = store::stage::previews(&mut conn).await?;
    let seen = live::board_version(&mut conn).await?;
    drop(conn);
    let may_build = caller.role.allows(Action::Build);
    let previews = previews
        .into_iter()
        .map(|(app, stage)| Preview {
            url: format!("/apps/{app}/stages/{}", stage.name),
            app: app.to_string(),
            name: stage.name.to_string(),
            branch: stage.branch.map(Into::into).unwrap_or_default(),
            pull_request: stage.pull_request,
            badge: Badge::of_stage(stage.state),
            created: Time::new(stage.created_at, now),
            active: Time::new(stage.active_at, now),
            removable: may_build
                && matches!(stage.state, StageState::Active | StageState::RemoveFailed),
        })
        .collect();
    let events = Some(format!("/live/board?seen={seen}"));
    html(&PreviewsPage { shell: Shell { events, ..Shell::new("Previews", "previews") }, previews })
}
