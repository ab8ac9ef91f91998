//! An app file as it was written: for what a cursor does not tell, since it stops at mistakes: the
//! place of a key that is right, and a value whose form is not ours to fix.

use serde_json::{Number, Value};

use crate::document::{Content, Node, Pair, ScalarKind};

/// The key at the end of a path of keys, with its value.
pub(super) fn find<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Pair> {
    let (key, rest) = path.split_first()?;
    let Content::Map(pairs) = &node.content else { return None };
    let pair = pairs.iter().find(|pair| pair.key == *key)?;
    if rest.is_empty() { Some(pair) } else { find(&pair.value, rest) }
}

/// The items of a list; none for anything else.
pub(super) fn items(node: &Node) -> &[Node] {
    match &node.content {
        Content::List(items) => items,
        Content::Null | Content::Scalar { .. } | Content::Map(_) => &[],
    }
}

/// The value as JSON. A number that JSON would show differently stays text: the version `3.10` is
/// not `3.1`.
pub(super) fn json(node: &Node) -> Value {
    match &node.content {
        Content::Null => Value::Null,
        Content::Scalar { text, kind } => scalar(text, *kind),
        Content::List(items) => items.iter().map(json).collect(),
        Content::Map(pairs) => {
            pairs.iter().map(|pair| (pair.key.clone(), json(&pair.value))).collect()
        }
    }
}

fn scalar(text: &str, kind: ScalarKind) -> Value {
    let typed = match kind {
        ScalarKind::Text => None,
        ScalarKind::Number => serde_json::from_str::<Number>(text)
            .ok()
            .filter(|number| number.to_string() == text)
            .map(Value::Number),
        ScalarKind::Bool => text.to_ascii_lowercase().parse().ok().map(Value::Bool),
    };
    typed.unwrap_or_else(|| Value::String(text.to_owned()))
}
