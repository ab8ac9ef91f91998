//! A job's log: its part of a build's page, its lines as pieces of HTML, its search, its stream,
//! and the raw log beside it.
//!
//! What always holds: whatever asks gets a bounded answer, however long the log is; what the page
//! holds at first and what comes later are rendered by the same templates.

mod live;
mod section;
mod tree;
mod window;

use askama::Template;
use axum::Json;
use axum::extract::{Path, Query, State as Extract};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use model::JobId;
use model::job::JobState;
use model::permission::Action;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::extract::{segment, value};
use crate::log::{self, Layout, Line, Needle, Reader};
use crate::rights::{Needs, Routes};
use crate::state::State;
pub(super) use section::{LogView, Wanted, section};
pub(super) use window::Range;

/// The most lines of one piece of HTML.
const LINES_AT_ONCE: u64 = 500;
/// The most lines that are copied.
const LINES_OF_TEXT: u64 = 20_000;
/// A line makes no more HTML in a piece that is asked for.
const LONGEST_LINE_BYTES: usize = 64 * 1024;
/// The script steps through so many hits.
const HITS: usize = 2000;

pub(super) fn routes() -> Routes {
    let read = Needs::InAppOfJob(Action::Read);
    Routes::new()
        .get("/jobs/{id}/log.txt", read, raw)
        .get("/jobs/{id}/log/lines", read, lines)
        .get("/jobs/{id}/log/text", read, text)
        .get("/jobs/{id}/log/find", read, find)
        .get("/live/jobs/{id}", read, live::follow)
}

#[derive(Template)]
#[template(path = "log_lines.html")]
struct LogLines {
    lines: Vec<LineView>,
}

struct LineView {
    number: u64,
    html: String,
    /// When it came, where that is another second than that of the line before.
    time: Option<String>,
}

/// The lines as HTML.
fn render(lines: &[Line], longest: usize) -> Result<String> {
    let mut last = None;
    let lines = lines.iter().map(|line| {
        let time = line.at.format("%H:%M:%S").to_string();
        let time = (last.as_ref() != Some(&time)).then(|| last.insert(time).clone());
        LineView { number: line.number, html: line.row.html(longest), time }
    });
    Ok(LogLines { lines: lines.collect() }.render()?)
}

#[derive(Deserialize)]
struct Raw {
    /// As a file to keep, under this name.
    #[serde(default)]
    download: bool,
}

async fn raw(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Query(raw): Query<Raw>,
) -> Result<Response> {
    let id: JobId = segment("job", &id)?;
    {
        let mut conn = state.db.acquire().await?;
        store::job::get(&mut conn, id).await?;
    }
    let mut response = crate::api::jobs::whole(state, id);
    if raw.download {
        let name = HeaderValue::from_str(&format!("attachment; filename=\"{id}.log\""));
        response.headers_mut().insert(CONTENT_DISPOSITION, name.map_err(Error::internal)?);
    }
    Ok(response)
}

#[derive(Deserialize)]
struct Between {
    from: u64,
    to: u64,
}

impl Between {
    /// The range, if it is one and no longer than this.
    fn within(&self, most: u64) -> Result<Range> {
        let range: Range = value("from", &format!("{}-{}", self.from, self.to))?;
        if range.to - range.from >= most {
            let told = format!("ask for at most {most} lines at once");
            return Err(Error::invalid("to", told));
        }
        Ok(range)
    }
}

async fn read(state: &State, id: &str, range: Range) -> Result<Vec<Line>> {
    let id: JobId = segment("job", id)?;
    let mut conn = state.db.acquire().await?;
    let ended = matches!(store::job::get(&mut conn, id).await?.state, JobState::Finished(_));
    let layout = Layout::read(&mut conn, id, ended).await?;
    if range.from > layout.total() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::at_line(&mut conn, id, &layout, range.from).await?;
    let limit = usize::try_from(range.to - range.from + 1).unwrap_or(usize::MAX);
    Ok(reader.read(&mut conn, limit, ended).await?.lines)
}

/// Lines as HTML, for the script to put where they belong.
async fn lines(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Query(between): Query<Between>,
) -> Result<Response> {
    let lines = read(&state, &id, between.within(LINES_AT_ONCE)?).await?;
    let html = render(&lines, LONGEST_LINE_BYTES)?;
    Ok(([(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response())
}

/// Lines as they were seen, to be copied.
async fn text(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Query(between): Query<Between>,
) -> Result<Response> {
    const HEADERS: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
    let range = between.within(LINES_OF_TEXT)?;
    let mut text = String::new();
    let mut from = range.from;
    // piece by piece: a line takes more room as it is shown than as text
    while from <= range.to {
        let piece = Range { from, to: range.to.min(from + LINES_AT_ONCE - 1) };
        let lines = read(&state, &id, piece).await?;
        let Some(last) = lines.last() else { break };
        from = last.number + 1;
        text.extend(lines.iter().map(|line| line.row.text() + "\n"));
    }
    Ok((HEADERS, text).into_response())
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    find: String,
}

/// The numbers of the lines that hold a text.
async fn find(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Query(search): Query<Search>,
) -> Result<Json<Value>> {
    let id: JobId = segment("job", &id)?;
    let Some(needle) = Needle::new(&search.find) else {
        return Ok(Json(json!({ "lines": [], "more": false })));
    };
    let mut conn = state.db.acquire().await?;
    let found = log::find(&mut conn, id, &needle, 0, HITS).await?;
    let lines: Vec<u64> = found.hits.iter().map(|hit| hit.number).collect();
    Ok(Json(json!({ "lines": lines, "more": found.more })))
}
