//! The parts of a mail.

use model::notification::Message;

use crate::text;

pub(super) fn subject(message: &Message) -> String {
    format!("[{}] {}", message.app, message.headline)
}

pub(super) fn plain(message: &Message) -> String {
    let mut lines = vec![text::headline(message)];
    lines.extend(message.detail.clone());
    lines.extend(text::commit(message));
    lines.push(String::new());
    lines.push(message.url.clone());
    lines.join("\n")
}

/// No style and no picture: what a mail program shows of any mail.
pub(super) fn html(message: &Message) -> String {
    let mut body = format!(
        "<p><a href=\"{}\">{}</a></p>",
        escaped(&message.url),
        escaped(&text::headline(message))
    );
    if let Some(detail) = &message.detail {
        body.push_str(&format!("<p>{}</p>", escaped(detail)));
    }
    if let Some(commit) = text::commit(message) {
        body.push_str(&format!("<p>{}</p>", escaped(&commit)));
    }
    format!("<!doctype html><html><body>{body}</body></html>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_wrote_becomes_markup() {
        let text = escaped("<img src=x onerror='a'> & \"b\"");
        assert_eq!(text, "&lt;img src=x onerror=&#39;a&#39;&gt; &amp; &quot;b&quot;");
    }
}
