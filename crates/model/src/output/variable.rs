//! Finding `${…}` in a text: where each begins and ends, and the sources it names.
//!
//! What always holds: one pass over the text, whatever it holds; `\${` begins no variable.

use std::ops::Range;

/// The variables of a text.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// All of them, with their `${` and `}`, by where they begin.
    all: Vec<Range<usize>>,
    /// Where a `${` begins that has no `}`.
    pub(super) unclosed: Option<usize>,
}

impl Variables {
    pub(super) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut open = Vec::new();
        let mut all = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b'$' if bytes.get(at + 1) == Some(&b'{') && !is_escaped(bytes, at) => {
                    open.push(at);
                    at += 1;
                }
                b'}' => {
                    if let Some(start) = open.pop() {
                        all.push(start..at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        all.sort_by_key(|range| range.start);
        Self { all, unclosed: open.first().copied() }
    }

    /// Nested ones included.
    pub(super) fn all(&self) -> &[Range<usize>] {
        &self.all
    }

    /// Those that stand in no other.
    pub(super) fn outermost(&self) -> impl Iterator<Item = Range<usize>> {
        let mut end = 0;
        self.all.iter().filter_map(move |range| {
            let outer = range.start >= end;
            outer.then(|| {
                end = range.end;
                range.clone()
            })
        })
    }
}

/// What stands between `${` and `}`.
pub(super) fn inside(variable: &str) -> &str {
    variable.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).unwrap_or(variable)
}

/// The sources of a variable in the order in which they are tried: `a` and `'b'` of `${a, 'b'}`.
pub(super) fn sources(inside: &str) -> Vec<&str> {
    let mut quote = None;
    let mut begin = 0;
    let mut pieces = Vec::new();
    for (at, byte) in outside_variables(inside) {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (None, b'\'' | b'"') if begins_value(&inside[begin..at]) => quote = Some(byte),
            (None, b',') => {
                pieces.push(inside[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(inside[begin..].trim());
    pieces
}

/// Cuts a text at a character, but not inside a variable.
pub(super) fn split(text: &str, separator: u8) -> Vec<&str> {
    let mut begin = 0;
    let mut pieces = Vec::new();
    for (at, byte) in outside_variables(text) {
        if byte == separator {
            pieces.push(&text[begin..at]);
            begin = at + 1;
        }
    }
    pieces.push(&text[begin..]);
    pieces
}

/// `'text'` and `"text"` without their quotes.
pub(super) fn unquoted(text: &str) -> Option<&str> {
    ['\'', '"'].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
}

/// The bytes of a text that belong to no variable, each with its place.
pub(super) fn outside_variables(text: &str) -> Vec<(usize, u8)> {
    let mut outside = Vec::with_capacity(text.len());
    let mut from = 0;
    let mut add = |range: Range<usize>| {
        outside.extend(range.map(|at| (at, text.as_bytes()[at])));
    };
    for variable in Variables::of(text).outermost() {
        add(from..variable.start);
        from = variable.end;
    }
    add(from..text.len());
    outside
}

/// A quote counts at the beginning of a source, or of what stands after its colon.
fn begins_value(before: &str) -> bool {
    let before = before.trim_end();
    before.is_empty() || before.ends_with(':')
}

fn is_escaped(bytes: &[u8], at: usize) -> bool {
    bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_variables_are_found_and_only_the_outer_ones_are_outermost() {
        let text = "a-${x:${y:z}}-${w}";
        let variables = Variables::of(text);
        let shown: Vec<&str> = variables.all().iter().map(|range| &text[range.clone()]).collect();
        assert_eq!(shown, ["${x:${y:z}}", "${y:z}", "${w}"]);
        let outer: Vec<&str> = variables.outermost().map(|range| &text[range]).collect();
        assert_eq!(outer, ["${x:${y:z}}", "${w}"]);
        assert_eq!(variables.unclosed, None);
    }

    #[test]
    fn an_escaped_variable_is_none_and_an_unclosed_one_is_told() {
        assert!(Variables::of(r"\${a}").all().is_empty());
        assert_eq!(Variables::of(r"\\${a}").all().len(), 1);
        assert_eq!(Variables::of("x ${a").unclosed, Some(2));
    }

    #[test]
    fn sources_are_cut_at_commas_outside_quotes_and_variables() {
        assert_eq!(
            sources("opt:a, 'b, c', output:${x, 'y'}.k"),
            ["opt:a", "'b, c'", "output:${x, 'y'}.k"]
        );
        assert_eq!(sources("file(don't.json), 1"), ["file(don't.json)", "1"]);
    }
}
