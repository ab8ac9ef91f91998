//! Builds and removals asked for by people. The rows are written by [`store::order`], as for a
//! webhook's; here stands what a person may not ask for.

use std::collections::BTreeSet;

use model::app::PreviewDeploy;
use model::build::{BuildEvent, Purpose, Source};
use model::worker_api::RemoveHow;
use model::{ServiceName, StageId, StageName};
use store::PgConnection;
use store::app::App;
use store::build::Build;
use store::order::{self, Moment, Removal, RemovalWanted};
use store::stage::Stage;

use crate::error::{Error, Result};
use crate::state::State;

/// What is to be built.
pub(crate) struct Order {
    pub(crate) purpose: Purpose,
    pub(crate) stage: Option<StageId>,
    pub(crate) source: Source,
    pub(crate) forced: bool,
    /// `None`: every service.
    pub(crate) services: Option<BTreeSet<ServiceName>>,
    /// How much of the app is deployed, if the stage is a preview.
    pub(crate) preview_deploy: PreviewDeploy,
}

pub(crate) fn moment(state: &State) -> Moment<'_> {
    Moment { now: state.now(), ids: &*state.ids }
}

/// A build that begins with a plan.
pub(crate) async fn build(
    state: &State,
    conn: &mut PgConnection,
    app: &App,
    wanted: Order,
) -> Result<Build> {
    let order = order::Order {
        app,
        event: BuildEvent::Manual,
        purpose: wanted.purpose,
        stage: wanted.stage,
        source: wanted.source,
        forced: wanted.forced,
        services: wanted.services,
        preview_deploy: wanted.preview_deploy,
        delivery: None,
    };
    Ok(order::build(conn, order, moment(state)).await?)
}

/// The row of a stage that the settings name; its first build makes it.
pub(crate) async fn long_lived(
    state: &State,
    conn: &mut PgConnection,
    app: &App,
    name: &StageName,
) -> Result<StageId> {
    Ok(order::long_lived(conn, app, name, moment(state)).await?.id)
}

/// Refuses a stage that people do not remove, or not now.
pub(crate) fn removable(stage: &Stage) -> Result<()> {
    Ok(order::removable(stage)?)
}

/// A build that removes every instance of a stage, dependents first.
pub(crate) async fn remove(
    state: &State,
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    how: RemoveHow,
) -> Result<Build> {
    removable(stage)?;
    let wanted = RemovalWanted::by_hand(how);
    match order::removal(conn, app, stage, wanted, moment(state)).await? {
        Removal::Ordered(build) => Ok(*build),
        Removal::NothingThere => Err(Error::Conflict(format!(
            "{} never had a build: nothing is there to remove",
            stage.name
        ))),
    }
}
