//! The OpenAPI 3.1 document of everything that programs call: checked in as `docs/openapi.json`,
//! served at `/api/v1/openapi.json`, read by people on a page of its own.
//!
//! What always holds: the document is made of the very functions that answer (`utoipa::path` above
//! each handler says what is special to it) and of the table of routes with the rights they need,
//! from which [`complete`] adds what all have alike. A route without an operation, and an operation
//! without a route, fail a test.

mod common;
mod complete;
mod paths;
pub(crate) mod wire;

use std::sync::OnceLock;

use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::api;

/// Where all calls of the REST API stand.
pub(crate) const BASE: &str = "/api/v1";

/// The parts of the API, in the order in which they are read.
pub(crate) const TAGS: [(&str, &str); 8] = [
    ("apps", "Apps, their settings and the revisions of these."),
    ("builds", "Builds: listed, started, stopped, approved."),
    ("stages", "Stages: what is deployed there, and what can be done with it."),
    ("jobs", "The jobs of builds and their logs."),
    ("system", "The server itself: how it fares, its deliveries, outbox and notifications."),
    ("people", "Who calls, who may what, who did what."),
    ("tokens", "Tokens of this API."),
    ("server", "What stands beside the REST API: webhooks, health, metrics."),
];

/// What stands beside the API.
#[derive(OpenApi)]
#[openapi(paths(
    crate::webhook::receive,
    crate::telemetry::healthz,
    crate::telemetry::readyz,
    crate::telemetry::metrics,
))]
struct Beside;

/// The whole document.
pub fn openapi() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(make)
}

/// As it is served and checked in.
pub(crate) fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| serde_json::to_string_pretty(openapi()).unwrap_or_default() + "\n")
}

fn make() -> Value {
    let calls = value(&api::Document::openapi());
    let beside = value(&Beside::openapi());
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Greenroom",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "This server." }],
        "tags": TAGS.map(|(name, about)| json!({ "name": name, "description": about })),
        "paths": {},
        "components": { "schemas": {} },
    });
    merge(&mut document, &beside, "");
    merge(&mut document, &calls, BASE);
    complete::complete(&mut document, &api::routes());
    document
}

const ABOUT: &str = "\
What scripts and programs call. Send a token as `Authorization: Bearer …` (made by `greenroom login`, \
`greenroom token create` or on the page Tokens). Every error is a problem of RFC 9457. Lists are \
newest first and say in `next` where there is more. Polled answers have an `ETag`; an \
`Idempotency-Key` makes it safe to send a request again. docs/api.md says more.";

/// A document that cannot be written is a mistake of this program's, which the tests find.
fn value(document: &utoipa::openapi::OpenApi) -> Value {
    serde_json::to_value(document).expect("an OpenAPI document is JSON")
}

/// The paths and schemas of one document into the whole.
fn merge(whole: &mut Value, part: &Value, base: &str) {
    for (path, item) in part["paths"].as_object().into_iter().flatten() {
        whole["paths"][format!("{base}{path}")] = item.clone();
    }
    for (name, schema) in part["components"]["schemas"].as_object().into_iter().flatten() {
        whole["components"]["schemas"][name] = schema.clone();
    }
}
