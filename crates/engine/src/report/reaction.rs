//! A reaction to what somebody asked for: there once, however often it is sent. A comment that is gone
//! needs none.

use github::{GitHub, Reacted};
use store::outbox::{OutboxRow, ReactionWish};

use super::Unsent;

pub(super) async fn send(
    github: &GitHub,
    row: &OutboxRow,
    wish: &ReactionWish,
) -> Result<(), Unsent> {
    let comment = u64::try_from(wish.comment).map_err(|error| Unsent::Note(error.into()))?;
    match github.react(&row.repository, comment, wish.content).await? {
        Reacted::Done | Reacted::Gone => Ok(()),
    }
}
