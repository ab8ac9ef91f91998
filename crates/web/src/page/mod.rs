//! The pages people read. One page is one file, with its template's struct above its handler.
//!
//! What always holds: a page is whole without a script; a template gets finished strings and
//! escapes them; a form that changes something is a POST, answered by a redirect to what it
//! changed. The content security policy allows nothing but our own files.

pub(crate) mod account;
mod audit;
mod board;
mod build;
mod builds;
mod cell;
mod change;
mod device;
mod dialog;
pub(crate) mod error;
mod feed;
mod finding;
mod frozen;
mod graph;
mod live;
mod logs;
mod members;
mod orphans;
mod place;
mod previews;
mod prose;
mod reconcile;
mod reference;
mod settings;
pub(crate) mod setup;
mod shell;
pub(crate) mod sign_in;
mod stage;
mod styleguide;
mod system;
mod tokens;
mod view;
mod waiting;

use askama::Template;
use axum::response::Html;
use model::permission::Action;

use self::dialog::{approval, freeze, orphan, promote, recover, remove, rollback};
pub(crate) use self::shell::Shell;
use crate::audit::READERS;
use crate::error::Result;
use crate::login;
use crate::rights::{Needs, Routes};

/// Every page, with what it takes to see or use it.
pub(crate) fn routes() -> Routes {
    let (read, build) = (Needs::InApp(Action::Read), Needs::InApp(Action::Build));
    Routes::new()
        .get("/", Needs::Somebody, board::show)
        .get("/builds", Needs::Somebody, builds::show)
        .get("/apps/{app}/feed.atom", read, feed::of_app)
        .get("/apps/{app}/stages/{stage}/feed.atom", read, feed::of_stage)
        .get("/apps/{app}/builds/{number}", read, build::show)
        .post("/apps/{app}/builds/{number}/cancel", build, build::act::cancel)
        .post("/apps/{app}/builds/{number}/rerun", build, build::act::rerun)
        .get("/apps/{app}/stages/{stage}", read, stage::show)
        .post("/apps/{app}/stages/{stage}/build", build, stage::order::build)
        .post("/apps/{app}/stages/{stage}/redeploy", build, stage::order::redeploy)
        .post("/apps/{app}/stages/{stage}/drift", build, stage::order::drift)
        .post("/apps/{app}/stages/{stage}/extend", build, stage::order::extend)
        .merge(dialogs())
        .merge(settings::routes())
        .get("/previews", Needs::Somebody, previews::show)
        .get("/styleguide", Needs::Somebody, styleguide::show)
        .merge(system::routes())
        .merge(reference::routes())
        .get("/audit", Needs::Somewhere(READERS), audit::show)
        .get("/members", Needs::Somewhere(Action::Configure), members::show)
        .post("/members/{id}/check", Needs::Somewhere(Action::Configure), members::check)
        .get("/tokens", Needs::Somewhere(Action::Configure), tokens::show)
        .post("/tokens", Needs::Somewhere(Action::Configure), tokens::create)
        .get("/tokens/{id}/revoke", Needs::Somewhere(Action::Configure), tokens::ask)
        .post("/tokens/{id}/revoke", Needs::Somewhere(Action::Configure), tokens::revoke)
        .get(login::device::PAGE, Needs::SignedIn, device::show)
        .post(login::device::PAGE, Needs::SignedIn, device::decide)
        .merge(logs::routes())
        .get("/live/board", Needs::Somebody, live::board)
        .get("/live/builds/{id}", Needs::InAppOfBuild(Action::Read), live::build)
}

/// What is asked by a page first and done by its form.
fn dialogs() -> Routes {
    let build = Needs::InApp(Action::Build);
    let configure = Needs::OnServer(Action::Configure);
    // who may answer, the stage says
    let (read, decide) = (Needs::InApp(Action::Read), Needs::InAppNow(Action::Read));
    Routes::new()
        .get("/apps/{app}/builds/{number}/approve", read, approval::show)
        .post("/apps/{app}/builds/{number}/approve", decide, approval::approve)
        .post("/apps/{app}/builds/{number}/reject", decide, approval::reject)
        .get("/apps/{app}/stages/{stage}/freeze", build, freeze::show)
        .post("/apps/{app}/stages/{stage}/freeze", build, freeze::act)
        .get("/apps/{app}/stages/{stage}/unfreeze", build, freeze::show_end)
        .post("/apps/{app}/stages/{stage}/unfreeze", Needs::InAppNow(Action::Build), freeze::end)
        .get("/apps/{app}/stages/{stage}/promote", build, promote::show)
        .post("/apps/{app}/stages/{stage}/promote", build, promote::act)
        .get("/apps/{app}/stages/{stage}/recover", build, recover::show)
        .post("/apps/{app}/stages/{stage}/recover", build, recover::act)
        .get("/apps/{app}/stages/{stage}/remove", build, remove::show)
        .post("/apps/{app}/stages/{stage}/remove", build, remove::act)
        .get("/apps/{app}/stages/{stage}/rollback", build, rollback::show)
        .post("/apps/{app}/stages/{stage}/rollback", build, rollback::act)
        .get("/orphans/{id}/remove", configure, orphan::show)
        .post("/orphans/{id}/remove", configure, orphan::act)
}

fn html(template: &impl Template) -> Result<Html<String>> {
    Ok(Html(template.render()?))
}
