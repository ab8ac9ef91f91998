//! Deliveries that arrive together are committed together.
//!
//! What always holds: [`Inbox::store`] answers after the commit of its delivery, never before. One
//! commit is under way at a time; whatever arrives meanwhile goes with the next, so the rate of
//! webhooks is not bounded by the rate of commits. One delivery that the database refuses harms no
//! other. A request that is given up leaves its delivery to be committed all the same. After a
//! crash nothing was answered that is not there.

use std::sync::{Arc, Mutex, PoisonError};

use store::Database;
use store::delivery::{Inserted, NewDelivery};
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// What goes into one statement; a single larger delivery goes alone.
const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;

type Answer = std::result::Result<Inserted, store::Error>;

pub(crate) struct Inbox {
    db: Database,
    waiting: Mutex<Vec<Waiting>>,
    /// Held by whoever commits.
    turn: tokio::sync::Mutex<()>,
}

struct Waiting {
    delivery: NewDelivery,
    tell: oneshot::Sender<Answer>,
}

impl Inbox {
    pub(crate) fn new(db: Database) -> Arc<Self> {
        let (waiting, turn) = (Mutex::default(), tokio::sync::Mutex::default());
        Arc::new(Self { db, waiting, turn })
    }

    /// Stores one delivery, together with those that wait for the same moment.
    pub(crate) async fn store(self: &Arc<Self>, delivery: NewDelivery) -> Result<Inserted> {
        let (tell, told) = oneshot::channel();
        self.waiting().push(Waiting { delivery, tell });
        // on a task of its own: others may wait for it when this request is given up
        tokio::spawn(Arc::clone(self).commit());
        Ok(told.await.map_err(Error::internal)??)
    }

    async fn commit(self: Arc<Self>) {
        let _turn = self.turn.lock().await;
        let batch = self.take();
        let (deliveries, tells): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.delivery, waiting.tell)).unzip();
        let answers: Vec<Answer> = match deliveries.as_slice() {
            // another request's turn took this one's along
            [] => Vec::new(),
            [_] => vec![self.insert_one(&deliveries).await],
            [_, _, ..] => match self.insert(&deliveries).await {
                Ok(inserted) => inserted.into_iter().map(Ok).collect(),
                Err(_) => {
                    let mut answers = Vec::new();
                    for delivery in deliveries {
                        answers.push(self.insert_one(&[delivery]).await);
                    }
                    answers
                }
            },
        };
        for (tell, answer) in tells.into_iter().zip(answers) {
            // an error means that the request was given up
            let _ = tell.send(answer);
        }
    }

    /// The oldest that fit into one statement.
    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting();
        let mut bytes = 0_usize;
        let fitting = waiting.iter().take_while(|one| {
            let first = bytes == 0;
            bytes += one.delivery.body.len().max(1);
            first || bytes <= MAX_BATCH_BYTES
        });
        let count = fitting.count();
        waiting.drain(..count).collect()
    }

    async fn insert(
        &self,
        deliveries: &[NewDelivery],
    ) -> std::result::Result<Vec<Inserted>, store::Error> {
        let mut conn = self.db.acquire().await?;
        store::delivery::insert(&mut conn, deliveries).await
    }

    async fn insert_one(&self, delivery: &[NewDelivery]) -> Answer {
        let inserted = self.insert(delivery).await?;
        inserted.first().copied().ok_or_else(|| store::Error::NotFound {
            what: "the delivery that was stored just now".into(),
        })
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
