//! `allowed-runtimes`: the runtimes that functions may have.
//!
//! Unlike the plugin, this reads the template, so functions below `resources:` count too. A
//! function that is a container image has the runtime `image`.

use super::target::described;
use super::{Named, View, Violation};
use crate::app::safeguard::Allowed;
use crate::template::{Text, alternatives};

/// The runtime of container images, in the list of what is allowed.
const IMAGE: &str = "image";

pub(super) fn check(allowed: &Allowed, view: &View<'_>) -> Vec<Violation> {
    view.functions().flat_map(|named| function(allowed, &named, view)).collect()
}

fn function(allowed: &Allowed, named: &Named<'_>, view: &View<'_>) -> Vec<Violation> {
    let function = named.function;
    let is_image = function.property("PackageType").and_then(|kind| kind.as_str()) == Some("Image");
    let violation = |property: &str, problem: String| Violation {
        place: function.resource.place(property),
        problem,
        remedy: format!("{} must be {}", named.setting("runtime", "Runtime"), described(allowed)),
    };
    let name = named.name();
    if is_image {
        let problem =
            format!("the function {name} is a container image, which is not allowed here");
        return if allowed.allows(IMAGE) {
            Vec::new()
        } else {
            vec![violation("PackageType", problem)]
        };
    }
    let Some(runtime) = function.property("Runtime") else {
        return vec![violation("Runtime", format!("the function {name} names no runtime"))];
    };
    alternatives(runtime)
        .into_iter()
        .map(|runtime| {
            let text = view.surroundings.text(runtime);
            let known = text.as_ref().and_then(Text::literal);
            (known, text.map(|text| text.shown()).unwrap_or_default())
        })
        .filter(|(known, _)| !known.as_ref().is_some_and(|runtime| allowed.allows(runtime)))
        .map(|(_, shown)| {
            let problem =
                format!("the function {name} has the runtime {shown}, which is not allowed here");
            violation("Runtime", problem)
        })
        .collect()
}
