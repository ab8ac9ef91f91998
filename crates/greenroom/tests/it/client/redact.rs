//! What differs from run to run, replaced by its name.

use regex::Regex;

/// In this order: what comes later would find parts of what comes first.
const PATTERNS: &[(&str, &str)] = &[
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[id]"),
    (r"\b[0-9a-f]{64}\b", "[digest]"),
    (r"\b[0-9a-f]{40}\b", "[sha]"),
    (r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "[time]"),
    (r"\b[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2} UTC", "[moment]"),
    (r"\b[0-9]{2}:[0-9]{2}:[0-9]{2}\b", "[clock]"),
    (r"\([0-9a-f]{6}\)", "([suffix])"),
    (r"\b[0-9a-f]{7}\b", "[commit]"),
    (r"\b[B-Z]{4}-[B-Z]{4}\b", "[code]"),
    (r"\b[0-9]+[smhd] ago\b", "[ago]"),
    (r"\b([0-9]+m )?[0-9]+s\b", "[span]"),
    // widths of columns, and rules
    (r" {3,}(\S)", "  $1"),
];

pub(super) fn redact(text: &str, known: &[(String, &str)]) -> String {
    let text = known.iter().fold(text.to_owned(), |text, (is, name)| text.replace(is, name));
    assert!(!text.contains("grn_"), "a token is shown: {text}");
    PATTERNS.iter().fold(text, |text, (pattern, name)| {
        Regex::new(pattern).unwrap().replace_all(&text, *name).into_owned()
    })
}
