//! `/cc.xml`: how the stages stand, for monitors of builds (CCMenu, CCTray, walls), in the format
//! that they all read (cctray.org/v1).
//!
//! What always holds: a project is a stage that lives long, of an app that the reader may read.
//! What is under way shows as activity, beside what came of the last build that was through. A
//! stage that waits for an approval is not building: nothing would come of it by itself.

use askama::Template;
use axum::extract::{Extension, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use model::build::BuildOutcome;
use store::build::BuildState;
use store::monitor::Standing;

use crate::auth::Caller;
use crate::error::Result;
use crate::fresh;
use crate::rights::{Needs, Routes};
use crate::state::State;

const XML: &str = "application/xml; charset=utf-8";
const CACHE: &str = "private, no-cache";

#[derive(Template)]
#[template(path = "cc.xml")]
struct Projects {
    projects: Vec<Project>,
}

struct Project {
    name: String,
    activity: &'static str,
    status: &'static str,
    label: Option<String>,
    time: String,
    url: String,
}

pub(crate) fn routes() -> Routes {
    Routes::new().get("/cc.xml", Needs::Somebody, show)
}

async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response> {
    let mut conn = state.db.acquire().await?;
    let standings = store::monitor::standings(&mut conn, None).await?;
    drop(conn);
    let readable = caller.rights.readable();
    let base = state.settings.public_url.trim_end_matches('/');
    let projects = standings
        .iter()
        .filter(|standing| readable.includes(&standing.app))
        .map(|standing| Project::of(base, standing))
        .collect();
    fresh::answer(&headers, XML, CACHE, Projects { projects }.render()?)
}

impl Project {
    fn of(base: &str, standing: &Standing) -> Self {
        let Standing { app, stage, created_at, last, newest } = standing;
        let status = match last.as_ref().map(|last| last.outcome) {
            None => "Unknown",
            Some(BuildOutcome::Failed) => "Failure",
            Some(BuildOutcome::Succeeded | BuildOutcome::Skipped) => "Success",
            // these are no end of a stage's own: `store::monitor` leaves them out
            Some(BuildOutcome::Canceled | BuildOutcome::Superseded) => "Exception",
        };
        Self {
            name: format!("{app} {stage}"),
            activity: match newest {
                Some(BuildState::Running) => "Building",
                Some(BuildState::Waiting | BuildState::Finished) | None => "Sleeping",
            },
            status,
            label: last.as_ref().map(|last| last.number.to_string()),
            time: stamp(last.as_ref().map_or(*created_at, |last| last.finished_at)),
            url: format!("{base}/apps/{app}/stages/{stage}"),
        }
    }
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::build::Purpose;
    use store::monitor::Last;

    fn project(newest: Option<BuildState>, outcome: Option<BuildOutcome>) -> Project {
        let last = outcome.map(|outcome| Last {
            number: 7,
            purpose: Purpose::Deploy,
            outcome,
            finished_at: DateTime::UNIX_EPOCH,
        });
        let standing = Standing {
            app: "workshop".parse().unwrap(),
            stage: "prod".parse().unwrap(),
            created_at: DateTime::UNIX_EPOCH,
            last,
            newest,
        };
        Project::of("https://ci.example.com", &standing)
    }

    #[test]
    fn a_stage_that_is_built_shows_what_came_of_the_build_before() {
        let project = project(Some(BuildState::Running), Some(BuildOutcome::Failed));
        assert_eq!((project.activity, project.status), ("Building", "Failure"));
        assert_eq!(project.label.as_deref(), Some("7"));
        assert_eq!(project.url, "https://ci.example.com/apps/workshop/stages/prod");
    }

    #[test]
    fn a_stage_that_waits_for_somebody_or_was_never_built_sleeps() {
        let waits = project(Some(BuildState::Waiting), Some(BuildOutcome::Succeeded));
        assert_eq!((waits.activity, waits.status), ("Sleeping", "Success"));
        let new = project(None, None);
        assert_eq!((new.activity, new.status, new.label), ("Sleeping", "Unknown", None));
        assert_eq!(new.time, "1970-01-01T00:00:00Z");
    }
}
