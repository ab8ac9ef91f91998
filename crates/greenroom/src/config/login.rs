//! `[login]`: as which client of GitHub's people sign in, and who has a role in the whole server.

use anyhow::{Context, bail};
use model::people::{Named, ServerRoles};
use secrecy::SecretString;
use serde::Deserialize;

use super::Environment;

#[derive(Debug, Clone, Default)]
pub(crate) struct Login {
    /// `None`: the GitHub App that the setup pages make.
    pub(crate) client: Option<Client>,
    pub(crate) roles: ServerRoles,
    pub(crate) anonymous_read: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: SecretString,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Section {
    client_id: Option<String>,
    client_secret: Option<String>,
    admins: Vec<String>,
    deployers: Vec<String>,
    viewers: Vec<String>,
    anonymous_read: Option<bool>,
}

pub(super) fn resolve(file: Section, environment: &Environment) -> anyhow::Result<Login> {
    let id = environment.get("GREENROOM_LOGIN_CLIENT_ID").or(file.client_id);
    let secret = environment.get("GREENROOM_LOGIN_CLIENT_SECRET").or(file.client_secret);
    let client = match (id, secret) {
        (Some(id), Some(secret)) => Some(Client { id, secret: secret.into() }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => bail!(
            "login.client_id (GREENROOM_LOGIN_CLIENT_ID) and login.client_secret \
             (GREENROOM_LOGIN_CLIENT_SECRET) belong together; one is missing"
        ),
    };
    let named = |key, variable, from_file| named(key, variable, environment, from_file);
    let anonymous_read = match environment.get("GREENROOM_LOGIN_ANONYMOUS_READ").as_deref() {
        Some("true") => true,
        Some("false") => false,
        Some(other) => bail!("GREENROOM_LOGIN_ANONYMOUS_READ is {other:?}; write true or false"),
        None => file.anonymous_read.unwrap_or_default(),
    };
    Ok(Login {
        client,
        roles: ServerRoles {
            admins: named("admins", "GREENROOM_LOGIN_ADMINS", file.admins)?,
            deployers: named("deployers", "GREENROOM_LOGIN_DEPLOYERS", file.deployers)?,
            viewers: named("viewers", "GREENROOM_LOGIN_VIEWERS", file.viewers)?,
        },
        anonymous_read,
    })
}

/// Logins and teams; in a variable separated by commas.
fn named(
    key: &str,
    variable: &str,
    environment: &Environment,
    from_file: Vec<String>,
) -> anyhow::Result<Vec<Named>> {
    let names = match environment.get(variable) {
        Some(list) => list.split(',').map(str::to_owned).collect(),
        None => from_file,
    };
    names
        .iter()
        .map(|name| name.trim())
        .filter(|name| !name.is_empty())
        .map(|name| {
            name.parse().with_context(|| {
                format!("login.{key} ({variable}) names {name:?}; write a login or org/team")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn load(toml: &str, variables: &[(&str, &str)]) -> anyhow::Result<Login> {
        resolve(toml::from_str(toml)?, &Environment::of(variables))
    }

    #[test]
    fn nothing_given_lets_nobody_in_by_itself() {
        let login = load("", &[]).unwrap();
        assert!(login.client.is_none() && !login.anonymous_read);
        assert_eq!(login.roles, ServerRoles::default());
    }

    #[test]
    fn people_and_teams_are_named_in_the_file_or_the_environment() {
        let login = load("admins = ['ada', 'acme/platform']\nviewers = ['linus']", &[]).unwrap();
        assert_eq!(login.roles.admins.len(), 2);
        let variable = [("GREENROOM_LOGIN_ADMINS", "grace, acme/release")];
        let login = load("admins = ['ada']", &variable).unwrap();
        let names: Vec<String> = login.roles.admins.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["grace", "acme/release"]);
    }

    #[test]
    fn half_a_client_and_a_name_that_is_none_are_refused_by_their_keys() {
        let error = load("client_id = 'x'", &[]).unwrap_err().to_string();
        assert!(error.contains("client_secret"), "{error}");
        let error = load("admins = ['@ada']", &[]).unwrap_err().to_string();
        assert!(error.contains("login.admins") && error.contains("@ada"), "{error}");
        assert!(load("", &[("GREENROOM_LOGIN_ANONYMOUS_READ", "yes")]).is_err());
    }

    #[test]
    fn the_secret_of_the_environment_wins_and_does_not_print() {
        let variables = [
            ("GREENROOM_LOGIN_CLIENT_ID", "Iv1.abc"),
            ("GREENROOM_LOGIN_CLIENT_SECRET", "of the environment"),
        ];
        let login = load("client_secret = 'of the file'", &variables).unwrap();
        assert!(!format!("{login:?}").contains("of the environment"));
        assert_eq!(login.client.unwrap().secret.expose_secret(), "of the environment");
    }
}
