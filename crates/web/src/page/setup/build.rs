//! The last step: the first build, and the end of the setup.
//!
//! What always holds: the end closes the printed link and its session in one transaction; from then
//! on the usual ways to sign in are the only ones.

use askama::Template;
use axum::extract::{Extension, State as Extract};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use model::AppName;
use serde_json::json;
use store::PgConnection;
use store::app::App;
use store::audit::Deed;
use store::setup::Progress;

use super::super::view::Badge;
use super::{Ground, Shell, Step, StepView, html, shell, to};
use crate::api::start::{Wanted, start as start_build};
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::setup::door::Holder;
use crate::state::{Access, State};

#[derive(Template)]
#[template(path = "setup_build.html")]
struct BuildPage {
    shell: Shell,
    steps: Vec<StepView>,
    app: String,
    branch: String,
    /// Nothing was pushed yet.
    empty: bool,
    build: Option<BuildView>,
    /// The end of this page ends the setup of the server.
    ends: bool,
    way_in: WayIn,
}

struct BuildView {
    number: i64,
    url: String,
    badge: Badge,
    stage: String,
    title: String,
    jobs: Vec<JobView>,
}

struct JobView {
    what: String,
    badge: Badge,
}

/// How people come in afterwards.
enum WayIn {
    Github,
    /// From this machine without, from others with a token.
    Local,
    Token,
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
) -> Result<Response> {
    let ground = Ground::load(&state, &holder).await?;
    let (Some(app), Some(chosen)) = (&ground.draft.app, &ground.draft.repository) else {
        return Ok(to(Step::Rules).into_response());
    };
    let mut conn = state.db.acquire().await?;
    let mut shell = shell(Step::Build, &caller);
    let build = match ground.draft.build {
        Some(number) => {
            let app = crate::api::app(&mut conn, app.as_str()).await?;
            let (view, events) = view(&mut conn, &app, number, state.now()).await?;
            shell.events = Some(events);
            Some(view)
        }
        None => None,
    };
    let ends = ends(&state, &mut conn, &holder).await?;
    drop(conn);
    let signs_in = ground.identity.as_deref().is_some_and(|identity| identity.app.is_some());
    let page = html(&BuildPage {
        shell,
        steps: ground.steps(Step::Build),
        app: app.to_string(),
        branch: chosen.branch.to_string(),
        empty: chosen.commit.is_none(),
        build,
        ends,
        way_in: match (signs_in, state.settings.access) {
            (true, _) => WayIn::Github,
            (false, Access::Loopback) => WayIn::Local,
            (false, Access::Token) => WayIn::Token,
        },
    })?;
    Ok(page.into_response())
}

async fn view(
    conn: &mut PgConnection,
    app: &App,
    number: i64,
    now: DateTime<Utc>,
) -> Result<(BuildView, String)> {
    let build = store::build::find(conn, app.id, number)
        .await?
        .ok_or_else(|| Error::NotFound(format!("{} has no build {number}", app.name)))?;
    let jobs = store::job::list(conn, build.id).await?;
    let version = super::super::live::build_version(conn, build.id, now).await?;
    let job = |job: &store::job::Job| JobView {
        what: match &job.service {
            Some(service) => format!("{} {service}", job.kind.as_str()),
            None => job.kind.as_str().to_owned(),
        },
        badge: Badge::of_job(&job.state),
    };
    let view = BuildView {
        number: build.number,
        url: format!("/apps/{}/builds/{}", app.name, build.number),
        badge: Badge::of_build(build.state, build.outcome),
        stage: build.stage.as_ref().map(ToString::to_string).unwrap_or_default(),
        title: build.source.title.clone(),
        jobs: jobs.iter().map(job).collect(),
    };
    Ok((view, format!("/setup/live/builds/{}?seen={version}", build.id)))
}

/// Whether finishing here finishes the setup of the server, or only adds an app.
async fn ends(state: &State, conn: &mut PgConnection, holder: &Holder) -> Result<bool> {
    let configured = state.github.origin() == ::github::Origin::Configuration;
    Ok(match (holder, store::setup::progress(conn, configured).await?) {
        (Holder::Session, _) | (Holder::Admin(_), Progress::New | Progress::Begun) => true,
        (Holder::Admin(_), Progress::Done) => false,
    })
}

pub(super) async fn start(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
) -> Result<Redirect> {
    let mut ground = Ground::load(&state, &holder).await?;
    let (Some(app), Some(chosen)) = (ground.draft.app.clone(), ground.draft.repository.clone())
    else {
        return Ok(to(Step::Rules));
    };
    // pressed twice: one build
    if ground.draft.build.is_none() {
        let wanted = Wanted {
            branch: Some(chosen.branch),
            commit: None,
            tag: None,
            stage: None,
            force: false,
            services: None,
        };
        let build = start_build(&state, &caller, app.as_str(), wanted).await?;
        ground.draft.build = Some(build.number);
        ground.save(&state, &holder).await?;
    }
    Ok(to(Step::Build))
}

pub(super) async fn finish(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
) -> Result<Response> {
    let ground = Ground::load(&state, &holder).await?;
    let Some(app) = &ground.draft.app else { return Ok(to(ground.next()).into_response()) };
    let there = place(app, ground.draft.build);
    let mut tx = state.db.begin().await?;
    let ended = ends(&state, &mut tx, &holder).await?;
    if ended {
        store::setup::finish(&mut tx, state.now()).await?;
        let did = Did::of_server(Deed::FinishSetup).detail(json!({ "app": app }));
        audit::record(&state, &mut tx, &caller, did).await?;
    }
    store::setup::drop_draft(&mut tx, &holder.key()).await?;
    tx.commit().await.map_err(Error::internal)?;
    if ended {
        tracing::info!(%app, "setup is finished");
    }
    Ok(super::start::with_cookie(&state, "", 0, &there))
}

fn place(app: &AppName, build: Option<i64>) -> String {
    match build {
        Some(number) => format!("/apps/{app}/builds/{number}"),
        None => "/".to_owned(),
    }
}
