//! Lines of a log on a page, and the raw log beside it.

use askama::Template;
use axum::extract::{Path, State as Extract};
use axum::response::Response;
use model::JobId;

use crate::ansi;
use crate::error::Result;
use crate::extract::segment;
use crate::log::Line;
use crate::state::State;

/// Lines of a page; the rest is behind a link (which the script follows by itself).
pub(super) const LINES_PER_PAGE: usize = 1000;
pub(super) const LINES_PER_EVENT: usize = 500;

#[derive(Template)]
#[template(path = "log_lines.html")]
struct LogLines {
    lines: Vec<LineView>,
}

struct LineView {
    number: u64,
    html: String,
}

/// The lines as HTML: what the page holds and what its stream brings are the same.
pub(super) fn render(lines: &[Line]) -> Result<String> {
    let lines =
        lines.iter().map(|line| LineView { number: line.number, html: ansi::html(&line.bytes) });
    Ok(LogLines { lines: lines.collect() }.render()?)
}

pub(super) async fn raw(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
) -> Result<Response> {
    let id: JobId = segment("job", &id)?;
    {
        let mut conn = state.db.acquire().await?;
        store::job::get(&mut conn, id).await?;
    }
    Ok(crate::api::jobs::whole(state, id))
}
