//! Comments on pull requests (GitHub serves them under `issues`).

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Credentials, GitHub, NO_BODY};
use crate::error::Error;
use model::RepositoryName;

/// GitHub refuses a longer one.
pub const LONGEST_COMMENT: usize = 65_536;

/// What came of editing a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edited {
    Done,
    /// Somebody has deleted it.
    Gone,
}

#[derive(Serialize)]
struct Written<'a> {
    body: &'a str,
}

#[derive(Deserialize)]
struct Wire {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    user: Option<Writer>,
    #[serde(default, rename = "performed_via_github_app")]
    app: Option<WriterApp>,
}

#[derive(Deserialize)]
struct Writer {
    login: String,
    /// `User`, `Bot`, `Organization`
    #[serde(default, rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct WriterApp {
    id: u64,
}

/// Whose comments are ours.
enum Author {
    App(u64),
    Login(String),
}

impl Author {
    /// Anybody may write our marker into a comment; only our own are edited.
    fn wrote(&self, comment: &Wire) -> bool {
        match (self, &comment.app, &comment.user) {
            (Self::App(id), Some(app), _) => app.id == *id,
            // An Enterprise server may not say which App.
            (Self::App(_), None, Some(user)) => user.kind == "Bot",
            (Self::Login(login), _, Some(user)) => user.login.eq_ignore_ascii_case(login),
            (Self::App(_) | Self::Login(_), _, None) => false,
        }
    }
}

impl GitHub {
    /// The oldest comment of ours on a pull request that begins with `marker`.
    pub async fn find_comment(
        &self,
        repo: &RepositoryName,
        number: u64,
        marker: &str,
    ) -> Result<Option<u64>, Error> {
        let author = self.author().await?;
        let path = format!("/issues/{number}/comments");
        let comments: Vec<Wire> = self.list(repo, &path).await?;
        let marked =
            |comment: &&Wire| comment.body.as_deref().is_some_and(|body| body.starts_with(marker));
        let ours = comments.iter().filter(marked).find(|comment| author.wrote(comment));
        Ok(ours.map(|comment| comment.id))
    }

    /// Comments on a pull request; the comment's id.
    pub async fn create_comment(
        &self,
        repo: &RepositoryName,
        number: u64,
        body: &str,
    ) -> Result<u64, Error> {
        let path = format!("/issues/{number}/comments");
        let made: Wire = self
            .send(Method::POST, repo, &path, Some(&Written { body }))
            .await
            .map_err(|error| self.not_visible(repo, error))?
            .json()?;
        Ok(made.id)
    }

    /// Replaces what a comment says.
    pub async fn edit_comment(
        &self,
        repo: &RepositoryName,
        id: u64,
        body: &str,
    ) -> Result<Edited, Error> {
        let path = format!("/issues/comments/{id}");
        let outcome = match self.send(Method::PATCH, repo, &path, Some(&Written { body })).await {
            Ok(answer) => answer.json::<Wire>(),
            Err(error) => Err(error),
        };
        Ok(match self.absent_or(repo, outcome).await? {
            Some(_) => Edited::Done,
            None => Edited::Gone,
        })
    }

    async fn author(&self) -> Result<Author, Error> {
        match self.credentials.as_ref() {
            Credentials::App(tokens) => Ok(Author::App(tokens.app_id())),
            Credentials::Token(token) => {
                let found: Writer =
                    self.api.send(Method::GET, "/user", token, NO_BODY).await?.json()?;
                Ok(Author::Login(found.login))
            }
        }
    }
}
