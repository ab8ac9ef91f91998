//! The pages people read. One page is one file, with its template's struct above its handler.
//!
//! What always holds: a page is whole without a script; a template gets finished strings and
//! escapes them; a form that changes something is a POST, answered by a redirect to what it
//! changed. The content security policy allows nothing but our own files.

mod audit;
mod board;
mod build;
mod builds;
mod cell;
mod change;
mod dialog;
pub(crate) mod error;
mod finding;
mod frozen;
mod graph;
mod live;
mod logs;
mod orphans;
mod place;
mod previews;
mod reconcile;
mod stage;
mod system;
mod view;
mod waiting;

use askama::Template;
use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::{self, Next};
use axum::response::{Html, Response};
use axum::routing::{get, post};

use self::dialog::{approval, freeze, orphan, promote, recover, remove, rollback};
use crate::error::Result;
use crate::state::State;

pub(crate) fn routes() -> Router<State> {
    Router::new()
        .route("/", get(board::show))
        .route("/builds", get(builds::show))
        .route("/apps/{app}/builds/{number}", get(build::show))
        .route("/apps/{app}/builds/{number}/cancel", post(build::cancel))
        .route("/apps/{app}/builds/{number}/rerun", post(build::rerun))
        .route("/apps/{app}/stages/{stage}", get(stage::show))
        .route("/apps/{app}/stages/{stage}/build", post(stage::order::build))
        .route("/apps/{app}/stages/{stage}/redeploy", post(stage::order::redeploy))
        .route("/apps/{app}/stages/{stage}/drift", post(stage::order::drift))
        .route("/apps/{app}/stages/{stage}/extend", post(stage::order::extend))
        .merge(dialogs())
        .route("/previews", get(previews::show))
        .route("/system", get(system::show))
        .route("/audit", get(audit::show))
        .route("/system/sweep", post(system::sweep))
        .route("/system/deliveries/{guid}/replay", post(system::replay))
        .route("/jobs/{id}/log.txt", get(logs::raw))
        .route("/live/board", get(live::board))
        .route("/live/builds/{id}", get(live::build))
        .route("/live/jobs/{id}", get(live::log))
        .layer(middleware::from_fn(guarded))
}

/// What is asked by a page first and done by its form.
fn dialogs() -> Router<State> {
    Router::new()
        .route("/apps/{app}/builds/{number}/approve", get(approval::show).post(approval::approve))
        .route("/apps/{app}/builds/{number}/reject", post(approval::reject))
        .route("/apps/{app}/stages/{stage}/freeze", get(freeze::show).post(freeze::act))
        .route("/apps/{app}/stages/{stage}/unfreeze", get(freeze::show_end).post(freeze::end))
        .route("/apps/{app}/stages/{stage}/promote", get(promote::show).post(promote::act))
        .route("/apps/{app}/stages/{stage}/recover", get(recover::show).post(recover::act))
        .route("/apps/{app}/stages/{stage}/remove", get(remove::show).post(remove::act))
        .route("/apps/{app}/stages/{stage}/rollback", get(rollback::show).post(rollback::act))
        .route("/orphans/{id}/remove", get(orphan::show).post(orphan::act))
}

/// Headers of every page. What a page shows is nobody else's, so nothing is cached.
async fn guarded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    guard(&mut response);
    response
}

pub(crate) fn guard(response: &mut Response) {
    for (name, value) in [
        (
            "content-security-policy",
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
             object-src 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}

/// What every page has around its content.
pub(crate) struct Shell {
    pub(crate) title: String,
    /// Which entry of the navigation this is.
    pub(crate) place: &'static str,
    /// The colour of the icon: `idle`, `running`, `failed` or `ok`.
    pub(crate) icon: &'static str,
    /// Where changes of this page are announced.
    pub(crate) events: Option<String>,
}

impl Shell {
    fn new(title: impl Into<String>, place: &'static str) -> Self {
        Self { title: title.into(), place, icon: "idle", events: None }
    }

    pub(crate) fn plain(title: impl Into<String>) -> Self {
        Self::new(title, "")
    }
}

fn html(template: &impl Template) -> Result<Html<String>> {
    Ok(Html(template.render()?))
}
