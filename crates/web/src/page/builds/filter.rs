//! What somebody wants to see of the builds, as it stands in the page's address.
//!
//! What always holds: a link made here leads to the same list; nothing is shown of an app that the
//! caller may not read, whatever the address says.

use model::build::BuildOutcome;
use model::permission::Readable;
use model::{AppId, AppName, BranchName, BuildId, StageName};
use serde::Deserialize;
use store::PgConnection;
use store::app::App;
use store::build::{Before, BuildFilter, BuildState};

use crate::api::builds::{OUTCOMES, build_purpose, build_state};
use crate::error::{Error, Result};
use crate::extract::{escape, value};

#[derive(Deserialize, Default)]
pub(in crate::page) struct Filter {
    #[serde(default)]
    pub(super) app: String,
    #[serde(default)]
    pub(super) branch: String,
    #[serde(default)]
    pub(super) stage: String,
    /// A state, or how a finished build ended.
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) purpose: String,
    /// A commit, or a part of a title, branch, tag or author.
    #[serde(default)]
    pub(super) q: String,
    #[serde(default)]
    pub(super) before: String,
}

impl Filter {
    /// The address of the same list from there on.
    pub(super) fn address(&self, before: Option<BuildId>) -> String {
        let before = before.map(|id| id.to_string()).unwrap_or_default();
        let given = [
            ("q", &self.q),
            ("app", &self.app),
            ("branch", &self.branch),
            ("stage", &self.stage),
            ("state", &self.state),
            ("purpose", &self.purpose),
            ("before", &before),
        ];
        let query: Vec<String> = given
            .into_iter()
            .filter(|(_, value)| !value.trim().is_empty())
            .map(|(key, value)| format!("{key}={}", escape(value.trim())))
            .collect();
        if query.is_empty() { "/builds".into() } else { format!("/builds?{}", query.join("&")) }
    }

    /// Whether it leaves anything out.
    pub(super) fn narrows(&self) -> bool {
        self.address(None) != "/builds"
    }

    pub(super) fn wanted_text(&self) -> Option<&str> {
        given(&self.q)
    }

    pub(super) fn before(&self) -> Result<Option<BuildId>> {
        given(&self.before).map(|id| value("before", id)).transpose()
    }

    /// The question for the store. `apps`: those that the caller may read.
    pub(super) async fn question(
        &self,
        conn: &mut PgConnection,
        readable: &Readable,
        apps: &[App],
        limit: i64,
    ) -> Result<BuildFilter> {
        let app = self.chosen(apps)?;
        let stage = match (given(&self.stage), app) {
            (Some(stage), Some(app)) => {
                let stage: StageName = value("stage", stage)?;
                let found = store::stage::find_latest(conn, app.id, &stage).await?;
                let missing = || Error::NotFound(format!("{} has no stage {stage}", app.name));
                Some(found.ok_or_else(missing)?.id)
            }
            (Some(_), None) => {
                return Err(Error::invalid("stage", "choose the app of the stage too"));
            }
            (None, _) => None,
        };
        let branch: Option<BranchName> =
            given(&self.branch).map(|branch| value("branch", branch)).transpose()?;
        let (state, outcome) = self.state()?;
        Ok(BuildFilter {
            app: app.map(|app| app.id),
            apps: match readable {
                Readable::All => None,
                Readable::These(_) => Some(apps.iter().map(|app| app.id).collect::<Vec<AppId>>()),
            },
            branch,
            commit: None,
            stage,
            state,
            outcome,
            purpose: given(&self.purpose).map(build_purpose).transpose()?,
            before: self.before()?.map(Before::Id),
            limit,
        })
    }

    fn chosen<'a>(&self, apps: &'a [App]) -> Result<Option<&'a App>> {
        let Some(name) = given(&self.app) else { return Ok(None) };
        let name: AppName = value("app", name)?;
        let app = apps.iter().find(|app| app.name == name);
        app.map(Some).ok_or_else(|| Error::NotFound(format!("there is no app {name}")))
    }

    fn state(&self) -> Result<(Option<BuildState>, Option<BuildOutcome>)> {
        let Some(text) = given(&self.state) else { return Ok((None, None)) };
        match OUTCOMES.into_iter().find(|outcome| outcome.as_str() == text) {
            Some(outcome) => Ok((None, Some(outcome))),
            None => Ok((Some(build_state(text)?), None)),
        }
    }
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_what_was_asked_and_nothing_empty() {
        let filter = Filter { q: " a&b ".into(), state: "failed".into(), ..Filter::default() };
        assert_eq!(filter.address(None), "/builds?q=a%26b&state=failed");
        assert_eq!(Filter::default().address(None), "/builds");
    }

    #[test]
    fn a_state_may_be_how_a_build_ended() {
        let state = |text: &str| Filter { state: text.into(), ..Filter::default() }.state();
        assert_eq!(state("failed").unwrap(), (None, Some(BuildOutcome::Failed)));
        assert_eq!(state("running").unwrap(), (Some(BuildState::Running), None));
        assert!(state("broken").is_err());
    }
}
