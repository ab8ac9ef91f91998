//! Feeds of finished builds (Atom, RFC 4287), of an app and of a stage: for readers, chats and
//! whatever else follows feeds. A reader shows a token as it shows a password: by basic
//! authentication, the token in the place of the password.
//!
//! What always holds: an entry is a finished build, so it never changes; a text of a commit cannot
//! break the document.

use askama::Template;
use axum::extract::{Path, State as Extract};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use model::StageName;
use store::app::App;
use store::build::{Build, BuildFilter, BuildState};

use super::view::{origin, short};
use crate::api;
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::state::State;

const ENTRIES: i64 = 30;

#[derive(Template)]
#[template(path = "feed.xml")]
struct Feed {
    /// Its own address.
    id: String,
    title: String,
    updated: String,
    page: String,
    entries: Vec<Entry>,
}

struct Entry {
    url: String,
    title: String,
    updated: String,
    author: String,
    outcome: &'static str,
    summary: String,
}

pub(super) async fn of_app(
    Extract(state): Extract<State>,
    Path(name): Path<String>,
) -> Result<Response> {
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    let wanted = BuildFilter { app: Some(app.id), ..finished() };
    let builds = store::build::list(&mut conn, &wanted).await?;
    let (path, page) = (format!("/apps/{}", app.name), format!("/builds?app={}", app.name));
    feed(&state, &app, app.name.as_str(), &path, &page, &builds)
}

pub(super) async fn of_stage(
    Extract(state): Extract<State>,
    Path((name, stage)): Path<(String, String)>,
) -> Result<Response> {
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    let stage: StageName = segment("stage", &stage)?;
    let found = store::stage::find_latest(&mut conn, app.id, &stage)
        .await?
        .ok_or_else(|| Error::NotFound(format!("{} has no stage {stage}", app.name)))?;
    let wanted = BuildFilter { stage: Some(found.id), ..finished() };
    let builds = store::build::list(&mut conn, &wanted).await?;
    let path = format!("/apps/{}/stages/{stage}", app.name);
    feed(&state, &app, &format!("{} {stage}", app.name), &path, &path, &builds)
}

fn finished() -> BuildFilter {
    BuildFilter { state: Some(BuildState::Finished), limit: ENTRIES, ..BuildFilter::default() }
}

fn feed(
    state: &State,
    app: &App,
    title: &str,
    path: &str,
    page: &str,
    builds: &[Build],
) -> Result<Response> {
    let base = state.settings.public_url.trim_end_matches('/');
    let newest = builds.iter().filter_map(|build| build.finished_at).max();
    let entries =
        builds.iter().filter_map(|build| Some(entry(state, build, build.finished_at?))).collect();
    let text = Feed {
        id: format!("{base}{path}/feed.atom"),
        title: format!("Builds of {title}"),
        updated: stamp(newest.unwrap_or(app.created_at)),
        page: format!("{base}{page}"),
        entries,
    }
    .render()?;
    let kind = [(CONTENT_TYPE, "application/atom+xml; charset=utf-8")];
    Ok((kind, text).into_response())
}

fn entry(state: &State, build: &Build, finished: DateTime<Utc>) -> Entry {
    let outcome = build.outcome.map_or("finished", model::build::BuildOutcome::as_str);
    let place = build.stage.as_ref().map(|stage| format!(" for {stage}")).unwrap_or_default();
    let about = format!("{} at {}", origin(&build.source), short(&build.source.commit));
    let author = match build.source.author.as_str() {
        "" => "nobody named",
        author => author,
    };
    Entry {
        url: state.build_url(&build.app, build.number),
        title: plain(&format!("#{} {outcome}{place}: {}", build.number, build.source.title)),
        updated: stamp(finished),
        author: plain(author),
        outcome,
        summary: plain(&match &build.reason {
            Some(reason) => format!("{about}. {reason}"),
            None => about,
        }),
    }
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Without the characters that XML 1.0 cannot hold, escaped or not.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|&c| {
            matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_cannot_break_the_document() {
        let feed = Feed {
            id: "http://here/feed.atom".into(),
            title: plain("</title><x>\u{8}&\u{ffff}"),
            updated: String::new(),
            page: String::new(),
            entries: Vec::new(),
        };
        let text = feed.render().unwrap();
        assert!(!text.contains("<x>") && !text.contains('\u{8}') && !text.contains('\u{ffff}'));
        assert!(text.contains("&#60;x&#62;&#38;") || text.contains("&lt;x&gt;&amp;"), "{text}");
    }
}
