//! A badge as SVG: two words on two grounds. Pure.
//!
//! What always holds: no script, no style and nothing of another address is in it; a text cannot
//! break out of it; each text is told how long it is, so it fits whatever font the reader has. Both
//! grounds are dark enough for white text (4.5 to 1), and the word alone says the state too.

use askama::Template;

use super::words::{Look, Words};
use crate::error::Result;

/// Left and right of each text.
const MARGIN: u32 = 7;

#[derive(Template)]
#[template(path = "badge.svg", escape = "html")]
struct Badge<'a> {
    label: &'a str,
    message: &'a str,
    ground: &'static str,
    whole: u32,
    left: u32,
    right: u32,
    label_at: u32,
    label_length: u32,
    message_at: u32,
    message_length: u32,
}

pub(super) fn svg(words: &Words) -> Result<String> {
    let (label_length, message_length) = (length(&words.label), length(&words.message));
    let (left, right) = (label_length + 2 * MARGIN, message_length + 2 * MARGIN);
    let badge = Badge {
        label: &words.label,
        message: &words.message,
        ground: match words.look {
            Look::Good => "#1a7f37",
            Look::Bad => "#c0262d",
            Look::Moot => "#656d76",
        },
        whole: left + right,
        left,
        right,
        label_at: MARGIN,
        label_length,
        message_at: left + MARGIN,
        message_length,
    };
    Ok(badge.render()?)
}

/// About how wide a text is in Verdana of 11 pixels, or in what is there in its place.
fn length(text: &str) -> u32 {
    let tenths: u32 = text
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | '|' | '\'' | '!' => 34,
            'f' | 'r' | 't' | ' ' | '-' | '/' | '(' | ')' | '_' => 45,
            'm' | 'w' | 'M' | 'W' | '@' | '%' => 103,
            'A'..='Z' => 77,
            c if c.is_ascii() => 68,
            _ => 90,
        })
        .sum();
    tenths.div_ceil(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(label: &str, message: &str) -> Words {
        Words { label: label.into(), message: message.into(), look: Look::Good }
    }

    #[test]
    fn a_badge_says_its_words_and_is_as_wide_as_they_are() {
        let svg = svg(&words("workshop dev", "deployed")).unwrap();
        assert!(svg.contains("<title>workshop dev: deployed</title>"), "{svg}");
        assert!(svg.contains("width=\"160\""), "{svg}");
        assert_eq!(length("workshop dev"), 81);
    }

    #[test]
    fn a_text_cannot_break_out_of_a_badge() {
        let svg = svg(&words("\"><script>alert(1)</script>", "a&b")).unwrap();
        assert!(!svg.contains("<script") && !svg.contains("a&b"), "{svg}");
    }
}
