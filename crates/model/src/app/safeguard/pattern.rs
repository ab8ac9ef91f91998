//! Patterns of names and values: regular expressions that the whole text must match.

use std::str::FromStr;

use regex::Regex;

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    #[error(
        "this is no regular expression that can be read ({reason}); write one like 'dev|preview-.*'"
    )]
    Expression { reason: String },
    #[error("`${{{0}}}` is not known here; known are ${{SERVICE}}, ${{STAGE}} and ${{FUNCTION}}")]
    Variable(String),
}

/// A regular expression that the whole of a text must match. Two are equal if they are written
/// alike.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        Ok(Self { text: text.to_owned(), regex: whole(text)? })
    }
}

fn whole(expression: &str) -> Result<Regex, InvalidPattern> {
    // alone first, so that its own mistakes are named and it cannot end our group early
    let reason = |error: regex::Error| {
        let text = error.to_string();
        // the library draws the expression over several lines, and says what is wrong in the last
        let last = text.lines().last().unwrap_or(&text).trim();
        let reason = last.trim_start_matches("error: ").to_owned();
        InvalidPattern::Expression { reason }
    };
    Regex::new(expression).map_err(reason)?;
    Regex::new(&format!("^(?:{expression})$")).map_err(reason)
}

/// A pattern of function names, in which `${SERVICE}`, `${STAGE}` and `${FUNCTION}` stand for
/// those names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionPattern {
    text: String,
}

/// What the variables of a [`FunctionPattern`] stand for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FunctionNames<'a> {
    pub(crate) service: &'a str,
    pub(crate) stage: &'a str,
    pub(crate) function: &'a str,
}

impl FunctionPattern {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The pattern with a function's names in it, for people.
    pub(crate) fn shown(&self, names: FunctionNames<'_>) -> String {
        substituted(&self.text, names, str::to_owned).unwrap_or_else(|_| self.text.clone())
    }

    /// Whether a function with these names may be called `name`. A pattern that long names make
    /// too large to be compiled allows nothing.
    pub(crate) fn allows(&self, names: FunctionNames<'_>, name: &str) -> bool {
        let pattern = substituted(&self.text, names, as_unit).and_then(|text| text.parse());
        pattern.is_ok_and(|pattern: Pattern| pattern.matches(name))
    }
}

impl FromStr for FunctionPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let names = FunctionNames { service: "s", stage: "s", function: "f" };
        let _: Pattern = substituted(text, names, as_unit)?.parse()?;
        Ok(Self { text: text.to_owned() })
    }
}

/// A name to the letter; one unit, so that an operator behind it means all of it.
fn as_unit(name: &str) -> String {
    format!("(?:{})", regex::escape(name))
}

fn substituted(
    pattern: &str,
    names: FunctionNames<'_>,
    written: impl Fn(&str) -> String,
) -> Result<String, InvalidPattern> {
    let mut found = String::new();
    let mut rest = pattern;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let value = match &rest[start + 2..start + length] {
            "SERVICE" => names.service,
            "STAGE" => names.stage,
            "FUNCTION" => names.function,
            other => return Err(InvalidPattern::Variable(other.to_owned())),
        };
        found.push_str(&rest[..start]);
        found.push_str(&written(value));
        rest = &rest[start + length + 1..];
    }
    found.push_str(rest);
    Ok(found)
}
