//! YAML with CloudFormation's short tags, read event by event.
//!
//! What always holds: nesting costs memory, not stack, and is bounded; so is what aliases grow to.
//! Scalars keep the form they were written in where JSON would show them differently: `012345`
//! stays text.
//!
//! The short tags are those of "Intrinsic function reference" and "Rule-specific intrinsic
//! functions" in the CloudFormation user guide.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::InvalidTemplate;

/// Nesting of maps and lists as written; a short tag adds one level to the value.
const MAX_DEPTH: usize = 60;
/// Values in all, aliases followed. A template of 1 MB has fewer.
const MAX_VALUES: usize = 500_000;

/// Short tags whose long form has `Fn::` before the name.
const FUNCTIONS: [&str; 24] = [
    "And",
    "Base64",
    "Cidr",
    "Contains",
    "EachMemberEquals",
    "EachMemberIn",
    "Equals",
    "FindInMap",
    "GetAZs",
    "GetAtt",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "RefAll",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
    "ValueOf",
    "ValueOfAll",
];

/// Reads one document.
pub(super) fn parse(text: &str) -> Result<Value, InvalidTemplate> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| unreadable(&error))?;
        builder.take(event, span.start.line())?;
    }
    Ok(builder.root.unwrap_or(Value::Null))
}

fn unreadable(error: &ScanError) -> InvalidTemplate {
    let message = error.info();
    InvalidTemplate::at(
        error.marker().line(),
        format!("{}; check the YAML around this place", message.trim_end_matches('.')),
    )
}

#[derive(Default)]
struct Builder {
    /// The maps and lists that are still open, the outermost first.
    open: Vec<Open>,
    root: Option<Value>,
    documents: usize,
    values: usize,
    anchors: HashMap<usize, (Value, usize)>,
}

/// A map or list of which not all is read.
struct Open {
    content: Content,
    function: Option<&'static str>,
    anchor: usize,
    /// How many values had been read when it began.
    before: usize,
}

enum Content {
    List(Vec<Value>),
    /// With the key whose value comes next.
    Map(Map<String, Value>, Option<String>),
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), InvalidTemplate> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(InvalidTemplate::at(
                        line,
                        "there is more than one YAML document; keep one and remove the line ---",
                    ));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let before = self.values;
                let value = scalar(&text, style, tag.as_deref(), line)?;
                self.finish(value, anchor, before, line)
            }
            Event::Alias(anchor) => {
                let Some((value, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(InvalidTemplate::at(line, "an alias stands inside its own anchor"));
                };
                let before = self.values;
                self.values += size.saturating_sub(1);
                self.finish(value, 0, before, line)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(Content::List(Vec::new()), tag.as_deref(), anchor, line)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.begin(Content::Map(Map::new(), None), tag.as_deref(), anchor, line)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(line),
            // the stream's own beginning and end, and comments
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        content: Content,
        tag: Option<&Tag>,
        anchor: usize,
        line: usize,
    ) -> Result<(), InvalidTemplate> {
        if self.open.len() >= MAX_DEPTH {
            let message = "this is nested deeper than a template can be; write it plainly";
            return Err(InvalidTemplate::at(line, message));
        }
        let function = tag.map(|tag| function(tag, line)).transpose()?.flatten();
        self.open.push(Open { content, function, anchor, before: self.values });
        Ok(())
    }

    fn end(&mut self, line: usize) -> Result<(), InvalidTemplate> {
        let Some(Open { content, function, anchor, before }) = self.open.pop() else {
            return Ok(());
        };
        let value = match content {
            Content::List(items) => Value::Array(items),
            Content::Map(map, _) => Value::Object(merged(map)),
        };
        let value = function.map_or_else(|| value.clone(), |name| call(name, value.clone()));
        self.finish(value, anchor, before, line)
    }

    /// A value is whole: it goes to the key or the list that waits for it.
    fn finish(
        &mut self,
        value: Value,
        anchor: usize,
        before: usize,
        line: usize,
    ) -> Result<(), InvalidTemplate> {
        self.values += 1;
        if self.values > MAX_VALUES {
            let message =
                "with its aliases followed this is larger than a template can be; write it plainly";
            return Err(InvalidTemplate::at(line, message));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), self.values - before));
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(value),
            Some(Content::List(items)) => items.push(value),
            Some(Content::Map(map, key)) => match key.take() {
                None => *key = Some(as_key(value, map, line)?),
                Some(key) => {
                    map.insert(key, value);
                }
            },
        }
        Ok(())
    }
}

fn as_key(value: Value, map: &Map<String, Value>, line: usize) -> Result<String, InvalidTemplate> {
    let key = match value {
        Value::String(key) => key,
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            return Err(InvalidTemplate::at(line, "a key must be a text"));
        }
    };
    if map.contains_key(&key) {
        let message = format!("`{key}` is written twice in one map; remove one of them");
        return Err(InvalidTemplate::at(line, message));
    }
    Ok(key)
}

/// YAML's merge key: what the map does not say itself, the merged maps say, the first one first.
fn merged(mut map: Map<String, Value>) -> Map<String, Value> {
    let sources = match map.remove("<<") {
        None => return map,
        Some(Value::Array(items)) => items,
        Some(one) => vec![one],
    };
    for source in sources {
        let Value::Object(source) = source else { continue };
        for (key, value) in source {
            map.entry(key).or_insert(value);
        }
    }
    map
}

/// The function a tag stands for; `None` for a tag of YAML itself.
fn function(tag: &Tag, line: usize) -> Result<Option<&'static str>, InvalidTemplate> {
    if tag.is_yaml_core_schema() {
        return Ok(None);
    }
    let name = tag.suffix();
    ["Ref", "Condition"]
        .into_iter()
        .chain(FUNCTIONS)
        .find(|known| tag.handle() == "!" && *known == name)
        .map(Some)
        .ok_or_else(|| {
            let message = format!(
                "`{}` is no function of CloudFormation; write one like !Ref, !Sub or !GetAtt",
                tag.original()
            );
            InvalidTemplate::at(line, message)
        })
}

/// The long form of a tagged value.
fn call(name: &str, value: Value) -> Value {
    let (name, value) = match (name, value) {
        ("Ref" | "Condition", value) => (name.to_owned(), value),
        ("GetAtt", Value::String(path)) => {
            let parts = match path.split_once('.') {
                Some((resource, attribute)) => vec![resource.into(), attribute.into()],
                None => vec![path.into()],
            };
            ("Fn::GetAtt".to_owned(), Value::Array(parts))
        }
        (name, value) => (format!("Fn::{name}"), value),
    };
    Value::Object(Map::from_iter([(name, value)]))
}

fn scalar(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    line: usize,
) -> Result<Value, InvalidTemplate> {
    let Some(tag) = tag else {
        return Ok(if style == ScalarStyle::Plain { plain(text) } else { text.into() });
    };
    Ok(match function(tag, line)? {
        Some(name) => call(name, text.into()),
        None if tag.is_yaml_core_schema_tag("str") => text.into(),
        None => plain(text),
    })
}

/// What an unquoted text is, by YAML's core schema.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => serde_json::from_str::<Number>(text)
            .ok()
            .filter(|number| number.to_string() == text)
            .map_or_else(|| text.into(), Value::Number),
    }
}
