//! The dialogs that freeze a stage and end that.

use askama::Template;
use axum::extract::{Extension, Form, Path, State as Extract};
use axum::response::{Html, Redirect};
use model::freeze::{Freeze, Frozen};
use model::stage::StageKind;
use serde::Deserialize;
use store::PgConnection;
use store::app::App;
use store::build::BuildState;
use store::stage::Stage;

use super::super::frozen::FrozenView;
use super::super::{Shell, html, stage};
use super::{Reach, until};
use crate::api;
use crate::api::freeze::Wish;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::state::State;

#[derive(Template)]
#[template(path = "dialog_freeze.html")]
struct FreezePage {
    shell: Shell,
    reach: Reach,
    step: Step,
    /// Builds that wait now.
    waiting: Vec<(String, i64)>,
}

enum Step {
    Freeze,
    /// Ends this one.
    Unfreeze(FrozenView),
}

pub(in crate::page) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<Html<String>> {
    let mut conn = state.db.acquire().await?;
    let (app, stage) = long_lived(&mut conn, &name, &stage).await?;
    let shell = Shell::new(format!("Freeze {}", stage.name), "board").of(&caller);
    page(&mut conn, &app, &stage, shell, Step::Freeze).await
}

pub(in crate::page) async fn show_end(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<Html<String>> {
    let now = state.now();
    let mut conn = state.db.acquire().await?;
    let (app, stage) = long_lived(&mut conn, &name, &stage).await?;
    let frozen: Option<Frozen> = store::freeze::of(&mut conn, stage.id).await?;
    let frozen = frozen
        .filter(|frozen| frozen.holds(now))
        .ok_or_else(|| Error::Conflict(format!("nobody has frozen {}", stage.name)))?;
    api::freeze::allowed_to_end(&caller, &app, &stage.name, &frozen)?;
    let step = Step::Unfreeze(FrozenView::of(&Freeze::ByHand(frozen), now));
    let shell = Shell::new(format!("Unfreeze {}", stage.name), "board").of(&caller);
    page(&mut conn, &app, &stage, shell, step).await
}

/// Only these have a gate that a freeze could close.
async fn long_lived(conn: &mut PgConnection, name: &str, stage: &str) -> Result<(App, Stage)> {
    let app = api::app(conn, name).await?;
    let stage = stage::find(conn, &app, stage).await?;
    match stage.kind {
        StageKind::LongLived => Ok((app, stage)),
        StageKind::Preview | StageKind::Personal => Err(Error::Conflict(format!(
            "{} is no long-lived stage of the settings: only those are frozen",
            stage.name
        ))),
    }
}

async fn page(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    shell: Shell,
    step: Step,
) -> Result<Html<String>> {
    let instances = store::instance::list(conn, stage.id).await?;
    let unfinished = store::build::unfinished_on(conn, stage.id).await?;
    let waiting = unfinished
        .iter()
        .filter(|build| build.state == BuildState::Waiting)
        .map(|build| (format!("/apps/{}/builds/{}", app.name, build.number), build.number));
    html(&FreezePage {
        shell,
        reach: Reach::of(app, stage, &instances),
        step,
        waiting: waiting.collect(),
    })
}

#[derive(Deserialize)]
pub(in crate::page) struct Filled {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    until: String,
}

pub(in crate::page) async fn act(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    Form(filled): Form<Filled>,
) -> Result<Redirect> {
    let wish = Wish { reason: filled.reason, until: until(&filled.until)? };
    let (app, stage) = api::freeze::freeze_stage(&state, &caller, &name, &stage, wish).await?;
    Ok(to(&app, &stage))
}

pub(in crate::page) async fn end(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<Redirect> {
    let (app, stage) = api::freeze::unfreeze_stage(&state, &caller, &name, &stage).await?;
    Ok(to(&app, &stage))
}

fn to(app: &App, stage: &Stage) -> Redirect {
    Redirect::to(&format!("/apps/{}/stages/{}", app.name, stage.name))
}
