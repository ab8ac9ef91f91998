//! Tells GitHub what the outbox wants it to show.
//!
//! What always holds: a row holds one context's newest wanted state, so a lost send heals with
//! the next, and an older state never overtakes a newer one. A refusal that a retry cannot mend
//! is kept on the row; any other is tried again, no sooner than GitHub allows. After a crash
//! between the call and its note the same status is sent twice, which GitHub takes as once.

use std::time::Duration;

use github::{GitHub, Status, StatusState};
use store::outbox::OutboxRow;

use crate::{Engine, Progress};

const PER_TURN: i64 = 20;
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(300);

pub(crate) async fn pass(engine: &Engine, github: &GitHub) -> anyhow::Result<Progress> {
    let mut conn = engine.db.acquire().await?;
    let due = store::outbox::due(&mut conn, engine.now(), PER_TURN).await?;
    drop(conn);
    let mut progress = Progress::None;
    for row in due {
        progress = Progress::Made;
        let sent = send(github, &row).await;
        let mut conn = engine.db.acquire().await?;
        match sent {
            Ok(()) => store::outbox::sent(&mut conn, row.id, row.version).await?,
            Err(error) => {
                let text = error.to_string();
                match after(&error, row.attempts) {
                    After::Retry(wait) => {
                        let at = engine.now() + wait;
                        store::outbox::retry(&mut conn, row.id, &text, at).await?;
                    }
                    After::GiveUp => {
                        store::outbox::reject(&mut conn, row.id, &text, engine.now()).await?;
                    }
                }
                tracing::warn!(repository = %row.repository, context = row.wanted.status.context, error = text, "a status was not taken");
            }
        }
    }
    Ok(progress)
}

async fn send(github: &GitHub, row: &OutboxRow) -> Result<(), github::Error> {
    let status = Status {
        state: match row.wanted.status.state {
            model::status::StatusState::Pending => StatusState::Pending,
            model::status::StatusState::Success => StatusState::Success,
            model::status::StatusState::Failure => StatusState::Failure,
            model::status::StatusState::Error => StatusState::Error,
        },
        context: row.wanted.status.context.clone(),
        description: row.wanted.status.description.clone(),
        target_url: Some(row.wanted.target_url.clone()),
    };
    github.create_status(&row.repository, &row.commit, &status).await
}

#[derive(Debug, PartialEq, Eq)]
enum After {
    Retry(Duration),
    GiveUp,
}

/// GitHub's own word on when to come back, else twice the last wait. What an operator can mend
/// (a token, a permission) is retried too: the statuses appear when it is mended.
fn after(error: &github::Error, attempts: i32) -> After {
    use github::Error as E;
    let doubled = FIRST_RETRY.saturating_mul(1 << attempts.clamp(0, 16)).min(LAST_RETRY);
    match error {
        E::Rejected { .. } => After::GiveUp,
        E::Unauthorized { .. }
        | E::Forbidden { .. }
        | E::NotVisible { .. }
        | E::RateLimited { .. }
        | E::Unavailable { .. }
        | E::Garbled { .. } => After::Retry(error.retry_after().unwrap_or(doubled)),
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
        assert_eq!(after(&limited, 0), After::Retry(wait));
    }

    #[test]
    fn what_github_will_never_take_is_given_up() {
        let rejected = github::Error::Rejected { status: 422, message: "no such sha".into() };
        assert_eq!(after(&rejected, 0), After::GiveUp);
    }
}
