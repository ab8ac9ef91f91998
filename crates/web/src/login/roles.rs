//! What somebody may: the roles of the configuration, and GitHub's word on each app's repository.
//!
//! What always holds: GitHub is asked with the server's own identity, never with the person's. A
//! look is repeated at the first request after ten minutes, by one request at a time; a decision
//! that cannot be taken back asks anew ([`look`]). What could not be asked goes on as it was, for at
//! most an hour ([`store::person`]). An account that is gone has nothing.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use model::people::{Given, Known};
use model::permission::{Rights, Role};
use model::{AppId, Login, TeamName};
use store::app::App;
use store::person::{Found, FoundRole, Look, Person, Trouble};

use crate::error::{Error, Result};
use crate::state::State;

/// Calls to GitHub at once for one person.
const AT_ONCE: usize = 8;

/// What somebody may now, looked at again where that is due.
pub(crate) async fn standing(state: &State, person: Person) -> Result<(Person, Rights, Known)> {
    let now = state.now();
    let is_due = person.next_check_at <= now;
    let mut conn = state.db.acquire().await?;
    if is_due && store::person::claim_check(&mut conn, person.id, now).await? {
        drop(conn);
        look(state, &person).await?;
        conn = state.db.acquire().await?;
    }
    // the look may have found another login
    let person = store::person::find(&mut conn, person.id).await?.unwrap_or(person);
    let (rights, known) = store::person::standing(&mut conn, &person, now).await?;
    Ok((person, rights, known))
}

/// Asks GitHub now, and keeps the answer.
pub(crate) async fn look(state: &State, person: &Person) -> Result<()> {
    let mut conn = state.db.acquire().await?;
    let apps = store::app::list(&mut conn).await?;
    drop(conn);
    let found = ask(state, person, &apps).await;
    if let Some(trouble) = &found.trouble {
        tracing::warn!(person = %person.login, why = trouble.why, "roles could not be looked at");
    }
    let mut tx = state.db.begin().await?;
    store::person::keep(&mut tx, person, &found, state.now()).await?;
    tx.commit().await.map_err(Error::internal)
}

async fn ask(state: &State, person: &Person, apps: &[App]) -> Found {
    let mut asking = Asking { state, apps, trouble: None };
    let login = match asking.login(person).await {
        Look::Found(login) => login,
        Look::Nothing => {
            let apps = apps.iter().map(|app| (app.id, Look::Nothing)).collect();
            return Found { apps, trouble: asking.trouble, ..Found::default() };
        }
        Look::Unknown => {
            return Found {
                login: None,
                server: Look::Unknown,
                apps: apps.iter().map(|app| (app.id, Look::Unknown)).collect(),
                teams: asking.teams().into_values().map(|team| (team, Look::Unknown)).collect(),
                trouble: asking.trouble,
            };
        }
    };
    let teams = asking.memberships(&login).await;
    let server = asking.server_role(&login, &teams);
    let apps = match &server {
        // whoever may everything needs nothing more
        Look::Found(FoundRole { role: Role::Admin, .. }) => Vec::new(),
        Look::Found(_) | Look::Nothing | Look::Unknown => asking.app_roles(person, &login).await,
    };
    Found { login: Some(login), server, apps, teams, trouble: asking.trouble }
}

struct Asking<'a> {
    state: &'a State,
    apps: &'a [App],
    trouble: Option<Trouble>,
}

impl Asking<'_> {
    fn failed(&mut self, error: &github::Error) {
        let passes = error.is_transient();
        let worse = self.trouble.as_ref().is_none_or(|known| passes && !known.passes);
        if worse {
            self.trouble = Some(Trouble { why: error.to_string(), passes });
        }
    }

    /// How the account is called now.
    async fn login(&mut self, person: &Person) -> Look<Login> {
        // without an identity or a repository to ask through, as GitHub said at the sign-in
        let (Some(github), Some(app)) = (self.state.github.get(), self.apps.first()) else {
            return Look::Found(person.login.clone());
        };
        let id = u64::try_from(person.github_id).unwrap_or_default();
        match github.login_of(&app.repository, id).await {
            Ok(Some(login)) => Look::Found(login),
            Ok(None) => Look::Nothing,
            Err(error) => {
                self.failed(&error);
                Look::Unknown
            }
        }
    }

    /// The teams that any setting names, by their key.
    fn teams(&self) -> BTreeMap<String, TeamName> {
        let configured = self.state.settings.login.roles.teams().cloned();
        let approvers = self
            .apps
            .iter()
            .flat_map(|app| app.settings.stages.values())
            .flat_map(|stage| &stage.approvers)
            .filter_map(|name| name.parse::<TeamName>().ok());
        configured.chain(approvers).map(|team| (team.key(), team)).collect()
    }

    async fn memberships(&mut self, login: &Login) -> Vec<(TeamName, Look<()>)> {
        let mut found = Vec::new();
        for team in self.teams().into_values() {
            let look = self.membership(&team, login).await;
            found.push((team, look));
        }
        found
    }

    async fn membership(&mut self, team: &TeamName, login: &Login) -> Look<()> {
        let Some(github) = self.state.github.get() else { return Look::Nothing };
        match github.is_member(team, login).await {
            Ok(true) => Look::Found(()),
            Ok(false) => Look::Nothing,
            Err(error) => {
                self.failed(&error);
                Look::Unknown
            }
        }
    }

    /// The strongest role that the configuration gives.
    fn server_role(&self, login: &Login, teams: &[(TeamName, Look<()>)]) -> Look<FoundRole> {
        let is_in = |wanted: &TeamName| {
            let team = teams.iter().find(|(team, _)| team.key() == wanted.key());
            match team.map_or(&Look::Nothing, |(_, look)| look) {
                Look::Found(()) => Some(true),
                Look::Nothing => Some(false),
                Look::Unknown => None,
            }
        };
        match self.state.settings.login.roles.given(login, is_in) {
            Given::Role(role, named) => {
                let source = format!("the configuration names {named}");
                Look::Found(FoundRole { role, source })
            }
            Given::Nothing => Look::Nothing,
            Given::Unknown(_) => Look::Unknown,
        }
    }

    async fn app_roles(&mut self, person: &Person, login: &Login) -> Vec<(AppId, Look<FoundRole>)> {
        let Some(github) = self.state.github.get() else { return Vec::new() };
        let id = u64::try_from(person.github_id).unwrap_or_default();
        // owned: what is asked at once may outlive no borrow
        let asked: Vec<_> = self
            .apps
            .iter()
            .map(|app| {
                let (github, login) = (github.clone(), login.clone());
                let (app, repository) = (app.id, app.repository.clone());
                async move {
                    let answer = github.permission(&repository, id, &login).await;
                    (app, repository, answer)
                }
            })
            .collect();
        let asked: Vec<_> =
            futures_util::stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
        let mut found = Vec::new();
        for (app, repository, answer) in asked {
            let look = match answer {
                Ok(Some(right)) => Look::Found(FoundRole {
                    role: right.role(),
                    source: format!("{} in {}", right.as_str(), repository),
                }),
                Ok(None) => Look::Nothing,
                // of a repository that our identity does not see nobody's right is known
                Err(github::Error::NotVisible { .. }) => Look::Nothing,
                Err(error) => {
                    self.failed(&error);
                    Look::Unknown
                }
            };
            found.push((app, look));
        }
        found
    }
}
