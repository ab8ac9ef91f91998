//! What came from outside, as GitHub's markdown shows it and does nothing else with it.

use chrono::{DateTime, Utc};

/// A message can be a page long; its beginning says what happened.
const LONGEST: usize = 1_000;

/// A text to be read as it is, on one line, also inside a table. GitHub looks for mentions, issues and
/// addresses in no `code` element, and takes no character reference for markdown.
pub(super) fn code(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(LONGEST).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    if short.is_empty() {
        return String::new();
    }
    format!("<code>{}</code>", plain(&short))
}

/// Every character that markdown or HTML reads as more than itself as a reference.
fn plain(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii_punctuation() && !matches!(c, '.' | ',' | '-' | '/' | ':' | ';' | '?' | '=') {
            out.push_str(&format!("&#{};", u32::from(c)));
        } else if c.is_control() {
            out.push(' ');
        } else {
            out.push(c);
        }
        out
    })
}

/// An address to click, if it is one of the web and plain enough to stand in a table.
pub(super) fn link(address: &str) -> String {
    let is_web = address.starts_with("https://") || address.starts_with("http://");
    let is_plain = address.bytes().all(|byte| byte.is_ascii_graphic())
        && !address.contains(['|', '<', '>', '(', ')', '[', ']', '`', '\\', '"', '@', '*']);
    if is_web && is_plain && address.len() <= LONGEST {
        format!("<{address}>")
    } else {
        code(address)
    }
}

/// A time as everybody reads it.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d at %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("deploy failed: no", "<code>deploy failed: no</code>")]
    #[case("a | b\n| c", "<code>a &#124; b &#124; c</code>")]
    #[case("</code><img src=x>", "<code>&#60;/code&#62;&#60;img src=x&#62;</code>")]
    #[case(
        "`rm` *now* _or_ [x](y)",
        "<code>&#96;rm&#96; &#42;now&#42; &#95;or&#95; &#91;x&#93;&#40;y&#41;</code>"
    )]
    #[case("@acme/all #1", "<code>&#64;acme/all &#35;1</code>")]
    #[case(" \n ", "")]
    fn a_text_is_shown_as_it_is(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(code(text), expected);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = code(&"ü".repeat(LONGEST + 1));
        assert_eq!(long.chars().count(), "<code></code>".len() + LONGEST + 1);
        assert!(long.contains("ü…"));
    }

    #[rstest]
    #[case("https://abc.execute-api.us-east-1.amazonaws.com/dev?x=1")]
    #[case("http://localhost:3000/")]
    fn an_address_of_the_web_is_a_link(#[case] address: &str) {
        assert_eq!(link(address), format!("<{address}>"));
    }

    #[rstest]
    #[case("javascript:alert(1)")]
    #[case("https://x/|evil|")]
    #[case("https://x/> <script>")]
    #[case("postgres://db:5432/shop")]
    fn anything_else_is_text(#[case] address: &str) {
        assert!(link(address).starts_with("<code>"), "{}", link(address));
    }
}
