//! How often a test looks for what it waits for.
//!
//! Often at first, then less and less: who has waited for a while can wait a tenth of it longer, and
//! asking without a pause takes the processors from what is waited for.

use std::time::Duration;

use tokio::time::{Instant, Interval};

const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(250);

pub(crate) struct Pace {
    began: Instant,
    turns: Interval,
}

impl Pace {
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), turns: tokio::time::interval(SHORTEST) }
    }

    /// The first is at once.
    pub(crate) async fn turn(&mut self) {
        self.turns.tick().await;
        self.turns.reset_after((self.began.elapsed() / 10).clamp(SHORTEST, LONGEST));
    }
}
