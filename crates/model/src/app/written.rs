//! An app file as it was written: for what a cursor does not tell, since it stops at mistakes: the
//! place of a key that is right.

use crate::document::{Content, Node, Pair};

/// The key at the end of a path of keys, with its value.
pub(super) fn find<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Pair> {
    let (key, rest) = path.split_first()?;
    let Content::Map(pairs) = &node.content else { return None };
    let pair = pairs.iter().find(|pair| pair.key == *key)?;
    if rest.is_empty() { Some(pair) } else { find(&pair.value, rest) }
}
