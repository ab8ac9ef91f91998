//! How far the job's change of stacks is, told to the server while it goes on.
//!
//! What always holds: telling neither fails nor delays a job. What comes is counted at once; a task
//! of its own tells it, at most once a second and only when it is something else. The last word is
//! tried before the job's end is reported.
//!
//! After a crash the server keeps the last word until the next attempt has one.

mod count;
mod expected;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws::stack::StackEvent;
use model::worker_api;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::count::Count;
pub(super) use self::expected::{of_deploy, of_removal};
use crate::client::{CallError, JobClient};

/// Between two calls.
const APART: Duration = Duration::from_secs(1);
/// For the last word: the job's end does not wait longer for it.
const LAST_WORD: Duration = Duration::from_secs(5);

/// What a job has to say of its progress. Clones count together.
#[derive(Clone)]
pub(super) struct Progress {
    count: Arc<Mutex<Count>>,
    said: Arc<Mutex<Option<Telling>>>,
}

/// The task that tells, and what it is told.
struct Telling {
    word: watch::Sender<worker_api::Progress>,
    task: JoinHandle<()>,
    /// Nothing more comes.
    ending: CancellationToken,
}

impl Progress {
    pub(super) fn start(client: JobClient) -> Self {
        let (word, heard) = watch::channel(worker_api::Progress::default());
        let ending = CancellationToken::new();
        let task = tokio::spawn(tell(client, heard, ending.clone()).in_current_span());
        let said = Some(Telling { word, task, ending });
        Self { count: Arc::default(), said: Arc::new(Mutex::new(said)) }
    }

    /// A change of these stacks begins, with so many resources in each.
    pub(super) fn expect(&self, stacks: BTreeMap<String, usize>) {
        self.with(|count| *count = Count::of(stacks));
    }

    pub(super) fn see(&self, event: &StackEvent) {
        self.with(|count| count.see(event));
    }

    /// The change went through: what did not come was not meant to.
    pub(super) fn complete(&self) {
        self.with(Count::complete);
    }

    fn with(&self, change: impl FnOnce(&mut Count)) {
        let word = {
            let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut count);
            count.word()
        };
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(telling) = said.as_ref() {
            telling.word.send_if_modified(|known| {
                let other = *known != word;
                *known = word;
                other
            });
        }
    }

    /// Nothing comes any more: says the last word.
    pub(super) async fn told(&self) {
        let telling = self.said.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Telling { word, mut task, ending }) = telling else { return };
        drop(word);
        ending.cancel();
        if tokio::time::timeout(LAST_WORD, &mut task).await.is_err() {
            task.abort();
        }
    }
}

async fn tell(
    client: JobClient,
    mut heard: watch::Receiver<worker_api::Progress>,
    ending: CancellationToken,
) {
    // what was said last is heard also when nobody speaks any more
    while heard.changed().await.is_ok() {
        let word = heard.borrow_and_update().clone();
        match client.progress(&word).await {
            Ok(()) => {}
            // the heartbeat ends the job; whoever does not want to hear it need not be asked again
            Err(CallError::Lost { .. } | CallError::Refused { .. }) => return,
            Err(error @ (CallError::Unavailable { .. } | CallError::Local { .. })) => {
                tracing::debug!(%error, "how far the job is could not be told");
            }
        }
        tokio::select! {
            () = ending.cancelled() => {}
            () = tokio::time::sleep(APART) => {}
        }
    }
}
