//! What a promotion comes to: looked up in the rows and on GitHub, nothing done yet.
//!
//! What always holds: what stands here can be carried out as GitHub was when it was asked; anything
//! else is a refusal in words.

use model::app::Trigger;
use model::build::Purpose;
use model::promotion::{self, Standing, Way};
use model::{CommitSha, ServiceName, StageName};
use store::PgConnection;
use store::app::App;
use store::build::{Build, BuildState};
use store::stage::Stage;

use super::{Wanted, refs};
use crate::api::app;
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::state::State;

pub(crate) struct Outlook {
    pub(crate) app: App,
    pub(crate) from: StageName,
    pub(crate) to: StageName,
    /// What is deployed in `from`.
    pub(crate) commit: CommitSha,
    /// Of the build that deployed it.
    pub(crate) title: String,
    pub(crate) way: Way,
    pub(crate) movement: Movement,
}

/// What is to be done to the branch or tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Movement {
    /// It is there already.
    None,
    Create,
    /// By so many commits.
    Forward {
        head: CommitSha,
        by: u64,
    },
}

impl Outlook {
    pub(super) fn trigger(&self) -> Trigger {
        match &self.way {
            Way::Branch { trigger, .. } | Way::Tag { trigger, .. } => *trigger,
        }
    }
}

pub(crate) async fn look(
    state: &State,
    name: &str,
    stage: &str,
    wanted: Wanted,
) -> Result<Outlook> {
    let rows = {
        let mut conn = state.db.acquire().await?;
        rows(&mut conn, name, stage, wanted).await?
    };
    refs::is_of_one_commit(state, &rows).await?;
    let movement = refs::movement(state, &rows).await?;
    let Rows { app, from, to, commit, title, way, .. } = rows;
    Ok(Outlook { app, from, to, commit, title, way, movement })
}

/// What the database says.
pub(super) struct Rows {
    pub(super) app: App,
    pub(super) from: StageName,
    pub(super) to: StageName,
    pub(super) commit: CommitSha,
    title: String,
    pub(super) way: Way,
    /// The services of `from` that stand at other commits.
    pub(super) others: Vec<(ServiceName, CommitSha)>,
}

async fn rows(conn: &mut PgConnection, name: &str, stage: &str, wanted: Wanted) -> Result<Rows> {
    let app = app(conn, name).await?;
    let to: StageName = segment("stage", stage)?;
    let Some((to, settings)) = app.settings.stage(&to) else {
        return Err(Error::NotFound(format!(
            "{} has no long-lived stage {to} in its app file",
            app.name
        )));
    };
    let from = wanted.from.or_else(|| settings.promote_from.clone()).ok_or_else(|| {
        let message = format!(
            "name the stage to promote from, or set stages.{to}.promote_from in the app file"
        );
        Error::invalid("from", message)
    })?;
    let Some((from, _)) = app.settings.stage(&from) else {
        return Err(Error::invalid("from", format!("{} has no stage {from}", app.name)));
    };
    if from == to {
        return Err(Error::invalid("from", format!("{to} cannot be promoted to itself")));
    }
    let way = promotion::way(&app.settings, to, wanted.tag.as_ref()).map_err(|no| {
        if no.is_about_the_tag() {
            Error::invalid("tag", no.to_string())
        } else {
            Error::Conflict(no.to_string())
        }
    })?;
    let row = store::stage::find_open(conn, app.id, from).await?;
    let row = row.ok_or_else(|| Error::Conflict(format!("nothing was ever built for {from}")))?;
    let (latest, others) = deployed(conn, &row).await?;
    Ok(Rows {
        from: from.clone(),
        to: to.clone(),
        commit: latest.source.commit,
        title: latest.source.title,
        way,
        others,
        app,
    })
}

/// The build whose commit a stage is of, and what stands at others.
async fn deployed(
    conn: &mut PgConnection,
    stage: &Stage,
) -> Result<(Build, Vec<(ServiceName, CommitSha)>)> {
    if let Some(build) = moving(&store::build::unfinished_on(conn, stage.id).await?) {
        return Err(Error::Conflict(format!(
            "build {} of {} is under way: promote when it has ended",
            build.number, stage.name
        )));
    }
    let latest = store::build::latest_whole_on(conn, stage.id).await?;
    let instances = store::instance::list(conn, stage.id).await?;
    let standing: Vec<Standing<'_>> = instances
        .iter()
        .map(|instance| Standing {
            service: &instance.service,
            region: &instance.region,
            state: instance.state,
            commit: instance.commit.as_ref(),
        })
        .collect();
    let commit = latest.as_ref().map(|build| &build.source.commit);
    let refused = |unfit: promotion::Unfit| Error::Conflict(unfit.to_string());
    let others = promotion::behind(&stage.name, &standing, commit).map_err(refused)?;
    let others =
        others.into_iter().map(|(service, commit)| (service.clone(), commit.clone())).collect();
    let latest = latest
        .ok_or_else(|| refused(promotion::Unfit::NeverWhole { stage: stage.name.clone() }))?;
    Ok((latest, others))
}

/// A build that may change what is deployed; one that waits for an approval changes nothing yet.
fn moving(unfinished: &[Build]) -> Option<&Build> {
    unfinished.iter().find(|build| {
        let changes = match build.purpose {
            Purpose::Deploy | Purpose::Remove | Purpose::Rollback | Purpose::Recover => true,
            Purpose::Test | Purpose::Inspect => false,
        };
        let goes_on = match build.state {
            BuildState::Running => true,
            BuildState::Waiting | BuildState::Finished => false,
        };
        changes && goes_on
    })
}
