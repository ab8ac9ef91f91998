//! A worker's hold on one job: the heartbeat that keeps it, and the one place that says when the
//! job must stop and why.
//!
//! What always holds: a job whose lease may have run out is stopped before another worker can
//! begin it (the deadline counts from when a heartbeat was *sent*, less a tenth); the first reason to stop is
//! the one that stands.
//!
//! After a crash nothing is left to hold: the server sees no heartbeat and gives the job back.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use model::worker_api::Directive;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::client::{CallError, JobClient};
use crate::retry::Backoff;

/// Why a running job must end before its own end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Another attempt holds the job, or may: end everything, report nothing.
    Lost,
    /// The server asks for it: end everything, report `canceled`.
    Canceled { reason: String },
    /// This worker process ends and its grace period is over: report nothing, the lease runs out.
    Shutdown,
}

/// Shared by everything that works on one job.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    token: CancellationToken,
    /// Nothing more may be said to the server about this attempt.
    silenced: CancellationToken,
    why: Arc<OnceLock<Stop>>,
}

impl Hold {
    pub(crate) fn new() -> Self {
        Self {
            token: CancellationToken::new(),
            silenced: CancellationToken::new(),
            why: Arc::new(OnceLock::new()),
        }
    }

    /// Ends the job's work. Only the first reason counts, but a job that is lost is lost even
    /// after it was canceled.
    pub(crate) fn stop(&self, why: Stop) {
        let silence = match &why {
            Stop::Lost | Stop::Shutdown => true,
            Stop::Canceled { .. } => false,
        };
        // Set before the token: whoever sees the token canceled finds the reason.
        drop(self.why.set(why));
        self.token.cancel();
        if silence {
            self.silenced.cancel();
        }
    }

    /// Whether the attempt must end without a word.
    pub(crate) fn silenced(&self) -> bool {
        self.silenced.is_cancelled()
    }

    pub(crate) fn stopped(&self) -> Option<&Stop> {
        self.why.get()
    }

    /// Canceled once the job must stop.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Repeats a call that the job needs while the server cannot be reached; ends early when the
    /// job must stop. A conflict in the answer stops the job.
    pub(crate) async fn ask<T, F, Fut>(&self, call: F) -> Result<T, Interrupted>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, CallError>>,
    {
        self.repeat(&self.token, call).await
    }

    /// The same for what the server is told: a canceled job still says how it ended.
    pub(crate) async fn tell<T, F, Fut>(&self, call: F) -> Result<T, Interrupted>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, CallError>>,
    {
        self.repeat(&self.silenced, call).await
    }

    async fn repeat<T, F, Fut>(
        &self,
        until: &CancellationToken,
        mut call: F,
    ) -> Result<T, Interrupted>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, CallError>>,
    {
        let mut backoff = Backoff::server();
        loop {
            let answer = tokio::select! {
                biased;
                () = until.cancelled() => return Err(Interrupted::Stopped),
                answer = call() => answer,
            };
            match answer {
                Ok(value) => return Ok(value),
                Err(CallError::Lost { detail }) => {
                    tracing::info!(detail, "the job is no longer ours");
                    self.stop(Stop::Lost);
                    return Err(Interrupted::Stopped);
                }
                Err(CallError::Refused { status, detail }) => {
                    return Err(Interrupted::Refused { status, detail });
                }
                Err(CallError::Local { detail }) => return Err(Interrupted::Local { detail }),
                Err(CallError::Unavailable { reason }) => {
                    tracing::debug!(reason, "the server cannot be reached, asking again");
                }
            }
            tokio::select! {
                () = until.cancelled() => return Err(Interrupted::Stopped),
                () = tokio::time::sleep(backoff.wait()) => {}
            }
        }
    }
}

/// Why a repeated call ended without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Interrupted {
    Stopped,
    Refused {
        status: u16,
        detail: String,
    },
    /// A fault of this machine.
    Local {
        detail: String,
    },
}

/// Keeps the lease until `done` is canceled; stops the job when the lease may be gone or the
/// server says so.
pub(crate) async fn keep(
    client: &JobClient,
    hold: &Hold,
    lease: Duration,
    claimed_at: Instant,
    done: &CancellationToken,
) {
    let every = lease / 3;
    // A tenth of the lease is left for ending the job's processes.
    let safe = lease - lease / 10;
    let mut deadline = claimed_at + safe;
    let mut next = claimed_at + every;
    let mut backoff = Backoff::server();
    loop {
        tokio::select! {
            () = done.cancelled() => return,
            () = tokio::time::sleep_until(next.min(deadline)) => {}
        }
        let sent = Instant::now();
        if sent >= deadline {
            tracing::warn!("no heartbeat came through before the lease ended; stopping the job");
            hold.stop(Stop::Lost);
            return;
        }
        let answer = tokio::select! {
            () = done.cancelled() => return,
            answer = tokio::time::timeout_at(deadline, client.heartbeat()) => answer,
        };
        match answer {
            Ok(Ok(heartbeat)) => {
                backoff.reset();
                deadline = sent + safe;
                next = sent + every;
                match heartbeat.directive {
                    Directive::Continue => {}
                    Directive::Cancel { reason } => hold.stop(Stop::Canceled { reason }),
                }
            }
            Ok(Err(CallError::Lost { detail })) => {
                tracing::info!(detail, "the job is no longer ours; stopping it");
                hold.stop(Stop::Lost);
                return;
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "a heartbeat failed");
                next = Instant::now() + backoff.wait();
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_to_stop_stands() {
        let hold = Hold::new();
        hold.stop(Stop::Canceled { reason: "newer push".to_owned() });
        hold.stop(Stop::Shutdown);
        assert_eq!(hold.stopped(), Some(&Stop::Canceled { reason: "newer push".to_owned() }));
        assert!(hold.token().is_cancelled());
    }

    #[tokio::test]
    async fn a_canceled_job_still_tells_how_it_ended_and_a_lost_one_is_silent() {
        let hold = Hold::new();
        hold.stop(Stop::Canceled { reason: "newer push".to_owned() });
        assert_eq!(hold.ask(|| async { Ok(()) }).await, Err(Interrupted::Stopped));
        assert_eq!(hold.tell(|| async { Ok(()) }).await, Ok(()));
        hold.stop(Stop::Lost);
        assert_eq!(hold.tell(|| async { Ok(()) }).await, Err(Interrupted::Stopped));
    }

    #[tokio::test]
    async fn a_call_is_repeated_until_the_server_is_back() {
        let mut tries = 0;
        let answer = Hold::new()
            .ask(|| {
                tries += 1;
                let back = tries > 1;
                async move {
                    if back {
                        Ok(tries)
                    } else {
                        Err(CallError::Unavailable { reason: "connection refused".to_owned() })
                    }
                }
            })
            .await;
        assert_eq!(answer, Ok(2));
    }

    #[tokio::test]
    async fn a_conflict_in_any_answer_stops_the_job() {
        let hold = Hold::new();
        let answer: Result<(), Interrupted> = hold
            .ask(|| async { Err(CallError::Lost { detail: "attempt 2 holds it".to_owned() }) })
            .await;
        assert_eq!(answer, Err(Interrupted::Stopped));
        assert_eq!(hold.stopped(), Some(&Stop::Lost));
    }
}
