//! A message as lines, each written by whoever sends it in their own markup.

use model::notification::Message;

/// The line below the headline that says which commit it is about.
pub(crate) fn commit(message: &Message) -> Option<String> {
    let build = message.build.as_ref()?;
    let place = match (&build.branch, &build.tag) {
        (_, Some(tag)) => format!("tag {tag}, "),
        (Some(branch), None) => format!("{branch}, "),
        (None, None) => String::new(),
    };
    let commit = build.commit.short();
    Some(format!("{} ({place}{commit}) by {}", build.title, build.author))
}

/// `workshop: Build 12 failed on prod`
pub(crate) fn headline(message: &Message) -> String {
    format!("{}: {}", message.app, message.headline)
}
