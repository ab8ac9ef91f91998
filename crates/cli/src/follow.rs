//! One job's log, followed line by line to its end (server-sent events of `/jobs/{id}/log`).
//!
//! What always holds: a stream that breaks is taken up where it was, by the id of its last event,
//! so no line is lost or told twice; one that breaks again and again is given up with its reason.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::Sender;

use crate::api::Client;
use crate::build::Job;
use crate::error::{Error, Result};
use crate::sse::{Event, Events};

/// Between two tries.
const PAUSE: Duration = Duration::from_secs(2);
/// In a row, without an event between: a server that restarts is back sooner.
const TRIES: u32 = 30;

/// A line of a job's log.
pub(crate) struct Line {
    pub(crate) job: Job,
    pub(crate) text: String,
}

pub(crate) async fn follow(client: Client, job: Job, lines: Sender<Line>) -> Result<()> {
    let mut reader = Reader { job, lines, seen: None, rest: String::new(), failures: 0 };
    loop {
        match reader.read(&client).await {
            Ok(true) => return Ok(()),
            Ok(false) => reader.failures += 1,
            Err(error) if error.passes() && reader.failures < TRIES => reader.failures += 1,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

struct Reader {
    job: Job,
    lines: Sender<Line>,
    seen: Option<String>,
    /// A line whose end has not come.
    rest: String,
    failures: u32,
}

impl Reader {
    /// Whether the log came to its end; else the stream broke.
    async fn read(&mut self, client: &Client) -> Result<bool> {
        let path = format!("/jobs/{}/log?follow=true", self.job.id);
        let mut answer = client.stream(&path, self.seen.as_deref()).await?;
        let mut events = Events::default();
        loop {
            let bytes = answer.chunk().await.map_err(|error| client.unreachable(&error))?;
            let Some(bytes) = bytes else { return Ok(false) };
            for event in events.feed(&bytes) {
                if self.take(event).await? {
                    return Ok(true);
                }
            }
        }
    }

    async fn take(&mut self, event: Event) -> Result<bool> {
        self.failures = 0;
        match event.name.as_str() {
            "end" => {
                let rest = std::mem::take(&mut self.rest);
                if !rest.is_empty() {
                    self.tell(rest).await?;
                }
                return Ok(true);
            }
            "log" => {
                let data: Option<Value> = serde_json::from_str(&event.data).ok();
                let text = data.as_ref().and_then(|data| data.get("text")?.as_str());
                self.rest.push_str(text.unwrap_or_default());
                self.seen = Some(event.id);
            }
            // an event that this program does not know is not for it
            _ => {}
        }
        while let Some(end) = self.rest.find('\n') {
            let line: String = self.rest.drain(..=end).collect();
            self.tell(line.trim_end_matches(['\n', '\r']).to_owned()).await?;
        }
        Ok(false)
    }

    async fn tell(&self, text: String) -> Result<()> {
        let line = Line { job: self.job.clone(), text };
        // who listens has gone: so does this
        self.lines.send(line).await.map_err(|_| Error::Closed)
    }
}
