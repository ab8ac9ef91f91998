//! The one comment on a pull request: edited where it is, made where there is none.
//!
//! What always holds: before one is made, ours is looked for, so that an answer which was lost does
//! not make two. One that a person has deleted is made anew with the next thing to say.

use github::{Edited, GitHub};
use store::outbox::{CommentWish, OutboxRow};

use super::{Unsent, remember, remembered};
use crate::Engine;

pub(super) async fn send(
    engine: &Engine,
    github: &GitHub,
    row: &OutboxRow,
    wish: &CommentWish,
) -> Result<(), Unsent> {
    if let Some(id) = remembered(row) {
        match github.edit_comment(&row.repository, id, &wish.body).await? {
            Edited::Done => return Ok(()),
            Edited::Gone => remember(engine, row, None).await?,
        }
    }
    let number = u64::try_from(wish.pull_request).map_err(|error| Unsent::Note(error.into()))?;
    if let Some(id) = github.find_comment(&row.repository, number, &wish.marker).await? {
        remember(engine, row, Some(id)).await?;
        if github.edit_comment(&row.repository, id, &wish.body).await? == Edited::Done {
            return Ok(());
        }
    }
    let id = github.create_comment(&row.repository, number, &wish.body).await?;
    remember(engine, row, Some(id)).await
}
