//! JSON (the body of a call) as a tree. It has no lines.

use serde_json::Value;

use super::{Content, Node, Pair, ScalarKind};

pub(crate) fn from_json(value: &Value) -> Node {
    let content = match value {
        Value::Null => Content::Null,
        Value::Bool(value) => Content::Scalar { text: value.to_string(), kind: ScalarKind::Bool },
        Value::Number(value) => {
            Content::Scalar { text: value.to_string(), kind: ScalarKind::Number }
        }
        Value::String(text) => Content::Scalar { text: text.clone(), kind: ScalarKind::Text },
        Value::Array(items) => Content::List(items.iter().map(from_json).collect()),
        Value::Object(map) => Content::Map(
            map.iter()
                .map(|(key, value)| Pair { key: key.clone(), line: None, value: from_json(value) })
                .collect(),
        ),
    };
    Node { line: None, content }
}
