//! The badges of an app on its settings page: what to paste into a README, and whether everybody
//! may see them.
//!
//! What always holds: badges are for who may read the app until somebody who may change its settings
//! makes them public; a new address ends the one before, and all who showed it.

use axum::Form;
use axum::extract::{Extension, Path, State as Extract};
use axum::response::Redirect;
use chrono::{DateTime, Utc};
use model::AppName;
use model::StageName;
use serde::Deserialize;
use store::badge::BadgeKey;

use super::super::view::Time;
use crate::api;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::state::State;

/// What the page shows of them.
pub(super) struct Badges {
    /// Whoever made them public, and when.
    pub(super) public: Option<(String, Time)>,
    pub(super) rows: Vec<Row>,
}

pub(super) struct Row {
    /// What it is a badge of.
    pub(super) of: String,
    /// As the page itself shows it.
    pub(super) picture: String,
    /// What a README has; of a public one alone, for nobody else's browser could show it.
    pub(super) markdown: Option<String>,
}

impl Badges {
    pub(super) fn of<'a>(
        base: &str,
        app: &AppName,
        stages: impl Iterator<Item = &'a StageName>,
        key: Option<&BadgeKey>,
        now: DateTime<Utc>,
    ) -> Self {
        let base = base.trim_end_matches('/');
        let markdown = |of: &str, path: &str, page: &str| {
            let key = &key?.key;
            Some(format!("[![{of}]({base}/badges/{key}{path}/badge.svg)]({base}{page})"))
        };
        let whole = Row {
            of: app.to_string(),
            picture: format!("/apps/{app}/badge.svg"),
            markdown: markdown(app.as_str(), "", &format!("/builds?app={app}")),
        };
        let stages = stages.map(|stage| {
            let (of, path) = (format!("{app} {stage}"), format!("/stages/{stage}"));
            let page = format!("/apps/{app}{path}");
            Row { picture: format!("{page}/badge.svg"), markdown: markdown(&of, &path, &page), of }
        });
        Self {
            public: key.map(|key| (key.made_by.clone(), Time::new(key.made_at, now))),
            rows: std::iter::once(whole).chain(stages).collect(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    what: String,
}

pub(super) async fn act(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Form(wanted): Form<Wanted>,
) -> Result<Redirect> {
    match wanted.what.as_str() {
        "publish" => {
            api::badges::publish_badges(&state, &caller, &name).await?;
        }
        "hide" => api::badges::hide_badges(&state, &caller, &name).await?,
        _other => return Err(Error::invalid("what", "send publish or hide")),
    }
    Ok(Redirect::to(&format!("/apps/{name}/settings#badges")))
}
