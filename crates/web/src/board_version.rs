//! A number for all that the board shows, of every app: open pages hold it against the one they were
//! made with, and are read again when it is another.
//!
//! What always holds: what is read after asking is at least as new as the number, so a page asks first.
//! Every stage is read for it, so it is read once for all who ask meanwhile, again only after a signal
//! or after a while, and never for more than a tenth of the time.

use std::time::Duration;

use model::AppId;
use store::board::Progress;
use store::build::{Build, BuildFilter, BuildState};
use store::signals::{Signals, Topic};
use store::{Database, PgConnection};
use tokio::sync::Mutex;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::time::Instant;

use crate::error::Result;

const RUNNING_SHOWN: i64 = 20;
/// A signal may be lost.
const LONGEST: Duration = Duration::from_secs(2);
/// After a reading it rests for so many times as long as that took.
const REST: u32 = 9;

pub(crate) struct BoardVersion {
    known: Mutex<Known>,
}

struct Known {
    signals: Receiver<Topic>,
    /// Something has changed since the reading.
    stale: bool,
    reading: Option<Reading>,
}

#[derive(Clone, Copy)]
struct Reading {
    number: u64,
    began: Instant,
    took: Duration,
}

impl BoardVersion {
    pub(crate) fn new(signals: &Signals) -> Self {
        let signals = signals.subscribe();
        Self { known: Mutex::new(Known { signals, stale: false, reading: None }) }
    }

    /// For a page, which waits for no rest to be over: the stream that it opens tells what came since.
    pub(crate) async fn known(&self, db: &Database) -> Result<u64> {
        Ok(self.known.lock().await.look(db).await?.0)
    }

    /// For a stream: all that was signalled before is in it.
    pub(crate) async fn current(&self, db: &Database) -> Result<u64> {
        loop {
            let (number, rest) = self.known.lock().await.look(db).await?;
            match rest {
                None => return Ok(number),
                Some(rest) => tokio::time::sleep(rest).await,
            }
        }
    }
}

impl Known {
    /// The number, and for how long what has changed since is not read.
    async fn look(&mut self, db: &Database) -> Result<(u64, Option<Duration>)> {
        self.stale |= self.is_signalled();
        if let Some(reading) = self.reading {
            let age = reading.began.elapsed();
            let rest = (reading.took * (REST + 1)).saturating_sub(age);
            if !rest.is_zero() {
                return Ok((reading.number, self.stale.then_some(rest)));
            }
            if !self.stale && age < LONGEST {
                return Ok((reading.number, None));
            }
        }
        let began = Instant::now();
        let mut conn = db.acquire().await?;
        let number = read(&mut conn).await?;
        self.reading = Some(Reading { number, began, took: began.elapsed() });
        self.stale = false;
        Ok((number, None))
    }

    fn is_signalled(&mut self) -> bool {
        let mut is_signalled = false;
        loop {
            match self.signals.try_recv() {
                Ok(Topic::Board) | Err(TryRecvError::Lagged(_)) => is_signalled = true,
                Ok(Topic::Build(_) | Topic::Log(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return is_signalled,
            }
        }
    }
}

async fn read(conn: &mut PgConnection) -> Result<u64> {
    let rows = store::board::rows(conn, None).await?;
    let running = running(conn, None).await?;
    Ok(crate::live::version(&(&rows, &running)))
}

/// What runs now, of these apps or of all, and how far it is.
pub(crate) async fn running(
    conn: &mut PgConnection,
    apps: Option<Vec<AppId>>,
) -> Result<(Vec<Build>, Vec<Progress>)> {
    let filter = BuildFilter {
        apps,
        state: Some(BuildState::Running),
        limit: RUNNING_SHOWN,
        ..BuildFilter::default()
    };
    let builds = store::build::list(conn, &filter).await?;
    let ids: Vec<_> = builds.iter().map(|build| build.id).collect();
    let progress = store::board::progress(conn, &ids).await?;
    Ok((builds, progress))
}
