//! The few files of `static/`, and the schema of `greenroom.yml` for editors, inside the binary.
//!
//! What always holds: nothing of another server is loaded; a browser asks again after five
//! minutes, so that a new binary's files are seen soon.

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::error::{Error, Result};
use crate::state::State;

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const SCHEMA: &str = "application/schema+json";
const CACHED: &str = "public, max-age=300";

/// One stylesheet, in the order in which its parts build on each other.
const STYLESHEET: &str = concat!(
    include_str!("../../../static/css/tokens.css"),
    include_str!("../../../static/css/base.css"),
    include_str!("../../../static/css/shell.css"),
    include_str!("../../../static/css/component.css"),
    include_str!("../../../static/css/table.css"),
    include_str!("../../../static/css/board.css"),
    include_str!("../../../static/css/build.css"),
    include_str!("../../../static/css/dialog.css"),
    include_str!("../../../static/css/log.css"),
    include_str!("../../../static/css/settings.css"),
    include_str!("../../../static/css/account.css"),
    include_str!("../../../static/css/setup.css"),
    include_str!("../../../static/css/keys.css"),
    include_str!("../../../static/css/styleguide.css"),
    include_str!("../../../static/css/narrow.css"),
);

/// One script, of parts that each do one thing.
const SCRIPT: &str = concat!(
    include_str!("../../../static/js/live.js"),
    include_str!("../../../static/js/time.js"),
    include_str!("../../../static/js/copy.js"),
    include_str!("../../../static/js/log.js"),
    include_str!("../../../static/js/log_tools.js"),
    include_str!("../../../static/js/keys.js"),
);

const FILES: [(&str, &str, &str); 7] = [
    ("greenroom.css", CSS, STYLESHEET),
    ("greenroom.js", JAVASCRIPT, SCRIPT),
    ("logo.svg", SVG, include_str!("../../../static/logo.svg")),
    ("icon-idle.svg", SVG, include_str!("../../../static/icon-idle.svg")),
    ("icon-ok.svg", SVG, include_str!("../../../static/icon-ok.svg")),
    ("icon-running.svg", SVG, include_str!("../../../static/icon-running.svg")),
    ("icon-failed.svg", SVG, include_str!("../../../static/icon-failed.svg")),
];

pub(crate) fn routes() -> Router<State> {
    Router::new().route("/static/{file}", get(file)).route("/schema/greenroom.json", get(schema))
}

/// The one that fits this server: editors are told its address in the file itself.
async fn schema() -> impl IntoResponse {
    let text = include_str!("../../../docs/greenroom.schema.json");
    ([(CONTENT_TYPE, SCHEMA), (CACHE_CONTROL, CACHED)], text)
}

async fn file(Path(wanted): Path<String>) -> Result<impl IntoResponse> {
    let (_, kind, text) = FILES
        .iter()
        .find(|(name, _, _)| *name == wanted)
        .ok_or_else(|| Error::NotFound(format!("there is no file {wanted:?}")))?;
    Ok(([(CONTENT_TYPE, *kind), (CACHE_CONTROL, CACHED)], *text))
}

#[cfg(test)]
mod tests;
