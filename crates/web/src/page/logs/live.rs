//! The stream of a log: lines as they come, each with the group it belongs to, the line that is
//! being written, and what became of groups.
//!
//! What always holds: an event's id is the place behind the last whole line of it, so a browser
//! that comes back misses none and gets none twice; what a reader has of a growing line is not read
//! again.

use axum::extract::{Path, Query, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use model::JobId;
use model::job::JobState;
use serde::Deserialize;
use serde_json::{Value, json};
use store::PgConnection;
use store::signals::Topic;

use super::tree::group_html;
use super::{LONGEST_LINE_BYTES, render};
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::live::{Next, Source, stream};
use crate::log::{Group, GroupState, Layout, Line, Place, Reader, outline};
use crate::state::State;

const LINES_PER_EVENT: usize = 200;

#[derive(Deserialize)]
pub(super) struct From {
    #[serde(default)]
    from: String,
}

/// Where the browser stands: behind so many lines, or at the id it saw last.
enum Start {
    Line(u64),
    Place(Place),
}

/// The lines of a log as HTML, from a place on; `end` when the job has ended and all was sent.
pub(super) async fn follow(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Result<Response> {
    let id: JobId = segment("job", &id)?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let text = last.unwrap_or(&from.from);
    let start = match (text.parse::<u64>(), text.parse::<Place>()) {
        (Ok(lines), _) => Start::Line(lines),
        (Err(_), Ok(place)) => Start::Place(place),
        (Err(_), Err(error)) => return Err(Error::invalid("from", error.to_string())),
    };
    Ok(stream(state, LogLines { id, phase: Phase::New(start), groups: Vec::new(), tail: None }))
}

enum Phase {
    New(Start),
    Reading(Reader),
}

struct LogLines {
    id: JobId,
    phase: Phase,
    groups: Vec<Group>,
    /// What was sent of the line being written.
    tail: Option<String>,
}

impl Source for LogLines {
    fn concerns(&self, topic: Topic) -> bool {
        topic == Topic::Log(self.id)
    }

    async fn next(&mut self, state: &State) -> Result<Next> {
        let mut conn = state.db.acquire().await?;
        // the job first: what is read after its end is all there is
        let job = store::job::get(&mut conn, self.id).await?;
        let ended = matches!(job.state, JobState::Finished(_));
        let begins = self.begin(&mut conn, ended).await?;
        let Phase::Reading(reader) = &mut self.phase else {
            return Ok(Next::Nothing);
        };
        let before = reader.place().line;
        let read = reader.read(&mut conn, LINES_PER_EVENT, ended).await?;
        let (place, tail) = (reader.place(), reader.unfinished().html(LONGEST_LINE_BYTES));
        let mut changed = Vec::new();
        if begins || read.grouped {
            let layout = Layout::read(&mut conn, self.id, ended).await?;
            let groups = outline(&mut conn, self.id, &layout, ended).await?;
            changed = self.changed(&groups, before, place.line)?;
            self.groups = groups;
        }
        drop(conn);
        let is_new_tail = self.tail.as_ref() != Some(&tail);
        if read.lines.is_empty() && changed.is_empty() && !is_new_tail {
            return Ok(match ended {
                true => Next::End(Event::default().event("end").data("{\"complete\":true}")),
                false => Next::Nothing,
            });
        }
        let mut parts = self.parts(&read.lines)?;
        parts.append(&mut changed);
        let data = json!({ "parts": parts, "tail": tail, "total": place.line });
        self.tail = Some(tail);
        let event = Event::default().event("lines").id(place.to_string());
        Ok(Next::Event(event.data(data.to_string())))
    }
}

impl LogLines {
    /// Finds where the browser stands; says whether this was the first time.
    async fn begin(&mut self, conn: &mut PgConnection, ended: bool) -> Result<bool> {
        let reader = match &self.phase {
            Phase::Reading(_) => return Ok(false),
            Phase::New(Start::Place(place)) => Reader::from(self.id, *place),
            Phase::New(Start::Line(lines)) => {
                let layout = Layout::read(conn, self.id, ended).await?;
                Reader::at_line(conn, self.id, &layout, lines.saturating_add(1)).await?
            }
        };
        self.phase = Phase::Reading(reader);
        Ok(true)
    }

    /// What to say of groups whose first line was sent `before`, and which are not as they were.
    fn changed(&self, groups: &[Group], before: u64, sent: u64) -> Result<Vec<Value>> {
        let mut parts = Vec::new();
        for group in groups.iter().filter(|group| group.first <= sent) {
            let known = self.groups.iter().find(|known| known.id == group.id);
            let is_news = match known {
                Some(known) => known.state != group.state,
                // the page knows it as it was, perhaps, when these lines were the last
                None => {
                    let was_open = group.first <= before && group.last >= before;
                    was_open && group.state != GroupState::Running
                }
            };
            if is_news {
                parts.push(told(group, groups, Told::Again)?);
            }
        }
        Ok(parts)
    }

    /// The lines, cut where a group begins or ends.
    fn parts(&self, lines: &[Line]) -> Result<Vec<Value>> {
        let mut parts = Vec::new();
        let mut rest = lines;
        while let Some(line) = rest.first() {
            if let Some(group) = self.groups.iter().find(|group| group.first == line.number) {
                parts.push(told(group, &self.groups, Told::First)?);
                rest = &rest[1..];
                continue;
            }
            let inside = innermost(&self.groups, line.number);
            let is_apart = |line: &Line| {
                self.groups.iter().any(|group| group.first == line.number)
                    || innermost(&self.groups, line.number) != inside
            };
            let length = rest.iter().position(is_apart).unwrap_or(rest.len());
            let (stretch, after) = rest.split_at(length);
            parts.push(json!({
                "in": inside.map_or("", |group| group.id.as_str()),
                "from": line.number,
                "to": stretch.last().map_or(line.number, |last| last.number),
                "html": render(stretch, LONGEST_LINE_BYTES)?,
            }));
            rest = after;
        }
        Ok(parts)
    }
}

/// A page that does not show a group has no use for what became of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    First,
    Again,
}

fn told(group: &Group, groups: &[Group], told: Told) -> Result<Value> {
    let parent = innermost(groups, group.first).map_or("", |parent| parent.id.as_str());
    let html = group_html(group, true, String::new())?;
    let is_new = told == Told::First;
    Ok(json!({ "group": group.id, "new": is_new, "in": parent, "html": html }))
}

/// The smallest group that holds a line besides its own first.
fn innermost(groups: &[Group], line: u64) -> Option<&Group> {
    groups
        .iter()
        .filter(|group| {
            group.first < line && (line <= group.last || group.state == GroupState::Running)
        })
        .max_by_key(|group| group.first)
}
