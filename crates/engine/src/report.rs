//! Tells GitHub what the outbox wants it to show.
//!
//! What always holds: a row holds the newest wish about one thing, so a lost send heals with the
//! next, and an older state never overtakes a newer one. A repository is told one thing after
//! another, a few repositories at the same time. A refusal that a retry cannot mend is kept
//! on the row; any other is tried again, no sooner than GitHub allows. After a crash between the
//! call and its note the same wish is sent twice, which GitHub takes as once: a status replaces its
//! like, a reaction is there once, and comments and deployments are looked for before they are made.

mod comment;
mod deployment;
mod reaction;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use github::{GitHub, Status, StatusState};
use model::RepositoryName;
use store::outbox::{OutboxRow, StatusWish, Wish};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{Engine, Progress};

const PER_TURN: i64 = 50;
/// Repositories that are told something at the same time. GitHub asks for few calls at once (its
/// documentation, "Best practices for using the REST API") and refuses more than a hundred.
const AT_ONCE: usize = 4;
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(300);
/// For what waits until somebody grants us something: many rows may wait for the same.
const LAST_RETRY_OF_MISSING_RIGHT: Duration = Duration::from_secs(60 * 60);

pub(crate) async fn pass(engine: &Engine, github: &GitHub) -> anyhow::Result<Progress> {
    let mut conn = engine.db.acquire().await?;
    let due = store::outbox::due(&mut conn, engine.now(), PER_TURN).await?;
    drop(conn);
    if due.is_empty() {
        return Ok(Progress::None);
    }
    let mut repositories: HashMap<RepositoryName, Vec<OutboxRow>> = HashMap::new();
    for row in due {
        repositories.entry(row.repository.clone()).or_default().push(row);
    }
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let alone = CancellationToken::new();
    let mut tasks = JoinSet::new();
    for rows in repositories.into_values() {
        let (engine, github) = (engine.clone(), github.clone());
        let (room, alone) = (Arc::clone(&room), alone.clone());
        tasks.spawn(async move {
            let _place = room.acquire_owned().await?;
            tell(&engine, &github, rows, &alone).await
        });
    }
    // the others' calls are not cut off by one that cannot be noted
    let mut told = Ok(Progress::Made);
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended.context("a repository's task was ended")? {
            told = Err(error);
        }
    }
    told
}

/// Tells GitHub all of one repository, in order, unless it wants to be left alone.
async fn tell(
    engine: &Engine,
    github: &GitHub,
    rows: Vec<OutboxRow>,
    alone: &CancellationToken,
) -> anyhow::Result<()> {
    for row in rows {
        if alone.is_cancelled() {
            break;
        }
        match send(engine, github, &row).await {
            Ok(()) => {
                count(&row, "sent");
                let mut conn = engine.db.acquire().await?;
                store::outbox::sent(&mut conn, row.id, row.version).await?;
            }
            Err(Unsent::GitHub(error)) => {
                if put_off(engine, &row, &error).await? == Next::Later {
                    alone.cancel();
                }
            }
            Err(Unsent::Note(error)) => return Err(error),
        }
    }
    Ok(())
}

fn count(row: &OutboxRow, outcome: &'static str) {
    let labels = [("kind", row.wish.kind()), ("outcome", outcome)];
    metrics::counter!("greenroom_outbox_sends_total", &labels).increment(1);
}

/// Why a wish is not known to be done.
enum Unsent {
    GitHub(github::Error),
    /// GitHub was told, and the row was not.
    Note(anyhow::Error),
}

impl From<github::Error> for Unsent {
    fn from(error: github::Error) -> Self {
        Self::GitHub(error)
    }
}

impl From<store::Error> for Unsent {
    fn from(error: store::Error) -> Self {
        Self::Note(error.into())
    }
}

async fn send(engine: &Engine, github: &GitHub, row: &OutboxRow) -> Result<(), Unsent> {
    match &row.wish {
        Wish::Status(wish) => send_status(github, row, wish).await,
        Wish::Comment(wish) => comment::send(engine, github, row, wish).await,
        Wish::Deployment(wish) => deployment::send(engine, github, row, wish).await,
        Wish::Reaction(wish) => reaction::send(github, row, wish).await,
    }
}

async fn send_status(github: &GitHub, row: &OutboxRow, wish: &StatusWish) -> Result<(), Unsent> {
    let status = Status {
        state: match wish.status.state {
            model::status::StatusState::Pending => StatusState::Pending,
            model::status::StatusState::Success => StatusState::Success,
            model::status::StatusState::Failure => StatusState::Failure,
            model::status::StatusState::Error => StatusState::Error,
        },
        context: wish.status.context.clone(),
        description: wish.status.description.clone(),
        target_url: Some(wish.target_url.clone()),
    };
    Ok(github.create_status(&row.repository, &wish.commit, &status).await?)
}

/// Notes what GitHub made of the row's wish, so that the next wish changes it.
async fn remember(engine: &Engine, row: &OutboxRow, github_id: Option<u64>) -> Result<(), Unsent> {
    let id = github_id.map(i64::try_from).transpose();
    let id = id.map_err(|error| Unsent::Note(error.into()))?;
    let mut conn = engine.db.acquire().await?;
    Ok(store::outbox::remember(&mut conn, row.id, id).await?)
}

/// What GitHub made of an earlier wish of the row.
fn remembered(row: &OutboxRow) -> Option<u64> {
    row.github_id.and_then(|id| u64::try_from(id).ok())
}

/// Whether GitHub may be asked for anything else now.
#[derive(PartialEq, Eq)]
enum Next {
    AtOnce,
    Later,
}

async fn put_off(engine: &Engine, row: &OutboxRow, error: &github::Error) -> anyhow::Result<Next> {
    let text = error.to_string();
    tracing::warn!(repository = %row.repository, wish = row.wish.what(), error = text, "GitHub did not take it");
    let mut conn = engine.db.acquire().await?;
    match after(error, row.attempts) {
        After::Retry(wait) => {
            let at = engine.now() + wait;
            count(row, "failed");
            store::outbox::retry(&mut conn, row.id, &text, at).await?;
        }
        After::RetryAll(wait) => {
            let at = engine.now() + wait;
            count(row, "failed");
            store::outbox::retry(&mut conn, row.id, &text, at).await?;
            store::outbox::hold(&mut conn, &row.repository, at).await?;
            return Ok(Next::Later);
        }
        After::GiveUp => {
            count(row, "rejected");
            store::outbox::reject(&mut conn, row.id, &text, engine.now()).await?;
        }
    }
    Ok(Next::AtOnce)
}

#[derive(Debug, PartialEq, Eq)]
enum After {
    Retry(Duration),
    /// GitHub wants to be left alone altogether: who goes on asking is shut out for longer.
    RetryAll(Duration),
    GiveUp,
}

/// GitHub's own word on when to come back, else twice the last wait. What an operator can mend
/// (a token, a permission) is retried too: what is owed appears when it is mended.
fn after(error: &github::Error, attempts: i32) -> After {
    use github::Error as E;
    let doubled = |longest| FIRST_RETRY.saturating_mul(1 << attempts.clamp(0, 16)).min(longest);
    match error {
        E::Rejected { .. } => After::GiveUp,
        E::RateLimited { retry_after } => After::RetryAll(*retry_after),
        E::Unauthorized { .. } | E::Forbidden { .. } | E::NotVisible { .. } => {
            After::Retry(doubled(LAST_RETRY_OF_MISSING_RIGHT))
        }
        E::Unavailable { .. } | E::Garbled { .. } => {
            After::Retry(error.retry_after().unwrap_or_else(|| doubled(LAST_RETRY)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away(retry_after: Option<Duration>) -> github::Error {
        github::Error::Unavailable { problem: github::Problem::Status(502), retry_after }
    }

    #[test]
    fn a_github_that_is_away_is_asked_ever_more_seldom() {
        assert_eq!(after(&away(None), 0), After::Retry(Duration::from_secs(1)));
        assert_eq!(after(&away(None), 3), After::Retry(Duration::from_secs(8)));
        assert_eq!(after(&away(None), 30), After::Retry(LAST_RETRY));
    }

    #[test]
    fn github_says_when_to_come_back() {
        let wait = Duration::from_secs(90);
        assert_eq!(after(&away(Some(wait)), 0), After::Retry(wait));
        let limited = github::Error::RateLimited { retry_after: wait };
        assert_eq!(after(&limited, 0), After::RetryAll(wait));
    }

    #[test]
    fn what_github_will_never_take_is_given_up() {
        let rejected = github::Error::Rejected { status: 422, message: "no such sha".into() };
        assert_eq!(after(&rejected, 0), After::GiveUp);
    }

    #[test]
    fn a_right_that_is_missing_is_asked_for_every_hour_until_it_is_granted() {
        let forbidden = github::Error::Forbidden { message: "not by integration".into() };
        assert_eq!(after(&forbidden, 0), After::Retry(Duration::from_secs(1)));
        assert_eq!(after(&forbidden, 30), After::Retry(Duration::from_secs(3600)));
    }
}
