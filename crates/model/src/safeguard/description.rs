//! `require-description`: every function says what it is for.

use super::{Named, View, Violation};
use crate::app::safeguard::DescriptionLength;
use crate::template::alternatives;

pub(super) fn check(length: DescriptionLength, view: &View<'_>) -> Vec<Violation> {
    view.functions().filter_map(|named| function(length, &named, view)).collect()
}

fn function(length: DescriptionLength, named: &Named<'_>, view: &View<'_>) -> Option<Violation> {
    let name = named.name();
    let violation = |problem: String| Violation {
        place: named.function.resource.place("Description"),
        problem,
        remedy: format!(
            "write {} with {} to {} characters",
            named.setting("description", "Description"),
            length.min,
            length.max
        ),
    };
    let Some(description) = named.function.property("Description") else {
        return Some(violation(format!("the function {name} has no description")));
    };
    alternatives(description).into_iter().find_map(|description| {
        let text = view.surroundings.text(description).unwrap_or_default();
        let characters = text.least_length();
        let is_short = text.has_known_length() && characters < length.min;
        (is_short || characters > length.max).then(|| {
            let about = if is_short { "too short" } else { "too long" };
            violation(format!(
                "the description of the function {name} has {characters} characters, which is {about}"
            ))
        })
    })
}
