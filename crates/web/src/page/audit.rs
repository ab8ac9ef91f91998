//! Audit log: what people did, newest first.

use askama::Template;
use axum::extract::{Extension, Query, State as Extract};
use axum::response::Html;
use chrono::{DateTime, Utc};
use model::AppName;
use serde::Deserialize;
use serde_json::Value;
use store::audit::{Deed, Entry, Filter, Kept, Via};
use uuid::Uuid;

use super::members::tabs;
use super::view::Time;
use super::{Shell, html};
use crate::audit::{self, READERS};
use crate::auth::Caller;
use crate::error::Result;
use crate::extract::{escape, value};
use crate::state::State;

const PAGE: i64 = 50;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    shell: Shell,
    tabs: Vec<(&'static str, &'static str, bool)>,
    apps: Vec<String>,
    /// The one that is shown; empty: all.
    app: String,
    entries: Vec<EntryView>,
    next: Option<String>,
}

struct EntryView {
    who: String,
    /// The role, and how and from where they came.
    as_whom: String,
    what: &'static str,
    detail: Vec<(String, String)>,
    place: Option<(String, String)>,
    at: Time,
}

#[derive(Deserialize)]
pub(super) struct Shown {
    #[serde(default)]
    app: String,
    #[serde(default)]
    before: String,
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Query(shown): Query<Shown>,
) -> Result<Html<String>> {
    let now = state.now();
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let app: Option<AppName> = given(&shown.app).map(|app| value("app", &app)).transpose()?;
    let before: Option<Uuid> = given(&shown.before).map(|id| value("before", &id)).transpose()?;
    let about = audit::readable(&caller, app.clone())?;
    let filter = Filter { about, before, limit: PAGE + 1 };
    let mut conn = state.db.acquire().await?;
    let mut kept = store::audit::list(&mut conn, &filter).await?;
    let apps = store::app::list(&mut conn).await?;
    drop(conn);
    let shown = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = kept.len() > shown;
    kept.truncate(shown);
    let app = app.map(String::from).unwrap_or_default();
    let administered = caller.rights.allowing(READERS);
    let apps = apps.into_iter().map(|app| app.name).filter(|app| administered.includes(app));
    let next = kept
        .last()
        .filter(|_| more)
        .map(|last| format!("/audit?before={}&app={}", last.id, escape(&app)));
    html(&AuditPage {
        shell: Shell::new("Audit log", "people").of(&caller),
        tabs: tabs("/audit"),
        apps: apps.map(String::from).collect(),
        app,
        entries: kept.into_iter().map(|Kept { entry, .. }| EntryView::of(entry, now)).collect(),
        next,
    })
}

impl EntryView {
    fn of(entry: Entry, now: DateTime<Utc>) -> Self {
        let place = match (&entry.app, &entry.stage, entry.build) {
            (Some(app), _, Some(build)) => {
                Some((format!("/apps/{app}/builds/{build}"), format!("{app} #{build}")))
            }
            (Some(app), Some(stage), None) => {
                Some((format!("/apps/{app}/stages/{stage}"), format!("{app} {stage}")))
            }
            (Some(app), None, None) => Some((format!("/builds?app={app}"), app.to_string())),
            (None, _, _) => None,
        };
        let via = match entry.via {
            Via::Api => "over the API",
            Via::Page => "on a page",
            Via::Command => "by a command on the server",
        };
        let from = entry.from.map(|address| format!(" from {address}")).unwrap_or_default();
        Self {
            who: entry.who,
            as_whom: match entry.role {
                Some(role) => format!("{}, {via}{from}", role.as_str()),
                None => format!("{via}{from}"),
            },
            what: words(entry.deed),
            detail: details(&entry.detail),
            place,
            at: Time::new(entry.at, now),
        }
    }
}

fn words(deed: Deed) -> &'static str {
    match deed {
        Deed::Apply => "put an app file into force",
        Deed::CreateToken => "created a token",
        Deed::RevokeToken => "revoked a token",
        Deed::SignIn => "signed in",
        Deed::SignOut => "signed out",
        Deed::CheckRoles => "had somebody's roles looked at again",
        Deed::Start => "started a build",
        Deed::Cancel => "canceled a build",
        Deed::Rerun => "ran a build again",
        Deed::Redeploy => "deployed again with changed parameters",
        Deed::Approve => "approved a deploy",
        Deed::Reject => "rejected a deploy",
        Deed::OverrideFreeze => "let a deploy through a freeze",
        Deed::Freeze => "froze a stage",
        Deed::Unfreeze => "unfroze a stage",
        Deed::Rollback => "rolled back",
        Deed::Promote => "promoted a commit",
        Deed::Recover => "recovered a stuck stack",
        Deed::Remove => "removed a stage",
        Deed::Extend => "gave a preview more time",
        Deed::Drift => "had a stage looked at for drift",
        Deed::Sweep => "had the accounts of an app looked through",
        Deed::RemoveOrphan => "removed a stack that no stage knew",
        Deed::Replay => "had a delivery processed again",
        Deed::Hurry => "had GitHub told at once",
        Deed::ConnectGithub => "gave the server its identity on GitHub",
        Deed::MakeSetupLink => "had a link to the setup pages printed",
        Deed::BeginSetup => "began to set the server up",
        Deed::FinishSetup => "finished setting the server up",
    }
}

/// Each key with its value as a text.
fn details(detail: &Value) -> Vec<(String, String)> {
    let Value::Object(map) = detail else { return Vec::new() };
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some(value.to_string())
        }
    };
    map.iter().filter_map(|(key, value)| Some((key.replace('_', " "), text(value)?))).collect()
}
