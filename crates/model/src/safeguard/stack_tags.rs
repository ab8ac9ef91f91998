//! `required-stack-tags`: tags that the stack must have.
//!
//! Unlike the plugin's, a pattern must match the whole value; and the tag `STAGE`, which the
//! Serverless Framework adds by itself, counts.

use std::collections::BTreeMap;

use super::{View, Violation};
use crate::app::safeguard::Pattern;

pub(super) fn check(required: &BTreeMap<String, Pattern>, view: &View<'_>) -> Vec<Violation> {
    let mut tags = view.state.stack_tags(view.subject.stage.as_str());
    tags.extend(view.subject.stack_tags.iter().map(|(key, value)| (key.clone(), value.clone())));
    let place = if view.state.is_known() { "provider.stackTags" } else { "stack tags" };
    let setting = if view.state.is_known() {
        "below `provider.stackTags` in serverless.yml"
    } else {
        "where the stack's tags are set"
    };
    required
        .iter()
        .filter_map(|(key, pattern)| {
            let problem = match tags.get(key) {
                None => format!("the stack has no tag `{key}`"),
                Some(value) if !pattern.matches(value) => {
                    format!("the stack's tag `{key}` is `{value}`, which is not allowed here")
                }
                Some(_) => return None,
            };
            Some(Violation {
                place: format!("{place}.{key}"),
                problem,
                remedy: format!(
                    "write `{key}` {setting}, with a value like `{}`",
                    pattern.as_str()
                ),
            })
        })
        .collect()
}
