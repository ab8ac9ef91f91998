//! People as GitHub knows them, and how settings name them: by login, by team, or by a token's name.
//!
//! What always holds: a login counts in every spelling, as on GitHub, a token's name only as it is
//! written. What a token is called names that token and nobody else: a person who takes its name on
//! GitHub does not become it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::permission::Role;
use crate::{InvalidName, Login, TeamName};

/// What GitHub says that somebody may do in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepositoryRight {
    Admin,
    Maintain,
    Write,
    Triage,
    Read,
}

impl RepositoryRight {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Maintain => "maintain",
            Self::Write => "write",
            Self::Triage => "triage",
            Self::Read => "read",
        }
    }

    /// The role in the app of that repository.
    pub fn role(self) -> Role {
        match self {
            Self::Admin | Self::Maintain => Role::Admin,
            Self::Write => Role::Deployer,
            Self::Triage | Self::Read => Role::Viewer,
        }
    }
}

/// Whom a setting means: `ada`, or all of `acme/release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Named {
    Person(Login),
    Team(TeamName),
}

impl FromStr for Named {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.contains('/') {
            true => text.parse().map(Self::Team),
            false => text.parse().map(Self::Person),
        }
    }
}

impl TryFrom<String> for Named {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Named> for String {
    fn from(named: Named) -> Self {
        named.to_string()
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Person(login) => login.fmt(f),
            Self::Team(team) => team.fmt(f),
        }
    }
}

/// Who has which role in the whole server, as its configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerRoles {
    pub admins: Vec<Named>,
    pub deployers: Vec<Named>,
    pub viewers: Vec<Named>,
}

impl ServerRoles {
    /// Each with its role, the strongest first.
    pub fn iter(&self) -> impl Iterator<Item = (&Named, Role)> {
        let admins = self.admins.iter().map(|one| (one, Role::Admin));
        let deployers = self.deployers.iter().map(|one| (one, Role::Deployer));
        let viewers = self.viewers.iter().map(|one| (one, Role::Viewer));
        admins.chain(deployers).chain(viewers)
    }
}

/// What the configuration gives somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given<'a> {
    /// The strongest role that there is, and who is named for it.
    Role(Role, &'a Named),
    Nothing,
    /// Whether they are in this team is not known; it may give them more than anything after it.
    Unknown(&'a TeamName),
}

impl ServerRoles {
    /// What somebody of this login has. `is_in`: whether they are in a team, if that is known.
    pub fn given(&self, login: &Login, is_in: impl Fn(&TeamName) -> Option<bool>) -> Given<'_> {
        for (named, role) in self.iter() {
            match named {
                Named::Person(person) if person.key() == login.key() => {
                    return Given::Role(role, named);
                }
                Named::Person(_) => {}
                Named::Team(team) => match is_in(team) {
                    Some(true) => return Given::Role(role, named),
                    Some(false) => {}
                    None => return Given::Unknown(team),
                },
            }
        }
        Given::Nothing
    }

    /// The teams that it names.
    pub fn teams(&self) -> impl Iterator<Item = &TeamName> {
        self.iter().filter_map(|(named, _)| match named {
            Named::Person(_) => None,
            Named::Team(team) => Some(team),
        })
    }
}

/// By what somebody is known where settings name people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// By nothing: nobody can name them.
    Unnamed,
    Token(String),
    Person {
        /// Absent where a token has the name.
        login: Option<Login>,
        /// Those that they were found to be in.
        teams: Vec<TeamName>,
    },
}

impl Known {
    /// Whether this text names them.
    pub fn is(&self, name: &str) -> bool {
        match self {
            Self::Unnamed => false,
            Self::Token(own) => own == name,
            Self::Person { login, teams } => {
                login.as_ref().is_some_and(|own| own.as_str().eq_ignore_ascii_case(name))
                    || teams.iter().any(|team| team.as_str().eq_ignore_ascii_case(name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_named_by_login_and_team_in_any_case_and_a_token_as_written() {
        let ada = Known::Person {
            login: Some("ada".parse().unwrap()),
            teams: vec!["acme/release".parse().unwrap()],
        };
        assert!(ada.is("Ada") && ada.is("Acme/Release"));
        assert!(!ada.is("release") && !ada.is("grace"));
        assert!(Known::Token("ci".into()).is("ci"));
        assert!(!Known::Token("ci".into()).is("CI"));
        assert!(!Known::Unnamed.is(""));
    }

    #[test]
    fn a_person_whose_login_is_a_token_s_name_is_not_that_token() {
        let feigned = Known::Person { login: None, teams: Vec::new() };
        assert!(!feigned.is("release-bot"));
    }

    #[test]
    fn the_configuration_gives_the_strongest_role_that_is_known() {
        let roles = ServerRoles {
            admins: vec!["acme/release".parse().unwrap()],
            deployers: vec!["Ada".parse().unwrap()],
            viewers: Vec::new(),
        };
        let ada: Login = "ada".parse().unwrap();
        let of = |is_in| match roles.given(&ada, |_| is_in) {
            Given::Role(role, named) => format!("{} by {named}", role.as_str()),
            Given::Nothing => "nothing".to_owned(),
            Given::Unknown(team) => format!("unknown: {team}"),
        };
        assert_eq!(of(Some(true)), "admin by acme/release");
        assert_eq!(of(Some(false)), "deployer by Ada");
        assert_eq!(of(None), "unknown: acme/release");
        let eve: Login = "eve".parse().unwrap();
        assert_eq!(roles.given(&eve, |_| Some(false)), Given::Nothing);
        assert_eq!(roles.teams().count(), 1);
    }

    #[test]
    fn a_slash_makes_a_team() {
        assert!(matches!("ada".parse(), Ok(Named::Person(_))));
        assert!(matches!("acme/release".parse(), Ok(Named::Team(_))));
        for wrong in ["", "@ada", "a b", "acme/", "/release", "a/b/c"] {
            assert!(wrong.parse::<Named>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn who_maintains_a_repository_is_the_app_s_admin_and_who_writes_deploys() {
        assert_eq!(RepositoryRight::Maintain.role(), Role::Admin);
        assert_eq!(RepositoryRight::Write.role(), Role::Deployer);
        assert_eq!(RepositoryRight::Triage.role(), Role::Viewer);
    }
}
