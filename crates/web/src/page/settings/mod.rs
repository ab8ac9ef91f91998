//! The settings of an app: read in sections, changed as a whole file or by small forms, with the
//! history of every change; and how a new app is added.
//!
//! What always holds: every change is two steps. The first shows what it would do and changes
//! nothing, the second carries the number of the revision that the first one was made against. The
//! value of a secret is in no page: between the steps it travels sealed (see [`draft`]).

mod approvers;
mod badges;
mod changes;
mod draft;
mod edit;
mod freeze;
mod history;
mod index;
mod parameter;
mod receivers;
mod review;
mod rule;
mod sections;
mod small;

use model::permission::Action;

use crate::rights::{Needs, Routes};

pub(super) fn routes() -> Routes {
    let (read, change) = (Needs::InApp(Action::Read), Needs::InApp(Action::Configure));
    let add = Needs::OnServer(Action::Configure);
    Routes::new()
        .get("/settings", Needs::Somebody, index::show)
        .get("/apps/new", add, edit::show_new)
        .post("/apps/new", add, edit::review_new)
        .post("/apps/new/again", add, edit::again_new)
        .post("/apps/new/save", add, edit::save_new)
        .get("/apps/{app}/settings", read, sections::show)
        .get("/apps/{app}/settings/app.yml", read, sections::file)
        .get("/apps/{app}/settings/history", read, history::list)
        .get("/apps/{app}/settings/history/{number}", read, history::show)
        .post("/apps/{app}/settings/history/{number}/restore", change, history::restore)
        .get("/apps/{app}/settings/edit", change, edit::show)
        .post("/apps/{app}/settings/edit", change, edit::review)
        .post("/apps/{app}/settings/again", change, edit::again)
        .post("/apps/{app}/settings/save", change, edit::save)
        .post("/apps/{app}/settings/badges", change, badges::act)
        .get("/apps/{app}/settings/parameter", change, parameter::show)
        .post("/apps/{app}/settings/parameter", change, parameter::act)
        .get("/apps/{app}/settings/approvers", change, approvers::show)
        .post("/apps/{app}/settings/approvers", change, approvers::act)
        .get("/apps/{app}/settings/rule", change, rule::show)
        .post("/apps/{app}/settings/rule", change, rule::act)
        .get("/apps/{app}/settings/freeze", change, freeze::show)
        .post("/apps/{app}/settings/freeze", change, freeze::act)
}
