//! The history of an app's settings: who changed what, each state as it was, and the way back.

use askama::Template;
use axum::extract::{Extension, Path, Query, State as Extract};
use axum::response::{Html, Response};
use model::app::{diff, write};
use model::permission::Action;
use serde::Deserialize;
use store::revision::Revision;

use super::super::view::Time;
use super::super::{Shell, html};
use super::changes::{ChangeRow, rows};
use super::draft::Draft;
use super::review::{self, Subject};
use crate::api;
use crate::auth::Caller;
use crate::error::Result;
use crate::extract::segment;
use crate::state::State;

const PAGE: i64 = 20;

#[derive(Template)]
#[template(path = "settings_history.html")]
struct HistoryPage {
    shell: Shell,
    app: String,
    revisions: Vec<RevisionRow>,
    next: Option<String>,
}

struct RevisionRow {
    number: i64,
    url: String,
    by: String,
    via: &'static str,
    at: Time,
    changes: Vec<ChangeRow>,
    /// In force now.
    current: bool,
}

impl RevisionRow {
    fn of(app: &str, revision: Revision, current: i64, now: chrono::DateTime<chrono::Utc>) -> Self {
        Self {
            url: format!("/apps/{app}/settings/history/{}", revision.number),
            current: revision.number == current,
            number: revision.number,
            by: revision.by,
            via: match revision.via {
                store::audit::Via::Api => "by the API",
                store::audit::Via::Page => "on these pages",
                store::audit::Via::Command => "with greenroom apply",
                store::audit::Via::Comment => "in a comment on GitHub",
            },
            at: Time::new(revision.at, now),
            changes: rows(revision.changes),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Page {
    before: Option<i64>,
}

pub(super) async fn list(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(page): Query<Page>,
) -> Result<Html<String>> {
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    let current = store::revision::current(&mut conn, app.id).await?;
    let mut found = store::revision::list(&mut conn, app.id, page.before, PAGE + 1).await?;
    drop(conn);
    let shown = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = found.len() > shown;
    found.truncate(shown);
    let next = found.last().filter(|_| more).map(|last| last.number);
    let now = state.now();
    html(&HistoryPage {
        shell: Shell::new(format!("History of {}'s settings", app.name), "settings").of(&caller),
        next: next.map(|last| format!("/apps/{}/settings/history?before={last}", app.name)),
        revisions: found
            .into_iter()
            .map(|one| RevisionRow::of(app.name.as_str(), one, current, now))
            .collect(),
        app: app.name.to_string(),
    })
}

#[derive(Template)]
#[template(path = "settings_revision.html")]
struct RevisionPage {
    shell: Shell,
    app: String,
    one: RevisionRow,
    text: String,
    /// What bringing it back would change.
    since: Vec<ChangeRow>,
    may_change: bool,
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Html<String>> {
    let number: i64 = segment("revision", &number)?;
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    let current = store::revision::current(&mut conn, app.id).await?;
    let revision = store::revision::get(&mut conn, app.id, number).await?;
    drop(conn);
    html(&RevisionPage {
        shell: Shell::new(format!("Revision {number} of {}'s settings", app.name), "settings")
            .of(&caller),
        text: write(&revision.settings),
        since: rows(diff(Some(&app.settings), &revision.settings)),
        may_change: caller.allows(Action::Configure, &app.name),
        one: RevisionRow::of(app.name.as_str(), revision, current, state.now()),
        app: app.name.to_string(),
    })
}

/// The difference that bringing a revision back makes; its form does it.
pub(super) async fn restore(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Response> {
    let number: i64 = segment("revision", &number)?;
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    let base = store::revision::current(&mut conn, app.id).await?;
    let revision = store::revision::get(&mut conn, app.id, number).await?;
    drop(conn);
    let draft = Draft::typed(&write(&revision.settings), base);
    review::review(&state, &caller, &Subject::known(app), draft).await
}
