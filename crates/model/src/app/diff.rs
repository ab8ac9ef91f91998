//! The difference between the settings in force and a file to apply, as lines to print.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Settings;

/// One setting that changes. Secret values never stand in settings, so they cannot stand here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The key's path, like `stages.prod.profile`.
    pub path: String,
    /// `None`: it was not there.
    pub from: Option<String>,
    /// `None`: it is no longer there.
    pub to: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (None, Some(to)) => write!(f, "+ {}: {to}", self.path),
            (Some(from), None) => write!(f, "- {}: {from}", self.path),
            (Some(from), Some(to)) => write!(f, "~ {}: {from} -> {to}", self.path),
            (None, None) => write!(f, "  {}", self.path),
        }
    }
}

/// What would change, by path; everything is new when nothing is in force.
pub fn diff(from: Option<&Settings>, to: &Settings) -> Vec<Change> {
    let before = from.map(leaves).unwrap_or_default();
    let after = leaves(to);
    let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        .filter(|path| before.get(*path) != after.get(*path))
        .map(|path| Change {
            path: path.clone(),
            from: before.get(path).cloned(),
            to: after.get(path).cloned(),
        })
        .collect()
}

fn leaves(settings: &Settings) -> BTreeMap<String, String> {
    let value = serde_json::to_value(settings).expect("settings are plain data with text keys");
    let mut found = BTreeMap::new();
    collect(&value, String::new(), &mut found);
    found
}

fn collect(value: &Value, path: String, found: &mut BTreeMap<String, String>) {
    match value {
        // rules are read as a whole: their order and their parts mean nothing alone
        Value::Object(map) if !map.is_empty() && !path.starts_with("rules[") => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(value, path, found);
            }
        }
        Value::Array(items) if path == "rules" => {
            for (position, item) in items.iter().enumerate() {
                collect(item, format!("{path}[{position}]"), found);
            }
        }
        Value::String(text) => {
            found.insert(path, text.clone());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            found.insert(path, value.to_string());
        }
    }
}
