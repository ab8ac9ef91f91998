//! People and teams of organizations.
//!
//! What always holds: a GitHub App speaks as one of its installations: as the organization's about
//! its teams, and through a repository that it sees where any would do.

use http::Method;
use serde::Deserialize;

use super::{Credentials, GitHub, NO_BODY, is_not_found};
use crate::api::escape_all;
use crate::error::Error;
use model::{Login, RepositoryName, TeamName};

#[derive(Deserialize)]
struct User {
    login: Login,
}

#[derive(Deserialize)]
struct Membership {
    /// `active`, or `pending` until an invitation is accepted
    state: String,
}

impl GitHub {
    /// How the account of this number is called now; `None` if there is none any more.
    pub async fn login_of(
        &self,
        through: &RepositoryName,
        id: u64,
    ) -> Result<Option<Login>, Error> {
        let path = format!("/user/{id}");
        let credential = self.credential(through).await?;
        match self.api.send(Method::GET, &path, credential.secret(), NO_BODY).await {
            Ok(answer) => answer.json::<User>().map(|user| Some(user.login)),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether somebody is in a team, or in one below it. A team that our identity cannot see has
    /// no members: an App must be installed in the organization with its permission "Members: read",
    /// a token have `read:org`.
    pub async fn is_member(&self, team: &TeamName, login: &Login) -> Result<bool, Error> {
        let path = format!(
            "/orgs/{}/teams/{}/memberships/{}",
            escape_all(team.org()),
            escape_all(team.slug()),
            escape_all(login.as_str())
        );
        let credential = match self.credentials.as_ref() {
            Credentials::App(tokens) => match tokens.for_org(&self.api, team.org()).await? {
                Some(minted) => minted.token,
                None => return Ok(false),
            },
            Credentials::Token(token) => token.clone(),
        };
        match self.api.send(Method::GET, &path, &credential, NO_BODY).await {
            Ok(answer) => answer.json::<Membership>().map(|found| found.state == "active"),
            Err(error) if is_not_found(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
