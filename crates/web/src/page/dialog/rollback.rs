//! The dialog that takes a stage, or one service of it, back; and the page that asks to which build.
//!
//! What always holds: it shows what [`store::order::rollback`] would order, looked up the same way,
//! and says what is not undone by it.

use askama::Template;
use axum::extract::{Extension, Form, Path, Query, State as Extract};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use model::build::{BuildOutcome, Purpose};
use model::freeze::Freeze;
use model::stage::StageKind;
use model::{DeploymentId, ServiceName};
use serde::Deserialize;
use store::PgConnection;
use store::app::App;
use store::build::{Build, BuildFilter};
use store::order::{Back, Rollback};
use store::stage::Stage;

use super::super::build::to;
use super::super::view::{Time, short};
use super::super::{Shell, html};
use super::{Reach, given, until};
use crate::api;
use crate::api::rollback::Along;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::value;
use crate::state::State;

/// So many builds of the stage are looked through for those to go back to.
const LOOKED_THROUGH: i64 = 100;

#[derive(Template)]
#[template(path = "dialog_rollback.html")]
struct RollbackPage {
    shell: Shell,
    reach: Reach,
    /// The service or the stage.
    what: String,
    as_of: String,
    target: Back,
    changes: Vec<Change>,
    /// That somebody froze it already.
    frozen: Option<String>,
    /// Only long-lived stages are.
    freezable: bool,
}

/// What becomes of one service in one region.
struct Change {
    service: String,
    region: String,
    /// The commit that runs now.
    from: Option<String>,
    /// `None`: it stays as it is.
    to: Option<Then>,
    note: Option<String>,
    stacks: Vec<String>,
}

struct Then {
    commit: String,
    build: i64,
    url: String,
    at: Time,
}

#[derive(Template)]
#[template(path = "rollback_choice.html")]
struct ChoicePage {
    shell: Shell,
    app: String,
    stage: String,
    url: String,
    builds: Vec<Choice>,
}

struct Choice {
    number: i64,
    url: String,
    title: String,
    commit: String,
    at: Time,
}

/// Where to, as a link or a form says it.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::page) struct Wanted {
    build: String,
    service: String,
    deployment: String,
}

impl Wanted {
    /// `None`: nobody said yet.
    fn back(&self) -> Result<Option<Back>> {
        match (given(&self.build), given(&self.deployment)) {
            (None, None) => Ok(None),
            (Some(build), None) => Ok(Some(Back::Build(value("build", build)?))),
            (None, Some(deployment)) => {
                let service: ServiceName = value("service", self.service.trim())?;
                let deployment: DeploymentId = value("deployment", deployment)?;
                Ok(Some(Back::Deployment { service, deployment }))
            }
            (Some(_), Some(_)) => Err(Error::invalid(
                "deployment",
                "name either a build, for the whole stage, or a deployment, for one service",
            )),
        }
    }
}

pub(in crate::page) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Response> {
    let now = state.now();
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    let stage = api::stages::find(&mut conn, &app, &stage).await?;
    api::start::open(&stage)?;
    let Some(back) = wanted.back()? else {
        let builds = choices(&mut conn, &app, &stage, now).await?;
        let page = ChoicePage {
            shell: Shell::new(format!("Roll {} back", stage.name), "board").of(&caller),
            app: app.name.to_string(),
            url: format!("/apps/{}/stages/{}", app.name, stage.name),
            stage: stage.name.to_string(),
            builds,
        };
        return Ok(html(&page)?.into_response());
    };
    let rollback = store::order::rollback(&mut conn, &app, &stage, &back).await?;
    let frozen = store::freeze::of(&mut conn, stage.id).await?.filter(|frozen| frozen.holds(now));
    let frozen = frozen.map(|frozen| Freeze::ByHand(frozen).sentence());
    drop(conn);
    let (what, as_of) = match &back {
        Back::Build(number) => (stage.name.to_string(), format!("to build {number}")),
        Back::Deployment { service, .. } => {
            let commit = rollback.steps.first().map(|step| short(step.commit()));
            (service.to_string(), format!("to {}", commit.unwrap_or_default()))
        }
    };
    let touched: Vec<_> = rollback.steps.iter().map(|step| step.instance.clone()).collect();
    let page = RollbackPage {
        shell: Shell::new(format!("Roll {what} back"), "board").of(&caller),
        reach: Reach::of(&app, &stage, &touched),
        what,
        as_of,
        changes: changes(&app, rollback, now),
        target: back,
        frozen,
        freezable: stage.kind == StageKind::LongLived,
    };
    Ok(html(&page)?.into_response())
}

fn changes(app: &App, rollback: Rollback, now: DateTime<Utc>) -> Vec<Change> {
    let goes = rollback.steps.into_iter().map(|step| Change {
        service: step.service().to_string(),
        region: step.region().to_string(),
        from: step.instance.commit.as_ref().map(short),
        to: Some(Then {
            commit: short(step.commit()),
            build: step.to.build_number,
            url: format!("/apps/{}/builds/{}", app.name, step.to.build_number),
            at: Time::new(step.deployment.started_at, now),
        }),
        note: None,
        stacks: step.instance.stacks,
    });
    let stays = rollback.untouched.into_iter().map(|one| Change {
        service: one.instance.service.to_string(),
        region: one.instance.region.to_string(),
        from: one.instance.commit.as_ref().map(short),
        to: None,
        note: Some(one.why.to_string()),
        stacks: one.instance.stacks,
    });
    goes.chain(stays).collect()
}

/// The builds after which the stage was whole, newest first; the newest of them is what is there.
async fn choices(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    now: DateTime<Utc>,
) -> Result<Vec<Choice>> {
    let filter = BuildFilter {
        app: Some(app.id),
        stage: Some(stage.id),
        limit: LOOKED_THROUGH,
        ..BuildFilter::default()
    };
    let builds = store::build::list(conn, &filter).await?;
    Ok(builds.into_iter().filter(left_whole).map(|build| Choice::of(build, now)).collect())
}

fn left_whole(build: &Build) -> bool {
    let deployed = match build.purpose {
        Purpose::Deploy | Purpose::Rollback => true,
        Purpose::Test | Purpose::Remove | Purpose::Recover | Purpose::Inspect => false,
    };
    deployed && build.outcome == Some(BuildOutcome::Succeeded)
}

impl Choice {
    fn of(build: Build, now: DateTime<Utc>) -> Self {
        Self {
            number: build.number,
            url: format!("/apps/{}/builds/{}", build.app, build.number),
            commit: short(&build.source.commit),
            title: build.source.title,
            at: Time::new(build.finished_at.unwrap_or(build.created_at), now),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::page) struct Filled {
    build: String,
    service: String,
    deployment: String,
    freeze: bool,
    reason: String,
    until: String,
}

pub(in crate::page) async fn act(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    Form(filled): Form<Filled>,
) -> Result<Redirect> {
    let Filled { build, service, deployment, freeze, reason, until: end } = filled;
    let back = Wanted { build, service, deployment }.back()?;
    let back = back.ok_or_else(|| Error::invalid("build", "name what to roll back to"))?;
    let freeze = match freeze {
        true => Some(Along { reason, until: until(&end)? }),
        false => None,
    };
    Ok(to(&api::rollback::roll_back(&state, &caller, &name, &stage, &back, freeze).await?))
}
