//! What people write on pull requests. Each comment of theirs is told by an `issue_comment` event; those
//! made over REST are only if somebody asked for that, for most who test do not care.

use crate::clock::now;
use crate::error::Error;
use crate::payload;
use crate::record::Comment;
use crate::rest::people::user_json;
use crate::state::{Shared, State};

impl State {
    /// Replaces what a comment says; the comment as it is then.
    pub(crate) fn edit_comment(
        &mut self,
        full_name: &str,
        id: u64,
        body: String,
    ) -> Result<Comment, Error> {
        let comment = self
            .comments
            .iter_mut()
            .find(|comment| comment.id == id && comment.repository == full_name)
            .ok_or_else(|| Error::not_found("comment", id.to_string()))?;
        let earlier = std::mem::replace(&mut comment.body, body);
        comment.earlier_bodies.push(earlier);
        comment.updated_at = now();
        Ok(comment.clone())
    }
}

/// Writes a comment as a person; its id.
pub(crate) fn write(
    stand: &Shared,
    full_name: &str,
    number: u64,
    login: &str,
    body: &str,
) -> Result<u64, Error> {
    let comment = {
        let mut state = stand.state();
        state.repo(full_name)?.pull(number)?;
        let comment = Comment {
            id: state.next_id(),
            repository: full_name.to_owned(),
            number,
            body: body.to_owned(),
            earlier_bodies: Vec::new(),
            user: login.to_owned(),
            created_at: now(),
            updated_at: now(),
        };
        state.comments.push(comment.clone());
        comment
    };
    tell(stand, &comment, "created", login);
    Ok(comment.id)
}

/// Edits a comment as a person.
pub(crate) fn edit(
    stand: &Shared,
    full_name: &str,
    id: u64,
    login: &str,
    body: &str,
) -> Result<(), Error> {
    let comment = stand.state().edit_comment(full_name, id, body.to_owned())?;
    tell(stand, &comment, "edited", login);
    Ok(())
}

/// Tells of what was done over REST, if that is wanted.
pub(crate) fn announce(stand: &Shared, comment: &Comment, action: &str) {
    if stand.state().announces_comments {
        tell(stand, comment, action, &comment.user);
    }
}

fn tell(stand: &Shared, comment: &Comment, action: &str, sender: &str) {
    let Ok(repo) = stand.repo(&comment.repository) else { return };
    let Ok(pull) = repo.pull(comment.number) else { return };
    let account = |login: &str| {
        if login.ends_with("[bot]") {
            return payload::actor(&stand.url, login);
        }
        let user = stand.state().put_user(login, None);
        user_json(stand, &user)
    };
    let (author, sender) = (account(&comment.user), account(sender));
    let event =
        payload::issue_comment::event(&stand.url, &repo, pull, comment, action, author, &sender);
    stand.emit("issue_comment", event, &repo);
}
