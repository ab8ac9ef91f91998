//! Leases that ran out: the worker fell silent, so another may have the job.
//!
//! What always holds: a job is requeued with a higher attempt, so the silent worker, should it
//! wake, can write nothing more. A deploy's next attempt looks at its stack before it acts.

use crate::{Engine, Progress};

const PER_TURN: i64 = 100;

pub(crate) async fn pass(engine: &Engine) -> anyhow::Result<Progress> {
    let mut tx = engine.db.begin().await?;
    let lost = store::job::expire(&mut tx, engine.now(), PER_TURN).await?;
    tx.commit().await?;
    if lost.is_empty() {
        return Ok(Progress::None);
    }
    metrics::counter!("greenroom_leases_expired_total").increment(lost.len() as u64);
    tracing::warn!(jobs = lost.len(), "leases ran out: the jobs are given to other workers");
    engine.signals.wake_workers();
    Ok(Progress::Made)
}
