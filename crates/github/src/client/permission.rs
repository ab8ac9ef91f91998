//! What somebody may do in a repository, as GitHub says.
//!
//! What always holds: the answer is about the account that was asked for, by GitHub's number: a
//! login that went over to somebody else gives that one nothing. That everybody may read a public
//! repository is no right of anybody.

use serde::Deserialize;

use super::{GitHub, is_not_found};
use crate::api::escape_all;
use crate::error::Error;
use model::people::RepositoryRight;
use model::{Login, RepositoryName};

#[derive(Deserialize)]
struct Wire {
    permission: String,
    #[serde(default)]
    role_name: Option<String>,
    #[serde(default)]
    user: Option<User>,
}

#[derive(Deserialize)]
struct User {
    id: u64,
}

impl GitHub {
    /// The right of an account in a repository; `None`: none, or none of its own.
    pub async fn permission(
        &self,
        repo: &RepositoryName,
        id: u64,
        login: &Login,
    ) -> Result<Option<RepositoryRight>, Error> {
        let login = escape_all(login.as_str());
        let found: Wire = match self.get(repo, &format!("/collaborators/{login}/permission")).await
        {
            Ok(found) => found,
            // nobody of this name, or nobody who may anything here
            Err(error) if is_not_found(&error) => {
                self.repository(repo).await?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if found.user.is_none_or(|user| user.id != id) {
            return Ok(None);
        }
        let Some(right) = right(&found.permission, found.role_name.as_deref()) else {
            return Ok(None);
        };
        match right {
            RepositoryRight::Admin
            | RepositoryRight::Maintain
            | RepositoryRight::Write
            | RepositoryRight::Triage => Ok(Some(right)),
            RepositoryRight::Read => {
                Ok(self.is_collaborator(repo, &login).await?.then_some(RepositoryRight::Read))
            }
        }
    }

    /// Whether somebody was given access: by name, by a team or as a member of the organization.
    async fn is_collaborator(&self, repo: &RepositoryName, login: &str) -> Result<bool, Error> {
        let path = format!("/collaborators/{login}");
        match self.send(http::Method::GET, repo, &path, super::NO_BODY).await {
            Ok(_) => Ok(true),
            Err(error) if is_not_found(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// `permission` knows four words, and takes maintain for write and triage for read; `role_name` says
/// those too, and has names of the organization's own, which say nothing to us.
fn right(permission: &str, role_name: Option<&str>) -> Option<RepositoryRight> {
    let known = |word: &str| match word {
        "admin" => Some(RepositoryRight::Admin),
        "maintain" => Some(RepositoryRight::Maintain),
        "write" => Some(RepositoryRight::Write),
        "triage" => Some(RepositoryRight::Triage),
        "read" => Some(RepositoryRight::Read),
        _ => None,
    };
    let right = known(permission)?;
    Some(role_name.and_then(known).unwrap_or(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finer_word_counts_where_it_is_github_s_own() {
        assert_eq!(right("write", Some("maintain")), Some(RepositoryRight::Maintain));
        assert_eq!(right("read", Some("triage")), Some(RepositoryRight::Triage));
        assert_eq!(right("write", Some("release-captain")), Some(RepositoryRight::Write));
        assert_eq!(right("admin", None), Some(RepositoryRight::Admin));
        assert_eq!(right("none", Some("none")), None);
    }
}
