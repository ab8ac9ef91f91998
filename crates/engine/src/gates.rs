//! Builds that wait at a gate are looked at again when time alone may have opened or closed it: a
//! freeze begins or ends, or the time for an approval is over.
//!
//! What always holds: the pass only marks builds; what becomes of them, [`crate::settle`] decides.

use crate::{Engine, Progress};

const PER_TURN: i64 = 100;

pub(crate) async fn pass(engine: &Engine) -> anyhow::Result<Progress> {
    let mut conn = engine.db.acquire().await?;
    match store::build::mark_due(&mut conn, engine.now(), PER_TURN).await? {
        0 => Ok(Progress::None),
        _ => Ok(Progress::Made),
    }
}
