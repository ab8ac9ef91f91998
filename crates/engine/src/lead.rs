//! How many commits a stage is behind the one it is promoted from, asked of GitHub whenever either
//! of them runs another commit.
//!
//! What always holds: the rows say what is to be asked, so nothing is lost by a crash and nothing
//! is asked twice of the same two commits; a failure is kept with the time of the next try, which
//! GitHub may put off. It is a figure for the board: nothing waits for it, and it is never asked
//! for inside a transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use github::{GitHub, Relation};
use model::stage::same_stage;
use model::{CommitSha, RepositoryName, StageId};
use store::app::App;
use store::lead::{Found, Lead, Standing};
use store::leader::Leader;
use store::signals::Topic;
use tokio_util::sync::CancellationToken;

use crate::{Engine, RECOVERY, pause};

/// How often the rows are looked at.
const EVERY: Duration = Duration::from_secs(5);
/// Pairs asked for in one turn: GitHub's limit is shared with what matters more.
const PER_TURN: usize = 10;
const FIRST_RETRY: Duration = Duration::from_secs(30);
const LONGEST_RETRY: Duration = Duration::from_secs(60 * 60);

/// Two stages of which GitHub is to say how they lie apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    repository: RepositoryName,
    stage: StageId,
    from: StageId,
    base: CommitSha,
    head: CommitSha,
    /// How often it was asked in vain.
    failures: u32,
}

/// Runs until `stop`, in one process at a time.
pub(crate) async fn run(engine: &Engine, stop: &CancellationToken) {
    tokio::select! {
        _ = engine.github.connected() => {}
        () = stop.cancelled() => return,
    }
    while let Some(mut leader) = engine.lead("stage_lead", stop).await {
        while !stop.is_cancelled() {
            if let Err(error) = turn(engine, &mut leader).await {
                tracing::error!(
                    error = format!("{error:#}"),
                    "stages could not be compared; tried again"
                );
                pause(RECOVERY, stop).await;
                break;
            }
            pause(EVERY, stop).await;
        }
    }
}

async fn turn(engine: &Engine, leader: &mut Leader) -> anyhow::Result<()> {
    leader.confirm().await?;
    match engine.github.get() {
        Some(github) => pass(engine, &github).await,
        None => Ok(()),
    }
}

/// Asks what is to be asked now, within bounds.
pub(crate) async fn pass(engine: &Engine, github: &GitHub) -> anyhow::Result<()> {
    let questions = {
        let mut conn = engine.db.acquire().await?;
        let apps = store::app::list(&mut conn).await?;
        let standing = store::lead::standing(&mut conn).await?;
        let known = store::lead::list(&mut conn).await?;
        questions(&apps, &standing, &known, engine.now())
    };
    let mut answered = false;
    for question in questions.into_iter().take(PER_TURN) {
        let (found, goes_on) = ask(github, &question, engine.now()).await;
        let Question { stage: stage_id, from: from_stage, base, head, .. } = question;
        let lead = Lead { stage_id, from_stage, base, head, found };
        let mut conn = engine.db.acquire().await?;
        store::lead::put(&mut conn, &lead, engine.now()).await?;
        answered = true;
        if !goes_on {
            break;
        }
    }
    if answered {
        engine.signals.touched(Topic::Board);
    }
    Ok(())
}

/// The pairs of which nothing is known as they are now, and those whose next try is due.
fn questions(
    apps: &[App],
    standing: &[Standing],
    known: &[Lead],
    now: DateTime<Utc>,
) -> Vec<Question> {
    let known: BTreeMap<StageId, &Lead> = known.iter().map(|lead| (lead.stage_id, lead)).collect();
    let mut questions = Vec::new();
    for app in apps {
        let of_app: Vec<&Standing> = standing.iter().filter(|one| one.app_id == app.id).collect();
        for (name, settings) in &app.settings.stages {
            let Some(from) = &settings.promote_from else { continue };
            let find = |wanted| of_app.iter().find(|one| same_stage(&one.stage, wanted));
            let (Some(to), Some(from)) = (find(name), find(from)) else { continue };
            let before = known.get(&to.stage_id).filter(|lead| {
                lead.from_stage == from.stage_id
                    && lead.base == to.commit
                    && lead.head == from.commit
            });
            let failures = match before.map(|lead| &lead.found) {
                None => 0,
                Some(Found::Unknown { failures, retry_at }) if *retry_at <= now => *failures,
                Some(Found::Unknown { .. } | Found::Counted { .. } | Found::Unrelated) => continue,
            };
            questions.push(Question {
                repository: app.repository.clone(),
                stage: to.stage_id,
                from: from.stage_id,
                base: to.commit.clone(),
                head: from.commit.clone(),
                failures,
            });
        }
    }
    questions
}

/// What GitHub says, and whether it may be asked more now.
async fn ask(github: &GitHub, question: &Question, now: DateTime<Utc>) -> (Found, bool) {
    if question.base == question.head {
        return (Found::Counted { ahead_by: 0, behind_by: 0 }, true);
    }
    match github.compare(&question.repository, &question.base, &question.head).await {
        Ok(None) => (Found::Unrelated, true),
        Ok(Some(comparison)) => (counted(comparison.relation), true),
        Err(error) => {
            tracing::warn!(%error, repository = %question.repository,
                "GitHub could not be asked how far a stage is behind");
            let wait =
                error.retry_after().unwrap_or(Duration::ZERO).max(backoff(question.failures));
            let retry_at = now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::hours(1));
            let failures = question.failures.saturating_add(1);
            (Found::Unknown { failures, retry_at }, !error.is_transient())
        }
    }
}

fn counted(relation: Relation) -> Found {
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let (ahead_by, behind_by) = match relation {
        Relation::Identical => (0, 0),
        Relation::Ahead { by } => (count(by), 0),
        Relation::Behind { by } => (0, count(by)),
        Relation::Diverged { ahead_by, behind_by } => (count(ahead_by), count(behind_by)),
    };
    Found::Counted { ahead_by, behind_by }
}

/// Twice as long after each failure.
fn backoff(failures: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1 << failures.min(10)).min(LONGEST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_tried_again_later_each_time_and_at_least_every_hour() {
        let waits: Vec<u64> = [0, 1, 2, 6, 7, 40].map(|n| backoff(n).as_secs()).to_vec();
        assert_eq!(waits, [30, 60, 120, 1920, 3600, 3600]);
    }

    #[test]
    fn github_counts_from_the_stage_that_is_promoted_to() {
        for (relation, ahead_by, behind_by) in [
            (Relation::Identical, 0, 0),
            (Relation::Ahead { by: 3 }, 3, 0),
            (Relation::Behind { by: 2 }, 0, 2),
            (Relation::Diverged { ahead_by: 4, behind_by: 1 }, 4, 1),
        ] {
            assert_eq!(counted(relation), Found::Counted { ahead_by, behind_by });
        }
    }
}
