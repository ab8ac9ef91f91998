//! Where our GitHub App is installed, and which repositories we may see.

use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Credentials, GitHub, NO_BODY, PER_PAGE, RepositoryInfo};
use crate::error::Error;
use secrecy::SecretString;

/// A list to choose from needs no more pages of one account.
const PAGES: u32 = 10;

/// The App in one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    pub id: u64,
    /// The user or organization.
    pub account: String,
    /// Where its repositories are chosen.
    pub html_url: String,
    pub suspended: bool,
}

/// The repositories that we may see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visible {
    pub repositories: Vec<RepositoryInfo>,
    /// There are more than are listed here.
    pub cut: bool,
}

#[derive(Deserialize)]
struct WireInstallation {
    id: u64,
    account: Option<Account>,
    html_url: String,
    suspended_at: Option<String>,
}

#[derive(Deserialize)]
struct Account {
    /// Of an Enterprise only the slug.
    #[serde(alias = "slug")]
    login: String,
}

#[derive(Deserialize)]
struct WireRepositories {
    repositories: Vec<RepositoryInfo>,
}

impl GitHub {
    /// Everywhere the App is installed; of a token nowhere.
    pub async fn installations(&self) -> Result<Vec<Installation>, Error> {
        let Credentials::App(tokens) = self.credentials.as_ref() else { return Ok(Vec::new()) };
        let (found, _) = self
            .pages("/app/installations", &tokens.jwt(), |page: Vec<WireInstallation>| page)
            .await?;
        let installation = |wire: WireInstallation| Installation {
            id: wire.id,
            account: wire.account.map(|account| account.login).unwrap_or_default(),
            html_url: wire.html_url,
            suspended: wire.suspended_at.is_some(),
        };
        Ok(found.into_iter().map(installation).collect())
    }

    /// The repositories of all installations, or those that the token may see; by their names.
    pub async fn visible_repositories(&self) -> Result<Visible, Error> {
        let mut visible = Visible::default();
        match self.credentials.as_ref() {
            Credentials::App(tokens) => {
                let installations = self.installations().await?;
                for one in installations.iter().filter(|one| !one.suspended) {
                    let minted = tokens.for_installation(&self.api, one.id).await?;
                    let (found, cut) = self
                        .pages(
                            "/installation/repositories",
                            &minted.token,
                            |page: WireRepositories| page.repositories,
                        )
                        .await?;
                    visible.repositories.extend(found);
                    visible.cut |= cut;
                }
            }
            Credentials::Token(token) => {
                let (found, cut) =
                    self.pages("/user/repos", token, |page: Vec<RepositoryInfo>| page).await?;
                visible = Visible { repositories: found, cut };
            }
        }
        visible.repositories.sort_by_key(|repository| repository.name.key());
        visible.repositories.dedup_by_key(|repository| repository.id);
        Ok(visible)
    }

    /// The pages of a list that belongs to no repository, and whether there are more.
    async fn pages<P: DeserializeOwned, T>(
        &self,
        path: &str,
        credential: &SecretString,
        items: impl Fn(P) -> Vec<T>,
    ) -> Result<(Vec<T>, bool), Error> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let path = format!("{path}?per_page={PER_PAGE}&page={page}");
            let answer = self.api.send(Method::GET, &path, credential, NO_BODY).await?;
            let found = items(answer.json()?);
            let last = found.is_empty() || answer.next_page().is_none();
            all.extend(found);
            if last {
                return Ok((all, false));
            }
        }
        Ok((all, true))
    }
}
