//! A comment that asks for something is written down, with the head that the pull request has as far
//! as is known; who may have it, and what comes of it, is found out by [`crate::comments`], which asks
//! GitHub.
//!
//! What always holds: a comment is taken once, by whatever deliveries it comes.

use chrono::{DateTime, Utc};
use model::comment::command::Line;
use store::PgConnection;
use store::app::App;
use store::delivery::DeliveryEnd;
use store::issue_comment::{NewComment, Taken};

use crate::event::Remark;

pub(super) async fn take(
    conn: &mut PgConnection,
    app: &App,
    said: Remark,
    now: DateTime<Utc>,
) -> anyhow::Result<DeliveryEnd> {
    let known = store::pull_request::find(conn, app.id, said.pull_request).await?;
    let wishes: Vec<String> = said.lines.iter().map(Line::said).collect();
    let new = NewComment {
        app_id: app.id,
        github_id: said.id,
        pull_request: said.pull_request,
        author: said.author,
        author_id: said.author_id,
        written_at: said.written_at,
        head: known.map(|known| known.commit),
        lines: said.lines,
    };
    let told =
        format!("{} asks on pull request #{}: {}", new.author, new.pull_request, wishes.join("; "));
    Ok(match store::issue_comment::take(conn, &new, now).await? {
        Taken::New => DeliveryEnd::Done(told),
        Taken::Known => {
            DeliveryEnd::Done(format!("replayed: the comment was taken before ({told})"))
        }
    })
}
