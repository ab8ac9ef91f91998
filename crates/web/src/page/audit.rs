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
    detail: Vec<Detail>,
    place: Option<(String, String)>,
    at: Time,
}

/// A key of what an entry keeps, with its value.
struct Detail {
    key: String,
    value: Said,
}

enum Said {
    Word(String),
    /// Several: folded up.
    Lines(Vec<String>),
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
            Via::Comment => "in a comment on GitHub",
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
        Deed::RefuseToken => "turned a command line away",
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
        Deed::PublishBadges => "gave the badges a public address",
        Deed::HideBadges => "took the badges' public address away",
        Deed::Exec => "worked in it from their own machine",
    }
}

fn details(detail: &Value) -> Vec<Detail> {
    let Value::Object(map) = detail else { return Vec::new() };
    map.iter()
        .filter_map(|(key, value)| Some(Detail { key: key.replace('_', " "), value: said(value)? }))
        .collect()
}

fn said(value: &Value) -> Option<Said> {
    match value {
        Value::Null => None,
        Value::Array(several) if several.len() > 1 => {
            Some(Said::Lines(several.iter().map(text).collect()))
        }
        Value::Array(one) => one.first().map(|one| Said::Word(text(one))),
        Value::String(_) | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            Some(Said::Word(text(value)))
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}
