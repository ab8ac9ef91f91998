//! The JSON schema of `greenroom.yml`, for editors. It is made from the tables that the file is
//! read with, and checked in as `docs/greenroom.schema.json`.
//!
//! What always holds: the schema refuses nothing that the reader takes. It takes what only the
//! reader can judge, such as a dependency that is not there.

use serde_json::{Map, Value, json};

use super::Framework;
use super::keys::{Key, ROOT, SERVICE, STEP, Shape};

/// As `ServiceName` has it.
const SERVICE_NAME: &str = r"^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]*$";
/// Inside the repository: not absolute, no `..`, not to be read as an option.
const INSIDE: &str = r"^(?!-)(?!/)(?!(.*/)?\.\.(/|$))[^\\]+$";
/// No exclusions, nothing outside the repository.
const GLOB: &str = r"^(?!!)(?!/)(?!(.*/)?\.\.(/|$)).+$";

/// A JSON schema, draft 7: the newest that the YAML plugins of editors read whole.
pub fn schema() -> Value {
    let mut root = object(&ROOT);
    let document = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "greenroom.yml",
        "description": "How a commit wants its services built. Where they go, and as whom, the server decides.",
        // an empty file says nothing, and that is allowed
        "type": ["object", "null"],
        "definitions": { "service": service(), "command": command() },
    });
    if let Value::Object(document) = document {
        root.extend(document);
    }
    Value::Object(root)
}

/// A map with these keys and no others.
fn object(keys: &[Key]) -> Map<String, Value> {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| {
            let mut value = shape(&key.shape);
            value.insert("description".to_owned(), json!(key.about));
            (key.name.to_owned(), Value::Object(value))
        })
        .collect();
    Map::from_iter([
        ("properties".to_owned(), Value::Object(properties)),
        ("additionalProperties".to_owned(), json!(false)),
    ])
}

/// A key without a value counts as one that is not there, so `null` is taken everywhere.
fn shape(shape: &Shape) -> Map<String, Value> {
    let value = match shape {
        Shape::Services => json!({
            "type": ["object", "null"],
            "propertyNames": { "pattern": SERVICE_NAME },
            "additionalProperties": { "$ref": "#/definitions/service" },
        }),
        // a directory may be called 2024
        Shape::Path => json!({ "type": ["string", "number"], "pattern": INSIDE }),
        Shape::File => json!({ "type": ["string", "number", "null"], "pattern": INSIDE }),
        Shape::Framework => {
            let known = Framework::ALL.iter().map(|framework| json!(framework.as_str()));
            let known: Vec<Value> = known.chain([Value::Null]).collect();
            json!({ "enum": known })
        }
        Shape::ServiceNames => json!({
            "type": ["array", "null"],
            "items": { "type": ["string", "number"], "pattern": SERVICE_NAME },
        }),
        Shape::Globs => json!({
            "type": ["array", "null"],
            "items": { "type": ["string", "number"], "pattern": GLOB },
        }),
        Shape::StackName => json!({
            "type": ["string", "null"],
            "pattern": r"^(?=.*\$\{stage\})([A-Za-z]|\$\{(stage|service)\})([A-Za-z0-9-]|\$\{(stage|service)\})*$",
        }),
        Shape::Parameters => json!({
            "type": ["object", "null"],
            "propertyNames": { "pattern": "^[A-Za-z][A-Za-z0-9_]*$" },
            "additionalProperties": { "type": ["string", "number", "boolean"] },
        }),
        // beside a reference, draft 7 reads no description
        Shape::Command => json!({ "allOf": [{ "$ref": "#/definitions/command" }] }),
        Shape::CommandLine => json!({ "type": "string", "pattern": r"\S" }),
        Shape::Timeout => json!({ "type": ["string", "null"], "pattern": "^[0-9]+[smh]$" }),
    };
    match value {
        Value::Object(value) => value,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

fn service() -> Value {
    let mut service = object(&SERVICE);
    let chosen = |frameworks: Value| json!({ "required": ["framework"], "properties": { "framework": { "enum": frameworks } } });
    service.extend([
        ("type".to_owned(), json!("object")),
        ("required".to_owned(), json!(["path"])),
        (
            "allOf".to_owned(),
            json!([
                { "if": chosen(json!(["custom"])), "then": { "required": ["deploy", "remove"] } },
                {
                    "if": chosen(json!(["serverless", "cdk", "custom"])),
                    "then": { "properties": {
                        "template": { "type": "null" },
                        "stack": { "type": "null" },
                    } },
                },
            ]),
        ),
    ]);
    Value::Object(service)
}

fn command() -> Value {
    let mut long = object(&STEP);
    long.extend([("type".to_owned(), json!("object")), ("required".to_owned(), json!(["run"]))]);
    json!({ "anyOf": [Value::Object(shape(&Shape::CommandLine)), long, { "type": "null" }] })
}

#[cfg(test)]
mod tests;
