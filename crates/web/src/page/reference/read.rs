//! What a reader wants of the OpenAPI document, in words. Pure.

use serde_json::Value;

const METHODS: [&str; 4] = ["get", "post", "put", "delete"];
const REF: &str = "#/components/schemas/";

/// The operations of one tag.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) lines: Vec<Line>,
}

pub(super) struct Line {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) summary: String,
}

/// A parameter, or a key of an object.
pub(super) struct Field {
    pub(super) name: String,
    /// Where a parameter stands: `path`, `query`, `header`.
    pub(super) place: String,
    pub(super) kind: String,
    pub(super) needed: bool,
    pub(super) about: String,
}

pub(super) struct Answer {
    pub(super) status: String,
    pub(super) about: String,
    pub(super) kind: String,
}

/// A schema that has a name.
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) about: String,
    pub(super) fields: Vec<Field>,
}

pub(super) struct Operation {
    pub(super) line: Line,
    pub(super) about: Vec<String>,
    pub(super) parameters: Vec<Field>,
    pub(super) body: Option<String>,
    pub(super) answers: Vec<Answer>,
    pub(super) shapes: Vec<Shape>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What a reference leads to, within the document.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn all(document: &Value) -> impl Iterator<Item = (Line, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        METHODS.iter().filter_map(move |method| {
            let operation = item.get(method)?;
            let line = Line {
                id: text(&operation["operationId"]),
                method: method.to_uppercase(),
                path: path.clone(),
                summary: text(&operation["summary"]),
            };
            Some((line, operation))
        })
    })
}

pub(super) fn groups(document: &Value) -> Vec<Group> {
    let tags = document["tags"].as_array().into_iter().flatten();
    let with = |tag: &Value| {
        let of_tag = |operation: &Value| operation["tags"][0] == tag["name"];
        let lines = all(document).filter(|(_, operation)| of_tag(operation)).map(|(line, _)| line);
        Group { name: text(&tag["name"]), about: text(&tag["description"]), lines: lines.collect() }
    };
    tags.map(with).collect()
}

pub(super) fn operation(document: &Value, id: &str) -> Option<Operation> {
    let (line, operation) = all(document).find(|(line, _)| line.id == id)?;
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameter = |parameter: &Value| {
        let parameter = resolved(document, parameter);
        Field {
            name: text(&parameter["name"]),
            place: text(&parameter["in"]),
            kind: kind(&parameter["schema"]),
            needed: parameter["required"] == true,
            about: text(&parameter["description"]),
        }
    };
    let answers = operation["responses"].as_object().into_iter().flatten();
    let answer = |(status, answer): (&String, &Value)| {
        let answer = resolved(document, answer);
        let contents = answer["content"].as_object().into_iter().flatten();
        let kinds: Vec<String> = contents
            .map(|(media, content)| match kind(&content["schema"]) {
                kind if media == "application/json" || media.ends_with("+json") => kind,
                _other => media.clone(),
            })
            .collect();
        Answer {
            status: status.clone(),
            about: text(&answer["description"]),
            kind: kinds.join(" or "),
        }
    };
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let mut named = Vec::new();
    collect(document, body, &mut named);
    for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
        if status.starts_with('2') {
            collect(document, &answer["content"], &mut named);
        }
    }
    Some(Operation {
        about: text(&operation["description"]).split("\n\n").map(str::to_owned).collect(),
        parameters: parameters.map(parameter).collect(),
        body: (!body.is_null()).then(|| kind(body)),
        answers: answers.map(answer).collect(),
        shapes: named.iter().map(|name| shape(document, name)).collect(),
        line,
    })
}

/// The names of all schemas below a value, each before those that it names.
fn collect(document: &Value, value: &Value, named: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            let name = object.get("$ref").and_then(Value::as_str);
            if let Some(name) = name.and_then(|name| name.strip_prefix(REF))
                && !named.iter().any(|known| known == name)
            {
                named.push(name.to_owned());
                collect(document, &document["components"]["schemas"][name], named);
            }
            object.values().for_each(|inner| collect(document, inner, named));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect(document, inner, named)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn shape(document: &Value, name: &str) -> Shape {
    let schema = &document["components"]["schemas"][name];
    Shape {
        name: name.to_owned(),
        kind: kind(schema),
        about: text(&schema["description"]),
        fields: fields(schema),
    }
}

/// The keys of an object; of one that is put together those of its parts that have no name.
fn fields(schema: &Value) -> Vec<Field> {
    let needed = |name: &str| {
        let keys = schema["required"].as_array();
        keys.is_some_and(|keys| keys.iter().any(|key| key == name))
    };
    let own = schema["properties"].as_object().into_iter().flatten();
    let own = own.map(|(name, schema)| Field {
        name: name.clone(),
        place: String::new(),
        kind: kind(schema),
        needed: needed(name),
        about: text(&schema["description"]),
    });
    let parts = schema["allOf"].as_array().into_iter().flatten();
    own.chain(parts.flat_map(fields)).collect()
}

/// A schema in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return name.rsplit('/').next().unwrap_or_default().to_owned();
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[key].as_array() {
            return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return parts.iter().map(kind).collect::<Vec<_>>().join(" with ");
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(text).collect::<Vec<_>>().join(" | ");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec!["anything"],
    };
    let words = types.into_iter().map(|one| match one {
        "array" => format!("list of {}", kind(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("object of {}", kind(&schema["additionalProperties"]))
        }
        one => match schema["format"].as_str() {
            Some(format @ ("uuid" | "date-time")) if one == "string" => format.to_owned(),
            Some(_) | None => one.to_owned(),
        },
    });
    words.collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::openapi::openapi;

    #[test]
    fn every_operation_stands_in_one_group_and_can_be_read() {
        let groups = groups(openapi());
        let lines: Vec<&Line> = groups.iter().flat_map(|group| &group.lines).collect();
        assert_eq!(lines.len(), all(openapi()).count());
        for line in lines {
            let found = operation(openapi(), &line.id).unwrap();
            assert!(!line.summary.is_empty() && !found.answers.is_empty(), "{}", line.id);
            for field in found.parameters.iter().chain(found.shapes.iter().flat_map(|s| &s.fields))
            {
                assert!(!field.kind.is_empty(), "{}: {}", line.id, field.name);
            }
        }
        assert!(operation(openapi(), "nothing").is_none());
    }

    #[test]
    fn a_schema_is_told_in_words() {
        for (schema, words) in [
            (json!({ "$ref": "#/components/schemas/Build" }), "Build"),
            (json!({ "type": ["string", "null"], "format": "date-time" }), "date-time or null"),
            (json!({ "type": "array", "items": { "type": "string" } }), "list of string"),
            (json!({ "type": "string", "enum": ["a", "b"] }), "a | b"),
            (json!({ "oneOf": [{ "type": "null" }, { "$ref": "#/x/Y" }] }), "null or Y"),
            (json!({}), "anything"),
        ] {
            assert_eq!(kind(&schema), words);
        }
    }
}
