//! What somebody who wrote a comment may now: by the rule of the pages, asked of GitHub anew. The
//! strongest counts of what the configuration gives, what this server gave by itself and what GitHub
//! says of the app's repository.
//!
//! What always holds: an account is GitHub's number, so whoever took over a login has nothing of it.
//! A team of which GitHub does not say whether somebody is in it counts as one they are not in, and
//! is remembered: who is refused may have had a right by it.

use std::collections::BTreeMap;

use github::GitHub;
use model::people::{Given, Known};
use model::permission::{Rights, Role, Scope};
use model::{Login, TeamName};
use store::app::App;
use store::issue_comment::IssueComment;

use super::Halt;
use crate::Engine;

/// Somebody, as far as it concerns one app.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) login: Login,
    /// `None`: nobody.
    pub(super) role: Option<Role>,
    pub(super) known: Known,
    /// What GitHub did not say, and may have said more by.
    pub(super) unsure: Option<github::Error>,
}

pub(super) async fn look(
    engine: &Engine,
    github: &GitHub,
    app: &App,
    comment: &IssueComment,
) -> Result<Standing, Halt> {
    let id = u64::try_from(comment.author_id).unwrap_or_default();
    let Some(login) = github.login_of(&app.repository, id).await? else {
        let known = Known::Unnamed;
        return Ok(Standing { login: comment.author.clone(), role: None, known, unsure: None });
    };
    let (teams, unsure) = memberships(engine, github, app, &login).await?;
    let is_in = |team: &TeamName| teams.get(&team.key()).and_then(|(_, is_in)| *is_in);
    let configured = match engine.roles.given(&login, is_in) {
        Given::Role(role, _) => Rights::everywhere(role),
        Given::Nothing | Given::Unknown(_) => Rights::default(),
    };
    let of_repository = github.permission(&app.repository, id, &login).await?;
    let of_repository = of_repository.map(|right| (app.name.clone(), right.role()));
    let mut conn = engine.db.acquire().await?;
    let person = store::person::find_by_github_id(&mut conn, comment.author_id).await?;
    let granted = person.and_then(|person| person.granted).map(Rights::everywhere);
    // a token's name is the token's: nobody becomes it by taking that name on GitHub
    let taken = store::token::is_name_taken(&mut conn, login.as_str()).await?;
    let rights = configured.and(granted.unwrap_or_default()).and(Rights::in_apps(of_repository));
    let in_teams = teams.into_values().filter(|(_, is_in)| *is_in == Some(true));
    Ok(Standing {
        role: rights.role(Scope::App(&app.name)),
        known: Known::Person {
            login: Some(login.clone()).filter(|_| !taken),
            teams: in_teams.map(|(team, _)| team).collect(),
        },
        login,
        unsure,
    })
}

type Memberships = BTreeMap<String, (TeamName, Option<bool>)>;

/// Of the teams that the configuration or the app's settings name, by their key.
async fn memberships(
    engine: &Engine,
    github: &GitHub,
    app: &App,
    login: &Login,
) -> Result<(Memberships, Option<github::Error>), Halt> {
    let approvers = app.settings.stages.values().flat_map(|stage| &stage.approvers);
    let approvers = approvers.filter_map(|name| name.parse::<TeamName>().ok());
    let named: BTreeMap<String, TeamName> =
        engine.roles.teams().cloned().chain(approvers).map(|team| (team.key(), team)).collect();
    let (mut found, mut unsure) = (Memberships::new(), None);
    for (key, team) in named {
        let is_in = match github.is_member(&team, login).await {
            Ok(is_in) => Some(is_in),
            // of all that we ask
            Err(error @ github::Error::RateLimited { .. }) => return Err(error.into()),
            Err(error) => {
                unsure = Some(error);
                None
            }
        };
        found.insert(key, (team, is_in));
    }
    Ok((found, unsure))
}
