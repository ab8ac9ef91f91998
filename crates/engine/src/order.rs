//! Carries out what the rules want, in the delivery's transaction.
//!
//! What always holds: what may not be done (a personal stage stands in the way) is a sentence like
//! any other; what else the delivery wants is done all the same. A preview that another pull
//! request is shown in is not removed.

use model::StageName;
use model::app::{Destroy, PreviewDeploy, PreviewLimit};
use model::build::{BuildEvent, Purpose};
use model::rule::{BuildWanted, Preview, Shown, StageWanted, Wanted, keeps, rule_for};
use model::stage::StageState;
use store::PgConnection;
use store::app::App;
use store::build::Build;
use store::order::{self, Moment, Order, Place, PreviewWanted, Removal, RemovalWanted};
use store::pull_request::{PullRequest, PullRequestState};
use store::stage::Stage;

use crate::{Engine, reconcile};

/// Does it, and says in one sentence what was done; nothing where there was nothing to say. `about`
/// is the pull request that the event is about.
pub(crate) async fn carry_out(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    wanted: Wanted,
    about: Option<i64>,
    delivery: &str,
) -> anyhow::Result<Option<String>> {
    let done = match wanted {
        Wanted::Build(wanted) => match reconcile::covered(conn, app, &wanted, delivery).await? {
            Some(number) => {
                return Ok(Some(format!("build {number} has it: it was seen before it was told")));
            }
            None => begin(engine, conn, app, *wanted, Some(delivery)).await.map(Some),
        },
        Wanted::RemovePreview { preview, event } => {
            remove_preview(engine, conn, app, &preview, event, about, delivery).await
        }
    };
    match done {
        Err(store::Error::NotAllowed(why)) => Ok(Some(why)),
        done => Ok(done?),
    }
}

/// Begins a build. `delivery`: the webhook delivery that asks for it; `None`: the server does.
pub(crate) async fn begin(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    wanted: BuildWanted,
    delivery: Option<&str>,
) -> store::Result<String> {
    let begun = begun(engine, conn, app, wanted, &Asked { delivery, forced: false }).await?;
    Ok(begun.sentence())
}

/// Who asks for a build, and how much of it.
pub(crate) struct Asked<'a> {
    /// The webhook delivery that does.
    pub(crate) delivery: Option<&'a str>,
    /// Every service is built, changed or not.
    pub(crate) forced: bool,
}

/// A build that was begun, and where it goes.
pub(crate) struct Begun {
    pub(crate) build: Build,
    stage: Option<StageName>,
    full: Option<PreviewLimit>,
}

impl Begun {
    pub(crate) fn sentence(&self) -> String {
        let number = self.build.number;
        match (&self.stage, self.full) {
            (Some(stage), _) => format!("build {number} for the stage {stage}"),
            (None, Some(limit)) => {
                format!("build {number}, tests only: {}", without_preview(limit))
            }
            (None, None) => format!("build {number}, tests only"),
        }
    }
}

pub(crate) async fn begun(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    wanted: BuildWanted,
    asked: &Asked<'_>,
) -> store::Result<Begun> {
    let BuildWanted { event, purpose, stage, source, services } = wanted;
    let at = Moment { now: engine.now(), ids: &*engine.ids };
    let mut preview_deploy = PreviewDeploy::default();
    let mut full = None;
    let stage = match stage {
        StageWanted::LongLived(name) => Some(order::long_lived(conn, app, &name, at).await?),
        StageWanted::Preview { preview, base, deploy } => {
            preview_deploy = deploy;
            let pull_request = source.pull_request;
            let wanted = PreviewWanted { preview: &preview, base: &base, pull_request };
            match order::preview(conn, app, wanted, at).await? {
                Place::Taken(stage) => Some(*stage),
                Place::Full(limit) => {
                    full = Some(limit);
                    None
                }
            }
        }
        StageWanted::None => None,
    };
    let order = Order {
        app,
        event,
        purpose: if full.is_some() { Purpose::Test } else { purpose },
        stage: stage.as_ref().map(|stage| stage.id),
        source,
        forced: asked.forced,
        services,
        preview_deploy,
        delivery: asked.delivery,
    };
    let build = order::build(conn, order, at).await?;
    if let Some(limit) = full {
        store::build::explain(conn, build.id, &without_preview(limit)).await?;
    }
    Ok(Begun { build, stage: stage.map(|stage| stage.name), full })
}

fn without_preview(limit: PreviewLimit) -> String {
    format!(
        "the app has as many previews as it may (preview_limit: {limit}); the pull request is \
         tested, and deployed as soon as one of them is gone"
    )
}

async fn remove_preview(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    preview: &Preview,
    event: BuildEvent,
    about: Option<i64>,
    delivery: &str,
) -> store::Result<Option<String>> {
    let Some(stage) = store::stage::find_shown(conn, app.id, preview).await? else {
        return Ok(match preview {
            Preview::OfBranch(branch) => Some(format!("the branch {branch} has no preview")),
            // an event of one branch says nothing of what others share
            Preview::Shared(_) => None,
        });
    };
    let by_branch = event == BuildEvent::BranchDeleted;
    if by_branch && is_kept_for_ever(&stage, app) {
        return Ok(Some(format!(
            "the preview {} is kept: its rule says destroy: never",
            stage.name
        )));
    }
    if let Some(number) = about.filter(|_| event == BuildEvent::PullRequest) {
        leave(conn, app, number, &stage).await?;
    }
    if let Some(keeper) = keeper(conn, app, preview, &stage, about).await? {
        store::stage::follow(conn, stage.id, Some(keeper.number), &keeper.base).await?;
        let quiet = by_branch && matches!(preview, Preview::Shared(_));
        return Ok((!quiet).then(|| {
            format!("the preview {} is kept: pull request #{} needs it", stage.name, keeper.number)
        }));
    }
    match stage.state {
        StageState::Removing => {
            return Ok(Some(format!("the preview {} is being removed already", stage.name)));
        }
        StageState::Active | StageState::RemoveFailed | StageState::Closed => {}
    }
    let at = Moment { now: engine.now(), ids: &*engine.ids };
    let wanted = RemovalWanted::by(event, delivery);
    Ok(Some(match order::removal(conn, app, &stage, wanted, at).await? {
        Removal::Ordered(build) => {
            format!("build {} removes the preview {}", build.number, stage.name)
        }
        Removal::NothingThere => format!("the preview {} held nothing and is closed", stage.name),
    }))
}

fn is_kept_for_ever(stage: &Stage, app: &App) -> bool {
    stage.preview_rule_in(&app.settings).is_some_and(|rule| rule.destroy == Destroy::Never)
}

/// The pull request has a base with another rule: it is not shown in this preview any more.
async fn leave(
    conn: &mut PgConnection,
    app: &App,
    number: i64,
    stage: &Stage,
) -> store::Result<()> {
    let known = store::pull_request::find(conn, app.id, number).await?;
    if known.is_some_and(|known| known.stage_id == Some(stage.id)) {
        store::pull_request::set_stage(conn, app.id, number, None).await?;
    }
    Ok(())
}

/// Another pull request that needs the preview, an open one first.
async fn keeper(
    conn: &mut PgConnection,
    app: &App,
    preview: &Preview,
    stage: &Stage,
    about: Option<i64>,
) -> store::Result<Option<PullRequest>> {
    let shown = store::pull_request::shown_in(conn, stage.id).await?;
    Ok(shown.into_iter().filter(|other| Some(other.number) != about).find(|other| {
        let shown = match other.state {
            PullRequestState::Open => Shown::Open,
            PullRequestState::Closed => Shown::Closed,
            PullRequestState::Gone => return false,
        };
        keeps(preview, rule_for(&app.settings, &other.base), shown)
    }))
}
