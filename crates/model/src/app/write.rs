//! Settings as an app file: the text that `greenroom apply` takes, written as a person would.
//!
//! What always holds: what is written reads back as the same settings, whatever stands in them. A
//! key that this file knows no place for is written behind the others, never left out. Values of
//! secrets are not in settings, so none is written: a stored one is `{ secret: }`, which keeps it.

mod scalar;

use serde_json::{Map, Value};

use self::scalar::scalar;
use super::Settings;

/// The longest line that a map or a list is put into.
const WIDTH: usize = 100;
const INDENT: usize = 2;

const APP: [&str; 11] = [
    "app",
    "repository",
    "default_profile",
    "concurrency",
    "preview_limit",
    "personal",
    "profiles",
    "services",
    "stages",
    "rules",
    "notifications",
];
const PROFILE: [&str; 6] =
    ["role_arn", "external_id", "region", "laptop", "parameters", "safeguards"];
const STAGE: [&str; 8] = [
    "profile",
    "promote_from",
    "approvers",
    "approval_expires_after",
    "freeze",
    "drift_every",
    "parameters",
    "services",
];
const RULE: [&str; 5] = ["branch", "tag", "stage", "trigger", "services"];
const PREVIEW: [&str; 8] =
    ["base", "stage_name", "services", "deploy", "destroy", "expires_after", "drafts", "foresee"];
const RECEIVER: [&str; 6] = ["slack", "webhook", "email", "stages", "kinds", "events"];
const CHANNEL: [&str; 5] = ["url", "token", "secret", "channel", "to"];
const WINDOW: [&str; 4] = ["time", "duration", "interval", "reason"];
const SAFEGUARD: [&str; 3] = ["policy", "level", "config"];

/// The settings as YAML.
pub fn write(settings: &Settings) -> String {
    let value = serde_json::to_value(settings).expect("settings are plain data with text keys");
    let mut text = String::new();
    if let Value::Object(map) = &value {
        for (key, part) in ordered(map, &[]) {
            // the parts stand apart, what is said of the whole stands together
            if part.is_object() || part.is_array() {
                text.push('\n');
            }
            entry(&mut text, key, part, &[key], 0);
        }
    }
    text
}

/// Where a value stands: the keys above it, `[]` for an item of a list.
type Path<'a> = [&'a str];

const ITEM: &str = "[]";

/// The entries of a map, in the order in which people read them; those that say what holds anyway
/// are left out.
fn ordered<'v>(map: &'v Map<String, Value>, path: &Path<'_>) -> Vec<(&'v str, &'v Value)> {
    let order: &[&str] = match path {
        [] => &APP,
        ["profiles", _] => &PROFILE,
        ["stages", _] => &STAGE,
        ["notifications", _] => &RECEIVER,
        ["notifications", _, _] => &CHANNEL,
        ["rules", ITEM] => &RULE,
        ["rules", ITEM, "preview"] => &PREVIEW,
        ["stages", _, "freeze", ITEM] => &WINDOW,
        ["profiles", _, "safeguards", ITEM] => &SAFEGUARD,
        [.., "config"] | [.., "config", ITEM] => &WINDOW,
        _names => &[],
    };
    let place = |key: &str| order.iter().position(|known| *known == key).unwrap_or(order.len());
    let mut entries: Vec<(&str, &Value)> = map
        .iter()
        .map(|(key, value)| (key.as_str(), value))
        .filter(|(key, value)| !goes_without_saying(path, key, value))
        .collect();
    entries.sort_by_key(|(key, _)| place(key));
    entries
}

fn goes_without_saying(path: &Path<'_>, key: &str, value: &Value) -> bool {
    match (path, key) {
        ([], "stages") => value.as_object().is_some_and(Map::is_empty),
        ([], "rules") => value.as_array().is_some_and(Vec::is_empty),
        (["rules", ITEM], "trigger") => value == "auto",
        (["rules", ITEM, "preview"], "stage_name") => value == "branch",
        _other => false,
    }
}

/// `key: value`, on one line or on several.
fn entry(text: &mut String, key: &str, value: &Value, path: &Path<'_>, indent: usize) {
    let head = format!("{:indent$}{}:", "", scalar(key));
    text.push_str(&head);
    if let Some(line) = one_line(value, path, head.chars().count() + 1) {
        if !line.is_empty() {
            text.push(' ');
            text.push_str(&line);
        }
        text.push('\n');
        return;
    }
    text.push('\n');
    lines(text, value, path, indent + INDENT);
}

/// A map or a list, one entry a line.
fn lines(text: &mut String, value: &Value, path: &Path<'_>, indent: usize) {
    match value {
        Value::Object(map) => {
            for (key, value) in ordered(map, path) {
                entry(text, key, value, &joined(path, key), indent);
            }
        }
        Value::Array(items) => {
            let path = joined(path, ITEM);
            for item in items {
                if let Some(line) = one_line(item, &path, indent + INDENT) {
                    text.push_str(&format!("{:indent$}- {line}\n", ""));
                    continue;
                }
                let mut nested = String::new();
                lines(&mut nested, item, &path, indent + INDENT);
                // the first entry stands behind the dash
                text.push_str(&format!("{:indent$}- {}", "", nested.trim_start_matches(' ')));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&format!("{:indent$}{}\n", "", flow(value, path)));
        }
    }
}

fn joined<'a>(path: &Path<'a>, key: &'a str) -> Vec<&'a str> {
    path.iter().copied().chain([key]).collect()
}

/// The value behind `used` columns, if it is one for a single line. A scalar always is.
fn one_line(value: &Value, path: &Path<'_>, used: usize) -> Option<String> {
    let line = flow(value, path);
    match value {
        Value::Object(map) if map.is_empty() => Some(line),
        Value::Array(items) if items.is_empty() => Some(line),
        Value::Object(map) => {
            let fitting = used + line.chars().count() <= WIDTH;
            (fitting && is_short(map, path)).then_some(line)
        }
        Value::Array(items) => {
            let fitting = used + line.chars().count() <= WIDTH;
            (fitting && !items.iter().any(Value::is_object)).then_some(line)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(line),
    }
}

/// What people look up by its name gets lines of its own, however few they are.
fn is_short(map: &Map<String, Value>, path: &Path<'_>) -> bool {
    match path {
        []
        | ["profiles" | "stages" | "services" | "notifications"]
        | ["profiles", _]
        | [.., "parameters"] => false,
        ["rules", ITEM] => !map.contains_key("preview"),
        ["stages", _] => map.len() == 1 && !map.values().any(Value::is_object),
        _other => true,
    }
}

/// The value as it stands inside a line.
fn flow(value: &Value, path: &Path<'_>) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => scalar(text),
        Value::Array(items) => {
            let path = joined(path, ITEM);
            let items: Vec<String> = items.iter().map(|item| flow(item, &path)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let entries: Vec<String> = ordered(map, path)
                .into_iter()
                .map(|(key, value)| {
                    let value = flow(value, &joined(path, key));
                    let gap = if value.is_empty() { "" } else { " " };
                    format!("{}:{gap}{value}", scalar(key))
                })
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

#[cfg(test)]
mod tests;
