//! All references that a file makes, before any framework has read it: whom a service depends on.
//!
//! What always holds: whatever the text, this ends with the references that can be read in it.
//! Comments do not count, for what was commented out must not make a dependency. What only looks
//! like a reference is left out: the packaging refuses it with its place in the configuration.

use super::reference::Reference;
use super::variable::{self, Variables};

/// A longer variable is not looked into, only those inside it: nobody writes one, and a text made
/// to be slow must not be.
const VARIABLE_MAX_BYTES: usize = 2048;

/// The distinct references in a text, in the order in which they first stand there; also those
/// inside other variables and behind fallbacks (`${param:table, output:database.table}`).
pub fn scan(text: &str) -> Vec<Reference> {
    let text = without_comments(text);
    let mut found = Vec::new();
    let variables = Variables::of(&text);
    for range in variables.all().iter().filter(|range| range.len() <= VARIABLE_MAX_BYTES) {
        for source in variable::sources(variable::inside(&text[range.clone()])) {
            let Some(address) = source.strip_prefix("output:") else { continue };
            if let Ok(reference) = address.parse::<Reference>()
                && !found.contains(&reference)
            {
                found.push(reference);
            }
        }
    }
    found
}

fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for line in text.lines() {
        if !line.trim_start().starts_with("//") {
            kept.push_str(&line[..comment(line).unwrap_or(line.len())]);
        }
        kept.push('\n');
    }
    kept
}

/// Where a `#` begins a comment, as YAML has it: at the line's beginning or after a blank, and
/// not in quotes. A lone apostrophe before it makes it count as text: rather a dependency too
/// many than one too few.
fn comment(line: &str) -> Option<usize> {
    let mut quote = None;
    let mut before = b' ';
    for (at, byte) in line.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if byte == open && before != b'\\' => quote = None,
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'#') if before.is_ascii_whitespace() => return Some(at),
            _ => {}
        }
        before = byte;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_scanned_and_what_is_found_reads_as_it_was_written(
            text in r"([a-z.:${}\\,'# \n]|\$\{output:|\$\{param:a\}|\PC){0,80}",
        ) {
            for reference in scan(&text) {
                prop_assert_eq!(&reference, &reference.raw().parse().expect("a reference"));
                prop_assert!(!reference.key().is_empty());
            }
        }
    }
}
