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

const FILES: [(&str, &str, &str); 6] = [
    ("greenroom.css", CSS, include_str!("../../../static/greenroom.css")),
    ("greenroom.js", JAVASCRIPT, include_str!("../../../static/greenroom.js")),
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
