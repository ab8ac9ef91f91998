//! A message in Slack's markup.

use model::notification::{Event, Message};

use crate::text;

/// The headline links to the page; what is known besides stands below it.
pub(super) fn written(message: &Message) -> String {
    let link = format!("<{}|{}>", address(&message.url), escaped(&text::headline(message)));
    let mut lines = vec![format!("{} {link}", icon(message.event))];
    lines.extend(message.detail.as_deref().map(escaped));
    lines.extend(text::commit(message).as_deref().map(escaped));
    lines.join("\n")
}

fn icon(event: Event) -> &'static str {
    match event {
        Event::BuildFailed => ":x:",
        Event::BuildFixed | Event::BuildSucceeded => ":white_check_mark:",
        Event::BuildWaiting => ":raised_hand:",
        Event::BuildResumed => ":arrow_forward:",
        Event::BuildEnded => ":black_square_for_stop:",
        Event::PreviewExpiring => ":hourglass:",
        Event::PreviewKept | Event::StageInSync | Event::StageCleared => ":ok:",
        Event::PreviewRemoved => ":wastebasket:",
        Event::StageLeftover | Event::StageDrifted => ":warning:",
    }
}

/// The three characters that mean something to Slack; without them nothing mentions or links.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Our own address; what would end the link cannot stand in it.
fn address(url: &str) -> String {
    url.replace('&', "&amp;").replace('<', "%3C").replace('>', "%3E").replace('|', "%7C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_wrote_mentions_or_links() {
        assert_eq!(escaped("<!channel> & <https://x|y>").matches(['<', '>']).count(), 0);
        assert_eq!(escaped("fix <@U1>"), "fix &lt;@U1&gt;");
        assert_eq!(address("https://x/a|b>"), "https://x/a%7Cb%3E");
    }
}
