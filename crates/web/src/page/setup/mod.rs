//! The setup pages: from a server that knows nothing to the first build of the first app. One step
//! is one file. Admins come back to them for another app.
//!
//! What always holds: each step is a page of its own that shows what was entered, so the wizard can
//! be left anywhere and continued; a step that needs an earlier one leads there.

mod build;
mod file;
mod github;
mod identity;
mod install;
mod profiles;
mod repository;
mod role;
mod rules;
pub(crate) mod start;

use std::sync::Arc;

use ::github::Identity;
use axum::Router;
use axum::extract::{Extension, State as Extract};
use axum::http::Method;
use axum::response::Redirect;
use axum::routing::post;
use model::permission::Action;

use super::{Shell, html};
use crate::auth::{Caller, Who};
use crate::error::Result;
use crate::rights::{Needs, Routes};
use crate::setup::door::Holder;
use crate::setup::draft::Draft;
use crate::state::State;

pub(crate) fn routes() -> Routes {
    let configure = Needs::OnServer(Action::Configure);
    Routes::new()
        .get("/setup", configure, next)
        .get("/setup/github", configure, github::show)
        .post("/setup/github", configure, github::choose)
        .get("/setup/github/create", configure, github::create)
        .get("/setup/github/callback", configure, github::back)
        .post("/setup/github/token", configure, github::token)
        .get("/setup/install", configure, install::show)
        .get("/setup/installed", configure, install::back)
        .get("/setup/repository", configure, repository::show)
        .post("/setup/repository", configure, repository::choose)
        .get("/setup/services", configure, repository::services)
        .get("/setup/profiles", configure, profiles::show)
        .post("/setup/profiles", configure, profiles::enter)
        .get("/setup/role.yml", configure, role::template)
        .get("/setup/rules", configure, rules::show)
        .post("/setup/rules", configure, rules::enter)
        .get("/setup/file", configure, file::show)
        .post("/setup/file", configure, file::apply)
        .get("/setup/build", configure, build::show)
        .post("/setup/build", configure, build::start)
        .get("/setup/live/builds/{id}", configure, super::live::build)
        .post("/setup/finish", configure, build::finish)
}

/// What whoever has only the link may call.
pub(crate) fn open() -> Router<State> {
    Router::new().route("/setup/begin", post(start::begin))
}

/// The addresses of [`open`], for who goes through all there are.
pub(crate) const OPEN: [(Method, &str); 1] = [(Method::POST, "/setup/begin")];

/// A step of the wizard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Github,
    Install,
    Repository,
    Services,
    Profiles,
    Rules,
    Build,
}

impl Step {
    const ALL: [Self; 7] = [
        Self::Github,
        Self::Install,
        Self::Repository,
        Self::Services,
        Self::Profiles,
        Self::Rules,
        Self::Build,
    ];

    fn url(self) -> &'static str {
        match self {
            Self::Github => "/setup/github",
            Self::Install => "/setup/install",
            Self::Repository => "/setup/repository",
            Self::Services => "/setup/services",
            Self::Profiles => "/setup/profiles",
            Self::Rules => "/setup/rules",
            Self::Build => "/setup/build",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Github => "GitHub",
            Self::Install => "Installation",
            Self::Repository => "Repository",
            Self::Services => "Services",
            Self::Profiles => "AWS accounts",
            Self::Rules => "Rules",
            Self::Build => "First build",
        }
    }

    fn is_done(self, ground: &Ground) -> bool {
        let draft = &ground.draft;
        match self {
            Self::Github => ground.identity.is_some(),
            Self::Install | Self::Repository => draft.repository.is_some(),
            Self::Services => !draft.profiles.is_empty(),
            Self::Profiles => draft.used_profiles().next().is_some(),
            Self::Rules => draft.app.is_some(),
            Self::Build => draft.build.is_some(),
        }
    }
}

/// One entry of the list of steps.
struct StepView {
    url: &'static str,
    name: &'static str,
    done: bool,
    here: bool,
}

/// What every step begins with.
struct Ground {
    draft: Draft,
    identity: Option<Arc<Identity>>,
}

impl Ground {
    async fn load(state: &State, holder: &Holder) -> Result<Self> {
        let mut conn = state.db.acquire().await?;
        let draft = Draft::load(&mut conn, holder).await?;
        Ok(Self { draft, identity: state.github.identity() })
    }

    fn steps(&self, here: Step) -> Vec<StepView> {
        let view = |step: Step| StepView {
            url: step.url(),
            name: step.name(),
            done: step.is_done(self),
            here: step == here,
        };
        Step::ALL.into_iter().map(view).collect()
    }

    /// The first step that is not done; with all done the last.
    fn next(&self) -> Step {
        Step::ALL.into_iter().find(|step| !step.is_done(self)).unwrap_or(Step::Build)
    }

    async fn save(&self, state: &State, holder: &Holder) -> Result<()> {
        let mut conn = state.db.acquire().await?;
        self.draft.save(state, &mut conn, holder).await
    }
}

fn shell(step: Step, caller: &Caller) -> Shell {
    let shell = Shell::new(format!("Setup: {}", step.name()), "setup");
    // the other pages are closed to whoever has but the link
    if caller.who == Who::Setup { shell } else { shell.of(caller) }
}

fn to(step: Step) -> Redirect {
    Redirect::to(step.url())
}

/// Goes on where somebody left.
async fn next(
    Extract(state): Extract<State>,
    Extension(holder): Extension<Holder>,
) -> Result<Redirect> {
    Ok(to(Ground::load(&state, &holder).await?.next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wizard_goes_on_at_the_first_step_that_is_not_done() {
        let mut ground = Ground { draft: Draft::default(), identity: None };
        assert_eq!(ground.next(), Step::Github);
        ground.draft.profiles = Draft::usual_profiles();
        assert_eq!(ground.next(), Step::Github);
        let steps = ground.steps(Step::Profiles);
        let done: Vec<&str> = steps.iter().filter(|step| step.done).map(|step| step.name).collect();
        assert_eq!(done, ["Services"]);
        assert!(steps[4].here && !steps[4].done);
    }
}
