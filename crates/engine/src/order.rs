//! Carries out what the rules want, in the delivery's transaction.
//!
//! What always holds: what may not be done (a personal stage stands in the way) is a sentence like
//! any other; what else the delivery wants is done all the same.

use model::BranchName;
use model::app::PreviewDeploy;
use model::build::BuildEvent;
use model::rule::{StageWanted, Wanted};
use model::stage::StageState;
use store::PgConnection;
use store::app::App;
use store::order::{self, Moment, Order, Removal};

use crate::Engine;

/// Does it, and says in one sentence what was done.
pub(crate) async fn carry_out(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    wanted: Wanted,
    delivery: &str,
) -> anyhow::Result<String> {
    match begin(engine, conn, app, wanted, delivery).await {
        Err(store::Error::NotAllowed(why)) => Ok(why),
        done => Ok(done?),
    }
}

async fn begin(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    wanted: Wanted,
    delivery: &str,
) -> store::Result<String> {
    let at = Moment { now: engine.now(), ids: &*engine.ids };
    match wanted {
        Wanted::Build { event, purpose, stage, source, services } => {
            let mut preview_deploy = PreviewDeploy::default();
            let stage = match stage {
                StageWanted::LongLived(name) => {
                    Some(order::long_lived(conn, app, &name, at).await?)
                }
                StageWanted::PreviewOf { branch, deploy } => {
                    preview_deploy = deploy;
                    Some(order::preview(conn, app, &branch, source.pull_request, at).await?)
                }
                StageWanted::None => None,
            };
            let order = Order {
                app,
                event,
                purpose,
                stage: stage.as_ref().map(|stage| stage.id),
                source,
                forced: false,
                services,
                preview_deploy,
                delivery: Some(delivery),
            };
            let build = order::build(conn, order, at).await?;
            Ok(match stage {
                Some(stage) => format!("build {} for the stage {}", build.number, stage.name),
                None => format!("build {}, tests only", build.number),
            })
        }
        Wanted::RemovePreview { branch, event } => {
            remove_preview(conn, app, &branch, event, delivery, at).await
        }
    }
}

async fn remove_preview(
    conn: &mut PgConnection,
    app: &App,
    branch: &BranchName,
    event: BuildEvent,
    delivery: &str,
    at: Moment<'_>,
) -> store::Result<String> {
    let Some(stage) = store::stage::find_preview(conn, app.id, branch).await? else {
        return Ok(format!("the branch {branch} has no preview"));
    };
    match stage.state {
        StageState::Removing => {
            return Ok(format!("the preview {} is being removed already", stage.name));
        }
        StageState::Active | StageState::RemoveFailed | StageState::Closed => {}
    }
    Ok(match order::removal(conn, app, &stage, event, Some(delivery), at).await? {
        Removal::Ordered(build) => {
            format!("build {} removes the preview {}", build.number, stage.name)
        }
        Removal::NothingThere => format!("the preview {} held nothing and is closed", stage.name),
    })
}
