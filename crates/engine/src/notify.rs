//! Tells people elsewhere what happens: what is news to them is found when a build is settled
//! ([`want`]), and sent by a pass of its own.
//!
//! What always holds: a row holds the newest message about one thing, so a lost send heals with the
//! next, and an older state never overtakes a newer one. Receivers are told side by side and none
//! waits for another; what one of them is told comes in the order in which it happened, as far as it
//! takes it. What nobody takes for a day is given up, visibly.

mod news;
mod send;

use std::time::Duration;

use chrono::TimeDelta;
use store::leader::Leader;
use tokio_util::sync::CancellationToken;

use crate::{Engine, POLL, Progress, RECOVERY, pause};

pub(crate) use news::{want, want_of_personal, was_told};
pub(crate) use send::pass;

/// How long it is known what builds have told.
const KEPT: TimeDelta = TimeDelta::days(90);
const FORGOTTEN_PER_TURN: i64 = 1000;
const FORGET_EVERY: Duration = Duration::from_secs(60 * 60);

/// Runs until `stop`, in one process at a time.
pub(crate) async fn run(engine: &Engine, stop: &CancellationToken) {
    while let Some(mut leader) = engine.lead("notify", stop).await {
        let mut forgotten = None;
        while !stop.is_cancelled() {
            if let Err(error) = turn(engine, &mut leader, &mut forgotten).await {
                tracing::error!(
                    error = format!("{error:#}"),
                    "nobody could be notified; tried again"
                );
                pause(RECOVERY, stop).await;
                break;
            }
            pause(POLL, stop).await;
        }
    }
}

async fn turn(
    engine: &Engine,
    leader: &mut Leader,
    forgotten: &mut Option<tokio::time::Instant>,
) -> anyhow::Result<()> {
    leader.confirm().await?;
    while pass(engine).await? == Progress::Made {}
    if forgotten.is_none_or(|last| last.elapsed() >= FORGET_EVERY) {
        let mut conn = engine.db.acquire().await?;
        store::notification::forget(&mut conn, engine.now() - KEPT, FORGOTTEN_PER_TURN).await?;
        *forgotten = Some(tokio::time::Instant::now());
    }
    Ok(())
}
