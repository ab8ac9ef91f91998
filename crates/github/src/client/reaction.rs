//! Reactions to comments on pull requests. Writing one takes the right to write pull requests
//! ("Create reaction for an issue comment", docs.github.com); who reacted so already is answered as
//! if that were news.

use http::Method;
use model::RepositoryName;
use model::comment::command::Reaction;
use serde::{Deserialize, Serialize};

use super::GitHub;
use crate::error::Error;

/// What came of reacting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reacted {
    Done,
    /// The comment is gone.
    Gone,
}

#[derive(Serialize)]
struct New {
    content: &'static str,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "id")]
    _id: u64,
}

impl GitHub {
    /// Reacts to a comment by its number.
    pub async fn react(
        &self,
        repo: &RepositoryName,
        comment: u64,
        reaction: Reaction,
    ) -> Result<Reacted, Error> {
        let path = format!("/issues/comments/{comment}/reactions");
        let new = New { content: reaction.as_str() };
        let outcome = match self.send(Method::POST, repo, &path, Some(&new)).await {
            Ok(answer) => answer.json::<Wire>(),
            Err(error) => Err(error),
        };
        Ok(match self.absent_or(repo, outcome).await? {
            Some(_) => Reacted::Done,
            None => Reacted::Gone,
        })
    }
}
