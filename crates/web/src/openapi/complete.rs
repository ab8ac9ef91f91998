//! What operations have alike, added to each from the table of routes: the parameters of its
//! address, the token it takes, the problems it may answer, its headers.
//!
//! What always holds: what a handler says itself stays; only what it left open is added.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::common::{self, refusal_of};
use super::{BASE, paths, wire};
use crate::rights::Routes;

const METHODS: [&str; 4] = ["get", "post", "put", "delete"];
/// The parts of an app file, which `model::document` reads.
const READ_AS_FILES: [&str; 6] =
    ["AppFile", "Profile", "StageSettings", "Rule", "Receiver", "Safeguard"];

pub(super) fn complete(document: &mut Value, calls: &Routes) {
    for (name, schema) in wire::all() {
        // only what is spoken of
        if document["components"]["schemas"].get(&name).is_some() {
            document["components"]["schemas"][name] = schema;
        }
    }
    let known: Map<String, Value> = wire::all().into_iter().collect();
    let own = |path: &str, method: &str| {
        calls.list().any(|route| {
            let is_it = route.method.as_str().eq_ignore_ascii_case(method);
            is_it && path.strip_prefix(BASE) == Some(route.path)
        })
    };
    let schemas = document["components"]["schemas"].clone();
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for method in METHODS {
            let Some(operation) = item.get_mut(method) else { continue };
            if own(path, method) {
                of_api(operation, path, method, &schemas);
            } else {
                beside(operation, path);
            }
        }
    }
    for (name, schema) in common::schemas() {
        document["components"]["schemas"][name] = schema;
    }
    for (name, part) in common::components().as_object().into_iter().flatten() {
        document["components"][name] = part.clone();
    }
    with_all_that_is_named(document, &known);
    for name in READ_AS_FILES {
        absent_or_null(&mut document["components"]["schemas"][name]);
    }
}

/// A key of these that is `null` is one that is not there.
fn absent_or_null(schema: &mut Value) {
    let needed: Vec<Value> = schema["required"].as_array().cloned().unwrap_or_default();
    for (key, kind) in schema["properties"].as_object_mut().into_iter().flatten() {
        if !needed.iter().any(|needed| needed == key) {
            *kind = json!({ "anyOf": [kind.take(), { "type": "null" }] });
        }
    }
}

/// A call of the REST API.
fn of_api(operation: &mut Value, path: &str, method: &str, schemas: &Value) {
    let is = |wanted: Method| wanted.as_str().eq_ignore_ascii_case(method);
    let (has_body, has_query) =
        (operation.get("requestBody").is_some(), operation.get("parameters").is_some());
    let is_polled = is(Method::GET) && answers_json(operation);
    let mut parameters = paths::parameters(path);
    parameters.extend(operation["parameters"].as_array().cloned().unwrap_or_default());
    if is_polled {
        parameters.push(json!({ "$ref": "#/components/parameters/IfNoneMatch" }));
    }
    if is(Method::POST) {
        parameters.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
    }
    operation["parameters"] = parameters.into();
    operation["security"] = json!([{ "token": [] }]);
    if has_body {
        let is_needed = body_is_needed(operation, schemas);
        operation["requestBody"]["required"] = is_needed.into();
    }
    let acts = is(Method::POST) || is(Method::PUT);
    let in_address = paths::names(path).next().is_some();
    let refused = [
        ("400", has_query || has_body || in_address || acts),
        ("401", true),
        ("403", true),
        ("404", in_address),
        ("409", acts),
        ("413", acts),
        ("415", has_body),
        ("422", acts || has_query),
        ("500", true),
    ];
    let responses = &mut operation["responses"];
    for status in refused.into_iter().filter(|(_, may_be)| *may_be).map(|(status, _)| status) {
        if let (None, Some(refusal)) = (responses.get(status), refusal_of(status)) {
            responses[status] = refusal.reference();
        }
    }
    let content = responses.get_mut("200").and_then(|answer| answer.get_mut("content"));
    if let Some(stream) = content.and_then(|content| content.get_mut("text/event-stream")) {
        // what its events hold is told in words
        *stream = json!({});
    }
    if is_polled {
        responses["304"] = json!({ "$ref": "#/components/responses/NotModified" });
        responses["200"]["headers"]["etag"] = json!({ "$ref": "#/components/headers/ETag" });
    }
    dress(responses);
}

/// What stands beside the API says itself which problems it answers.
fn beside(operation: &mut Value, path: &str) {
    let mut parameters = paths::parameters(path);
    parameters.extend(operation["parameters"].as_array().cloned().unwrap_or_default());
    operation["parameters"] = parameters.into();
    dress(&mut operation["responses"]);
}

/// Gives each answer its headers, and those that are problems their form.
fn dress(responses: &mut Value) {
    for (status, response) in responses.as_object_mut().into_iter().flatten() {
        if response.get("$ref").is_some() {
            continue;
        }
        match refusal_of(status) {
            Some(_) if response.get("content").is_none() => common::problem(response),
            Some(_) | None => common::request_id(response),
        }
    }
}

fn answers_json(operation: &Value) -> bool {
    operation["responses"]["200"]["content"].get("application/json").is_some()
}

/// A body without a required key may be left out.
fn body_is_needed(operation: &Value, schemas: &Value) -> bool {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let name = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next());
    let schema = name.map_or(schema, |name| &schemas[name]);
    // what the table says stands there by now: a placeholder would need nothing
    schema["required"].as_array().is_some_and(|keys| !keys.is_empty())
}

/// Adds the schemas of the table that others of it name.
fn with_all_that_is_named(document: &mut Value, known: &Map<String, Value>) {
    loop {
        let mut named = Vec::new();
        collect(document, &mut named);
        let missing = named.into_iter().filter(|name| {
            document["components"]["schemas"].get(name).is_none() && known.contains_key(name)
        });
        let missing: Vec<String> = missing.collect();
        if missing.is_empty() {
            return;
        }
        for name in missing {
            document["components"]["schemas"][&name] = known[&name].clone();
        }
    }
}

fn collect(value: &Value, named: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            let name = object.get("$ref").and_then(Value::as_str);
            named.extend(
                name.and_then(|name| name.strip_prefix("#/components/schemas/")).map(str::to_owned),
            );
            object.values().for_each(|inner| collect(inner, named));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect(inner, named)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::openapi;
    use super::*;

    #[test]
    fn everything_that_is_named_is_there() {
        let mut named = Vec::new();
        collect(openapi(), &mut named);
        assert!(named.len() > 100, "{}", named.len());
        for name in named {
            let schema = &openapi()["components"]["schemas"][&name];
            assert!(schema.as_object().is_some_and(|schema| !schema.is_empty()), "{name}");
        }
    }
}
