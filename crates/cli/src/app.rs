//! Which app a command is for: the one that is named, or that of the working directory's clone.

use clap::Args;
use model::{AppName, RepositoryName};
use serde::Deserialize;

use crate::Surroundings;
use crate::api::Client;
use crate::error::{Error, Result};
use crate::remote;
use crate::server::Common;

/// The arguments of commands that are about one app.
#[derive(Debug, Clone, Args)]
pub(crate) struct InApp {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The app [default: that of the git remote of the working directory]
    #[arg(long, short, value_name = "APP", env = "GREENROOM_APP")]
    app: Option<AppName>,
}

#[derive(Deserialize)]
struct Apps {
    apps: Vec<App>,
}

#[derive(Deserialize)]
struct App {
    app: AppName,
    repository: RepositoryName,
}

impl InApp {
    pub(crate) async fn find(&self, around: &Surroundings) -> Result<(Client, AppName)> {
        let client = self.common.server.client(around)?;
        if let Some(app) = &self.app {
            return Ok((client, app.clone()));
        }
        let repositories = remote::repositories(&around.directory);
        if repositories.is_empty() {
            return Err(Error::Usage(
                "the working directory has no git remote that tells the app: name it with --app"
                    .into(),
            ));
        }
        let Apps { apps } = client.part(&client.get("/apps").await?)?;
        let apps: Vec<(AppName, RepositoryName)> =
            apps.into_iter().map(|app| (app.app, app.repository)).collect();
        let app = of(&repositories, &apps, client.url())?;
        Ok((client, app))
    }
}

/// The app of the first remote that has any.
fn of(
    repositories: &[RepositoryName],
    apps: &[(AppName, RepositoryName)],
    url: &str,
) -> Result<AppName> {
    for repository in repositories {
        let is_same =
            |other: &RepositoryName| other.as_str().eq_ignore_ascii_case(repository.as_ref());
        let found: Vec<&AppName> =
            apps.iter().filter(|(_, other)| is_same(other)).map(|(app, _)| app).collect();
        match found.as_slice() {
            [] => {}
            [app] => return Ok((*app).clone()),
            several => {
                let names: Vec<&str> = several.iter().map(|app| app.as_str()).collect();
                return Err(Error::Usage(format!(
                    "{repository} has several apps on {url}: name one with --app ({})",
                    names.join(", ")
                )));
            }
        }
    }
    let names: Vec<String> = repositories.iter().map(ToString::to_string).collect();
    Err(Error::Usage(format!(
        "{url} shows you no app of {}: name one with --app, or see `greenroom apps`",
        names.join(" or ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(remotes: &[&str]) -> Result<String, String> {
        let apps = [("workshop", "acme/workshop"), ("api", "acme/mono"), ("web", "Acme/Mono")];
        let apps =
            apps.map(|(app, repository)| (app.parse().unwrap(), repository.parse().unwrap()));
        let remotes: Vec<RepositoryName> =
            remotes.iter().map(|remote| remote.parse().unwrap()).collect();
        of(&remotes, &apps, "https://ci").map(String::from).map_err(|error| error.to_string())
    }

    #[test]
    fn the_app_is_that_of_the_first_remote_that_has_one() {
        assert_eq!(found(&["acme/workshop"]), Ok("workshop".into()));
        assert_eq!(found(&["ada/workshop", "ACME/Workshop"]), Ok("workshop".into()));
    }

    #[test]
    fn where_it_is_not_clear_the_app_is_to_be_named() {
        let several = found(&["acme/mono"]).unwrap_err();
        assert!(several.contains("--app (api, web)"), "{several}");
        let none = found(&["ada/one", "ada/two"]).unwrap_err();
        assert!(none.contains("no app of ada/one or ada/two"), "{none}");
    }
}
