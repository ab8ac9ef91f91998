//! A text of a template, its functions resolved as far as the template and its surroundings tell.
//!
//! `Fn::Sub`, `Fn::Join`, `Fn::FindInMap`, pseudo parameters and parameters are followed; what
//! only AWS knows stays as `${…}`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::referred;

/// What a template's texts may speak of.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) template: &'a Value,
    pub(crate) stack: &'a str,
    pub(crate) region: &'a str,
    pub(crate) account: Option<&'a str>,
    /// The values of the template's parameters; a parameter without one has its default.
    pub(crate) parameters: &'a BTreeMap<String, String>,
}

/// A text in parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Text {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// The number of an account that is not known: always twelve digits.
    Account,
    /// Known to AWS alone; this is how it is written inside `${…}`.
    Unknown(String),
}

const ACCOUNT_DIGITS: usize = 12;

impl Text {
    /// A text of which nothing is open.
    pub(crate) fn known(text: &str) -> Self {
        Self::of(Part::Literal(text.to_owned()))
    }

    /// The text with another end, if it has this one.
    pub(crate) fn with_end(&self, end: &str, other: &str) -> Self {
        let mut text = self.clone();
        if let Some(Part::Literal(last)) = text.parts.last_mut()
            && let Some(rest) = last.strip_suffix(end)
        {
            *last = format!("{rest}{other}");
        }
        text
    }

    /// The text, if all of it is known.
    pub(crate) fn literal(&self) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => Some(text.as_str()),
                Part::Account | Part::Unknown(_) => None,
            })
            .collect()
    }

    /// The text with `${…}` for what is not known, as `Fn::Sub` writes it.
    pub(crate) fn shown(&self) -> String {
        self.replaced(|unknown| format!("${{{unknown}}}"))
    }

    /// The text with `mark` for each part that is not known.
    pub(crate) fn marked(&self, mark: &str) -> String {
        self.replaced(|_| mark.to_owned())
    }

    fn replaced(&self, unknown: impl Fn(&str) -> String) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => text.clone(),
                Part::Account => unknown("AWS::AccountId"),
                Part::Unknown(name) => unknown(name),
            })
            .collect()
    }

    /// How many characters it has at least.
    pub(crate) fn least_length(&self) -> usize {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => text.chars().count(),
                Part::Account => ACCOUNT_DIGITS,
                Part::Unknown(_) => 0,
            })
            .sum()
    }

    /// Whether it has exactly that many.
    pub(crate) fn has_known_length(&self) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Literal(_) | Part::Account => true,
            Part::Unknown(_) => false,
        })
    }

    /// The known pieces.
    pub(crate) fn literals(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(text) => Some(text.as_str()),
            Part::Account | Part::Unknown(_) => None,
        })
    }

    fn push(&mut self, part: Part) {
        match (self.parts.last_mut(), part) {
            (_, Part::Literal(text)) if text.is_empty() => {}
            (Some(Part::Literal(before)), Part::Literal(text)) => before.push_str(&text),
            (_, part) => self.parts.push(part),
        }
    }

    /// A text as written; a dynamic reference in it is known to AWS alone.
    fn push_written(&mut self, text: &str) {
        let mut rest = text;
        while let Some(start) = rest.find("{{resolve:") {
            let Some(length) = rest[start..].find("}}") else { break };
            self.push(Part::Literal(rest[..start].to_owned()));
            self.push(Part::Unknown(rest[start + 2..start + length].to_owned()));
            rest = &rest[start + length + 2..];
        }
        self.push(Part::Literal(rest.to_owned()));
    }

    fn append(&mut self, other: Self) {
        for part in other.parts {
            self.push(part);
        }
    }

    fn of(part: Part) -> Self {
        let mut text = Self::default();
        text.push(part);
        text
    }
}

impl Surroundings<'_> {
    /// The text of a value. A list or a map that is no function has none.
    pub(crate) fn text(&self, value: &Value) -> Option<Text> {
        let mut text = Text::default();
        match value {
            Value::String(written) => text.push_written(written),
            Value::Number(number) => text.push(Part::Literal(number.to_string())),
            Value::Bool(value) => text.push(Part::Literal(value.to_string())),
            Value::Object(map) if map.len() == 1 => {
                let (name, argument) = map.iter().next()?;
                return self.function(name, argument, value);
            }
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        }
        Some(text)
    }

    fn function(&self, name: &str, argument: &Value, whole: &Value) -> Option<Text> {
        let resolved = match name {
            "Ref" => Some(self.named(argument.as_str()?)),
            "Fn::Sub" => self.substituted(argument),
            "Fn::Join" => self.joined(argument),
            "Fn::FindInMap" => self.mapped(argument),
            _ => None,
        };
        if resolved.is_some() {
            return resolved;
        }
        let attribute = || {
            let path = match argument {
                Value::String(path) => path.clone(),
                Value::Array(parts) => {
                    parts.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?.join(".")
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
            };
            Some(path)
        };
        let unknown = match referred(whole) {
            Some(resource) => attribute().unwrap_or_else(|| resource.to_owned()),
            None if name.starts_with("Fn::") => name.to_owned(),
            None => return None,
        };
        Some(Text::of(Part::Unknown(unknown)))
    }

    /// What `${name}` or `{ "Ref": name }` stands for.
    fn named(&self, name: &str) -> Text {
        match name {
            "AWS::StackName" => Text::known(self.stack),
            "AWS::Region" => Text::known(self.region),
            "AWS::Partition" => Text::known(partition(self.region)),
            "AWS::URLSuffix" => Text::known(match partition(self.region) {
                "aws-cn" => "amazonaws.com.cn",
                _ => "amazonaws.com",
            }),
            "AWS::AccountId" => self.account.map_or_else(|| Text::of(Part::Account), Text::known),
            other => match self.parameter(other) {
                Some(value) => {
                    let mut text = Text::default();
                    text.push_written(&value);
                    text
                }
                None => Text::of(Part::Unknown(other.to_owned())),
            },
        }
    }

    /// The value of a parameter that is a plain text. Others (an SSM parameter's) hold a name, and
    /// AWS puts the value in its place.
    fn parameter(&self, name: &str) -> Option<String> {
        let declared = self.template.get("Parameters")?.get(name)?;
        let kind = declared.get("Type").and_then(Value::as_str).unwrap_or("String");
        if !["String", "Number"].contains(&kind) {
            return None;
        }
        self.parameters.get(name).cloned().or_else(|| match declared.get("Default")? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        })
    }

    fn substituted(&self, argument: &Value) -> Option<Text> {
        let (pattern, values) = match argument {
            Value::String(pattern) => (pattern.as_str(), None),
            Value::Array(parts) => (parts.first()?.as_str()?, parts.get(1)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
        };
        let mut text = Text::default();
        let mut rest = pattern;
        while let Some(start) = rest.find("${") {
            let Some(length) = rest[start..].find('}') else { break };
            text.push_written(&rest[..start]);
            let name = rest[start + 2..start + length].trim();
            match name.strip_prefix('!') {
                Some(written) => text.push(Part::Literal(format!("${{{written}}}"))),
                None => {
                    let given = values.and_then(|values| values.get(name));
                    let value = given.and_then(|value| self.text(value));
                    text.append(value.unwrap_or_else(|| self.named(name)));
                }
            }
            rest = &rest[start + length + 1..];
        }
        text.push_written(rest);
        Some(text)
    }

    fn joined(&self, argument: &Value) -> Option<Text> {
        let [delimiter, items] = argument.as_array()?.as_slice() else { return None };
        let delimiter = delimiter.as_str()?;
        let mut text = Text::default();
        for (position, item) in items.as_array()?.iter().enumerate() {
            if position > 0 {
                text.push(Part::Literal(delimiter.to_owned()));
            }
            text.append(
                self.text(item).unwrap_or_else(|| Text::of(Part::Unknown("list".to_owned()))),
            );
        }
        Some(text)
    }

    fn mapped(&self, argument: &Value) -> Option<Text> {
        let [map, first, second, ..] = argument.as_array()?.as_slice() else { return None };
        let key = |value| self.text(value)?.literal();
        let found = self.template.get("Mappings")?.get(key(map)?)?.get(key(first)?)?;
        self.text(found.get(key(second)?)?)
    }
}

/// The partition of a region, by its name ("AWS services endpoints", AWS General Reference).
fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}
