//! A text as a YAML scalar: without quotes where every reader takes it for that text, in quotes
//! where any might not.
//!
//! What always holds: it stands on one line, inside a line of `{ … }` or `[ … ]` too.

/// What some reader of YAML 1.1 or 1.2 takes for something other than text.
const WORDS: [&str; 11] =
    ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"];

pub(super) fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    if text.chars().all(is_printable) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let escaped: String = text.chars().map(escaped).collect();
    format!("\"{escaped}\"")
}

fn is_plain(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_');
    // a colon ends a key only before a space, or at the end
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_./-:".contains(c);
    let words = || text.split(' ').all(|word| !word.is_empty() && !word.ends_with(':'));
    let is_word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    (begins && text.chars().all(|c| allowed(c) || c == ' ') && words() && !is_word)
        || is_length_of_time(text)
}

/// `7d`, `12h`: never a number.
fn is_length_of_time(text: &str) -> bool {
    let number = text.strip_suffix(['d', 'h']).unwrap_or_default();
    !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
}

/// What YAML calls printable, less what ends a line somewhere and what cannot be seen.
fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn escaped(c: char) -> String {
    match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        c if is_printable(c) => c.to_string(),
        c => format!("\\u{:04x}", u32::from(c)),
    }
}
