//! A notice: what a look at GitHub saw, on its way to intake.
//!
//! What always holds: it is a row among the deliveries, under a GUID of its own making that says
//! what was seen and after which build: the same is seen twice and told once. Intake takes it in
//! the order of arrival, like any delivery, and asks the rows again: what came meanwhile has
//! overtaken it. It is for the app's rules what the lost webhook would have been.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use model::build::{Purpose, Source};
use model::rule::{
    BuildWanted, Decision, PullRequestAction, PullRequestEvent, RepositoryEvent, StageWanted,
    decide,
};
use model::stage::StageState;
use model::{AppId, BranchName, StageId};
use serde::{Deserialize, Serialize};
use store::PgConnection;
use store::app::App;
use store::delivery::{Delivery, NewDelivery};

use super::Halt;
use super::branches::stage_of;
use super::pulls::action;
use crate::Engine;
use crate::event::Meaning;

/// What a delivery of ours says it is; no event of GitHub's is called so.
const EVENT: &str = "reconcile";
const GUID: &str = "reconcile/";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Notice {
    pub(super) app: AppId,
    pub(super) what: What,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "seen")]
pub(super) enum What {
    /// A branch is at this commit, and its newest build (0: none) is of another.
    Pushed { source: Source, message: String, after: i64 },
    /// A pull request is open, and its newest build (0: none) is not of it as it is. `left`: the
    /// base that it is known with.
    Proposed { proposal: Proposal, after: i64, left: Option<BranchName> },
    /// A pull request is not open any more.
    Closed { proposal: Proposal },
    /// There is no such branch. `after`: the newest build of its own preview.
    Gone { branch: BranchName, stage: Option<StageId>, after: i64 },
}

/// A pull request as it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Proposal {
    pub(super) source: Source,
    pub(super) base: BranchName,
    pub(super) draft: bool,
    pub(super) fork: bool,
    pub(super) changed_at: DateTime<Utc>,
}

impl Proposal {
    fn number(&self) -> i64 {
        self.source.pull_request.unwrap_or_default()
    }

    /// As if this had just happened to it.
    pub(super) fn event(self, action: PullRequestAction) -> PullRequestEvent {
        let Self { source, base, draft, fork, changed_at: _ } = self;
        PullRequestEvent { action, source, base, draft, fork }
    }

    fn meaning(self, action: PullRequestAction) -> Meaning {
        let (number, changed_at) = (self.number(), Some(self.changed_at));
        Meaning::PullRequest { event: self.event(action), number, changed_at }
    }
}

impl Notice {
    fn guid(&self) -> String {
        let app = self.app;
        match &self.what {
            What::Pushed { source, after, .. } => {
                let branch = source.branch.as_ref().map_or("", BranchName::as_str);
                format!("{GUID}{app}/branch/{branch}/{}/after/{after}", source.commit)
            }
            What::Proposed { proposal, after, left: _ } => {
                let Proposal { source: Source { commit, .. }, draft, base, .. } = proposal;
                let number = proposal.number();
                let draft = if *draft { "/draft" } else { "" };
                format!("{GUID}{app}/pull/{number}/{commit}/after/{after}/into/{base}{draft}")
            }
            What::Closed { proposal } => {
                let (number, at) = (proposal.number(), proposal.changed_at.timestamp());
                format!("{GUID}{app}/closed/{number}/{at}")
            }
            What::Gone { branch, stage, after } => {
                let stage = stage.map(|stage| stage.to_string()).unwrap_or_default();
                format!("{GUID}{app}/gone/{branch}/{stage}/after/{after}")
            }
        }
    }

    /// Whether intake has it, or had it.
    pub(super) async fn is_known(&self, engine: &Engine) -> Result<bool, Halt> {
        let mut conn = engine.db.acquire().await?;
        let known = store::reconcile::known_deliveries(&mut conn, &[&self.guid()]).await?;
        Ok(!known.is_empty())
    }

    /// Puts it into intake's queue, once.
    pub(super) async fn give(&self, engine: &Engine, seen_at: DateTime<Utc>) -> Result<(), Halt> {
        let body = serde_json::to_vec(self).map_err(anyhow::Error::from)?;
        let new = NewDelivery {
            guid: self.guid(),
            event: EVENT.to_owned(),
            headers: serde_json::json!({}),
            body: Bytes::from(body),
            received_at: seen_at,
        };
        let mut conn = engine.db.acquire().await?;
        let inserted = store::delivery::insert(&mut conn, &[new]).await?;
        if inserted == [store::delivery::Inserted::New] {
            tracing::info!(guid = self.guid(), "GitHub has something that no webhook told");
            engine.signals.wake_engine();
        }
        Ok(())
    }
}

/// Whether a delivery is a notice, and no webhook.
pub(crate) fn is_notice(delivery: &Delivery) -> bool {
    delivery.event == EVENT && delivery.guid.starts_with(GUID)
}

/// What a notice comes to now: the webhook that never came.
pub(crate) struct Noticed {
    pub(crate) app: App,
    pub(crate) meaning: Meaning,
}

/// Reads a notice, and asks the rows whether it still says something new; `Err`: what has overtaken
/// it.
pub(crate) async fn take(
    conn: &mut PgConnection,
    delivery: &Delivery,
) -> anyhow::Result<Result<Noticed, String>> {
    let Notice { app, what } = serde_json::from_slice(&delivery.body)?;
    let app = store::app::get(conn, app).await?;
    let meaning = match what {
        What::Pushed { source, message, after } => {
            let event = RepositoryEvent::Pushed { source: source.clone(), message };
            if let Some(number) = newer_of_branch(conn, &app, &event, &source, after).await? {
                return Ok(Err(format!("build {number} came meanwhile")));
            }
            Meaning::Event(event)
        }
        What::Proposed { proposal, after, left } => {
            let (number, head) = (proposal.number(), &proposal.source.commit);
            let built = store::reconcile::built_of_pull_request(conn, app.id, number, head).await?;
            if let Some(built) = built.filter(|built| built.number > after) {
                return Ok(Err(format!("build {} came meanwhile", built.number)));
            }
            proposal.meaning(action(left))
        }
        What::Closed { proposal } => proposal.meaning(PullRequestAction::Closed),
        What::Gone { branch, stage, after } => {
            if let Some(why) = overtaken(conn, stage, after).await? {
                return Ok(Err(why));
            }
            Meaning::Event(RepositoryEvent::BranchDeleted { branch })
        }
    };
    Ok(Ok(Noticed { app, meaning }))
}

/// The number of a build of the branch that is newer than what was seen.
async fn newer_of_branch(
    conn: &mut PgConnection,
    app: &App,
    event: &RepositoryEvent,
    source: &Source,
    after: i64,
) -> anyhow::Result<Option<i64>> {
    let Some(branch) = &source.branch else { return Ok(None) };
    let stages = match decide(&app.settings, event) {
        Decision::Start(wanted) => wanted.into_iter().filter_map(stage_of).collect(),
        Decision::Nothing { .. } => Vec::new(),
    };
    for stage in &stages {
        let head = &source.commit;
        let built = store::reconcile::built_of_branch(conn, app.id, stage, branch, head).await?;
        if let Some(built) = built.filter(|built| built.number > after) {
            return Ok(Some(built.number));
        }
    }
    Ok(None)
}

/// Why a preview is not to go for a branch that was seen to be gone.
async fn overtaken(
    conn: &mut PgConnection,
    stage: Option<StageId>,
    after: i64,
) -> anyhow::Result<Option<String>> {
    let Some(id) = stage else { return Ok(None) };
    let stage = store::stage::get(conn, id).await?;
    match stage.state {
        StageState::Active => {}
        StageState::Removing | StageState::RemoveFailed | StageState::Closed => {
            return Ok(Some(format!("the preview {} is being removed already", stage.name)));
        }
    }
    let latest = store::reconcile::latest_on(conn, id).await?;
    let newer = latest.filter(|latest| latest.number > after);
    Ok(newer.map(|newer| {
        format!("the preview {} was wanted again meanwhile, by build {}", stage.name, newer.number)
    }))
}

/// The build that a notice has made of what a webhook wants: the webhook was late, and has nothing
/// left to do.
pub(crate) async fn covered(
    conn: &mut PgConnection,
    app: &App,
    wanted: &BuildWanted,
    delivery: &str,
) -> store::Result<Option<i64>> {
    if delivery.starts_with(GUID) {
        return Ok(None);
    }
    let source = &wanted.source;
    let stage = match &wanted.stage {
        StageWanted::LongLived(name) => store::stage::find_open(conn, app.id, name).await?,
        StageWanted::Preview { preview, .. } => {
            store::stage::find_shown(conn, app.id, preview).await?
        }
        StageWanted::None => {
            let Some(number) = source.pull_request else { return Ok(None) };
            let built =
                store::reconcile::built_of_pull_request(conn, app.id, number, &source.commit);
            let built = built.await?.filter(|built| {
                built.commit == source.commit && is_ours(built.delivery_guid.as_deref())
            });
            return Ok(built.map(|built| built.number));
        }
    };
    let Some(stage) = stage else { return Ok(None) };
    let latest = store::reconcile::latest_on(conn, stage.id).await?;
    let same = latest.filter(|latest| {
        latest.purpose == Purpose::Deploy
            && latest.commit == source.commit
            && latest.branch == source.branch
            && is_ours(latest.delivery_guid.as_deref())
    });
    Ok(same.map(|latest| latest.number))
}

fn is_ours(delivery: Option<&str>) -> bool {
    delivery.is_some_and(|guid| guid.starts_with(GUID))
}
