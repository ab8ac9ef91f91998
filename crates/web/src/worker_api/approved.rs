//! What an approval lets through: where a stage has approvers, a replacement that the safeguard
//! `no-replacement` would refuse is shown to them instead, and happens if they approve it.
//!
//! What always holds: a deploy may replace something only if the approval of its very artifact
//! showed that it would. The worker is told what was shown, and refuses what came to be lost since.

use model::app::{Level, Policy};
use model::stage::StageKind;
use model::worker_api::Target;
use store::PgConnection;
use store::app::App;
use store::build::Build;
use store::gate::Gates;
use store::job::Job;
use store::stage::Stage;

use super::assignment::Assigned;
use crate::state::State;

/// The target of a package that is shown to approvers before it is deployed.
pub(super) fn before(target: Target, app: &App, stage: &Stage) -> Target {
    let asks = app.settings.stage(&stage.name).is_some_and(|(_, own)| !own.approvers.is_empty());
    match stage.kind {
        StageKind::LongLived if asks => shown(target),
        StageKind::LongLived | StageKind::Preview | StageKind::Personal => target,
    }
}

/// The target of a deploy, by what was approved of it.
pub(super) async fn after(
    state: &State,
    conn: &mut PgConnection,
    target: Target,
    app: &App,
    build: &Build,
    job: &Job,
) -> Assigned<Target> {
    let gates = Gates::load(conn, app, build, state.now()).await?;
    let Some(gates) = gates.filter(|gates| !gates.approvers().is_empty()) else {
        return Ok(target);
    };
    let given = gates.deploy(job).and_then(|deploy| {
        let given = gates.approval_of(&deploy)?;
        given.approval.ask.of(deploy.service, deploy.region).cloned()
    });
    Ok(match given {
        Some(asked) => {
            let replaces = asked.shows_replacement();
            let target = Target { approved: Some(asked.change), ..target };
            if replaces { shown(target) } else { target }
        }
        None => target,
    })
}

/// It is said, and no longer refused.
fn shown(mut target: Target) -> Target {
    for safeguard in &mut target.safeguards {
        if safeguard.policy() == Policy::NoReplacement {
            safeguard.level = Level::Warning;
        }
    }
    target
}
