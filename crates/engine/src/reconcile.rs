//! What was lost on the way from GitHub is found again: at boot and every few minutes.
//!
//! What always holds: it looks, and puts what it sees into the queue of intake as a [`notice`]; it
//! builds and removes nothing itself. So a webhook and a notice of the same thing are taken one
//! after the other, whichever comes first, and the second has nothing left to do. What is seen is
//! held against the rows, never against what an earlier look did: an interrupted look is simply
//! begun again. GitHub's word on when to come back is kept. No call is made inside a transaction.
//!
//! | part | holds against each other |
//! |---|---|
//! | [`deliveries`] | GitHub's failed deliveries; those that are here |
//! | [`branches`] | heads of branches that a rule names; what was built of them |
//! | [`pulls`] | open pull requests and branches; what was built, and previews that stand |

mod branches;
mod deliveries;
mod notice;
mod pulls;

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use github::GitHub;
use model::reconcile::Part;
use model::{AppId, BranchName, CommitSha};
use store::app::App;
use store::leader::Leader;
use tokio_util::sync::CancellationToken;

pub(crate) use notice::{Noticed, covered, is_notice, take};

use crate::{Engine, RECOVERY, inspect, pause};

/// Apps looked at in one turn: with three lists each this stays far below GitHub's limit of 5,000
/// calls an hour ("Rate limits for the REST API", docs.github.com).
const APPS_PER_TURN: i64 = 50;
/// GitHub's lists may be some seconds behind what it has told by webhook: what was built so
/// recently is left to the next look.
const BEHIND: Duration = Duration::from_secs(10);

/// How often the server looks by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconcile {
    /// At GitHub, and whether a stage is to be looked at for drift.
    pub every: Duration,
    /// At the stacks of each account; `None`: only when a person asks.
    pub sweep_every: Option<Duration>,
}

impl Default for Reconcile {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(5 * 60),
            sweep_every: Some(Duration::from_secs(24 * 60 * 60)),
        }
    }
}

/// Why a look ended before its end.
enum Halt {
    GitHub(github::Error),
    /// A fault of ours.
    Ours(anyhow::Error),
}

impl From<github::Error> for Halt {
    fn from(error: github::Error) -> Self {
        Self::GitHub(error)
    }
}

impl From<anyhow::Error> for Halt {
    fn from(error: anyhow::Error) -> Self {
        Self::Ours(error)
    }
}

impl From<store::Error> for Halt {
    fn from(error: store::Error) -> Self {
        Self::Ours(error.into())
    }
}

/// How a part of a look went.
enum Went {
    /// Everything from this moment back was seen.
    Well(DateTime<Utc>),
    /// There is nothing that could be looked at, and why.
    Off(String),
}

/// What was found out about commits and need not be asked again while this process leads.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Heads that were there before the app's file was put into force: nobody pushed them since.
    old: BTreeSet<(AppId, CommitSha)>,
}

/// What GitHub says of an app's repository, and since when.
struct Seen {
    at: DateTime<Utc>,
    branches: Vec<(BranchName, CommitSha)>,
    pulls: Vec<github::PullRequestInfo>,
}

impl Seen {
    fn has(&self, branch: &BranchName) -> bool {
        self.branches.iter().any(|(name, _)| name == branch)
    }
}

/// Runs until `stop`, in one process at a time.
pub(crate) async fn run(engine: &Engine, stop: &CancellationToken) {
    while let Some(mut leader) = engine.lead("reconcile", stop).await {
        let mut memory = Memory::default();
        while !stop.is_cancelled() {
            match turn(engine, &mut leader, &mut memory).await {
                Ok(wait) if engine.github.get().is_some() => pause(wait, stop).await,
                // an identity that comes is used at once
                Ok(wait) => tokio::select! {
                    () = pause(wait, stop) => {}
                    _ = engine.github.connected() => {}
                },
                Err(error) => {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "reconciling failed; it is tried again"
                    );
                    pause(RECOVERY, stop).await;
                    break;
                }
            }
        }
    }
}

/// One look at everything; how long until the next.
async fn turn(
    engine: &Engine,
    leader: &mut Leader,
    memory: &mut Memory,
) -> anyhow::Result<Duration> {
    leader.confirm().await?;
    inspect::pass(engine).await?;
    let every = engine.reconcile.every;
    match engine.github.get() {
        Some(github) => Ok(look(engine, &github, memory).await?.unwrap_or(every).max(every)),
        None => {
            off(engine).await?;
            Ok(every)
        }
    }
}

/// Without an identity on GitHub nothing can be asked.
async fn off(engine: &Engine) -> anyhow::Result<()> {
    let why = "the server has no identity on GitHub: make one on the setup pages (`greenroom setup-link` \
               prints the way there), or set github.token, or github.app_id and \
               github.private_key_file";
    let mut conn = engine.db.acquire().await?;
    for part in Part::ALL {
        store::reconcile::set_off(&mut conn, part, None, why, engine.now()).await?;
    }
    Ok(())
}

/// Answers how long GitHub wants to be left alone, if it does.
pub(crate) async fn look(
    engine: &Engine,
    github: &GitHub,
    memory: &mut Memory,
) -> anyhow::Result<Option<Duration>> {
    let apps = {
        let mut conn = engine.db.acquire().await?;
        store::reconcile::set_on(&mut conn).await?;
        store::reconcile::next_apps(&mut conn, APPS_PER_TURN).await?
    };
    if let Some(wait) = deliveries::look(engine, github, &apps).await? {
        return Ok(Some(wait));
    }
    for app in &apps {
        let seen = match see(engine, github, app).await {
            Ok(seen) => seen,
            Err(error) => {
                let wait = limit(&error);
                for part in [Part::Branches, Part::PullRequests] {
                    note_failure(engine, part, Some(app.id), &error).await?;
                }
                match wait {
                    Some(wait) => return Ok(Some(wait)),
                    None => continue,
                }
            }
        };
        let went = branches::look(engine, github, app, &seen, memory).await;
        if let Some(wait) = note(engine, Part::Branches, Some(app.id), went).await? {
            return Ok(Some(wait));
        }
        let went = pulls::look(engine, github, app, &seen, memory).await;
        if let Some(wait) = note(engine, Part::PullRequests, Some(app.id), went).await? {
            return Ok(Some(wait));
        }
    }
    Ok(None)
}

/// Branches first: a pull request that is opened in between has its branch all the same.
async fn see(engine: &Engine, github: &GitHub, app: &App) -> Result<Seen, github::Error> {
    let at = engine.now();
    let branches = github.branches(&app.repository).await?;
    let pulls = github.open_pull_requests(&app.repository).await?;
    let known = branches.into_iter().filter_map(|branch| {
        // what is no branch's name for us is named by no rule either
        Some((branch.name.parse().ok()?, branch.head))
    });
    Ok(Seen { at, branches: known.collect(), pulls })
}

/// Writes down how a part went; answers how long GitHub wants to be left alone.
async fn note(
    engine: &Engine,
    part: Part,
    app: Option<AppId>,
    went: Result<Went, Halt>,
) -> anyhow::Result<Option<Duration>> {
    let mut conn = engine.db.acquire().await?;
    match went {
        Ok(Went::Well(began)) => {
            store::reconcile::went_well(&mut conn, part, app, began).await?;
            Ok(None)
        }
        Ok(Went::Off(why)) => {
            store::reconcile::set_off(&mut conn, part, app, &why, engine.now()).await?;
            Ok(None)
        }
        Err(Halt::GitHub(error)) => {
            drop(conn);
            note_failure(engine, part, app, &error).await?;
            Ok(limit(&error))
        }
        Err(Halt::Ours(error)) => Err(error.context(part.as_str())),
    }
}

async fn note_failure(
    engine: &Engine,
    part: Part,
    app: Option<AppId>,
    error: &github::Error,
) -> anyhow::Result<()> {
    let reason = error.to_string();
    tracing::warn!(part = part.as_str(), reason, "GitHub could not be looked at");
    let mut conn = engine.db.acquire().await?;
    store::reconcile::failed(&mut conn, part, app, &reason, engine.now()).await?;
    Ok(())
}

/// A limit is of all that we ask, so the whole turn ends with it.
fn limit(error: &github::Error) -> Option<Duration> {
    match error {
        github::Error::RateLimited { retry_after } => Some(*retry_after),
        github::Error::Unavailable { retry_after, .. } => *retry_after,
        github::Error::Unauthorized { .. }
        | github::Error::Forbidden { .. }
        | github::Error::NotVisible { .. }
        | github::Error::Rejected { .. }
        | github::Error::Garbled { .. } => None,
    }
}

/// Whether something was built so recently that GitHub's lists may not know of it.
fn is_recent(engine: &Engine, seen: &Seen, built_at: DateTime<Utc>) -> bool {
    let behind = BEHIND.min(engine.reconcile.every);
    built_at >= seen.at - TimeDelta::from_std(behind).unwrap_or_default()
}
