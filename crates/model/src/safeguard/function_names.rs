//! `allowed-function-names`: how functions are called in AWS.
//!
//! Unlike the plugin's, the variables stand for their values to the letter, and a function whose
//! name CloudFormation makes up is found.

use super::{Named, View, Violation};
use crate::app::safeguard::{FunctionNames, FunctionPattern};
use crate::template::alternatives;

pub(super) fn check(pattern: &FunctionPattern, view: &View<'_>) -> Vec<Violation> {
    view.functions().flat_map(|named| function(pattern, &named, view)).collect()
}

fn function(pattern: &FunctionPattern, named: &Named<'_>, view: &View<'_>) -> Vec<Violation> {
    let names = FunctionNames {
        service: view.subject.service,
        stage: view.subject.stage.as_str(),
        function: named.name(),
    };
    let violation = |problem: String| Violation {
        place: named.function.resource.place("FunctionName"),
        problem,
        remedy: format!(
            "{} must be like `{}`, here `{}`",
            named.setting("name", "FunctionName"),
            pattern.as_str(),
            pattern.shown(names)
        ),
    };
    let Some(name) = named.function.property("FunctionName") else {
        let problem = format!(
            "the function {} has no name of its own, so CloudFormation makes one up",
            named.name()
        );
        return vec![violation(problem)];
    };
    alternatives(name)
        .into_iter()
        .filter_map(|name| {
            let text = view.surroundings.text(name).unwrap_or_default();
            let fits = text.literal().is_some_and(|name| pattern.allows(names, &name));
            (!fits).then(|| {
                violation(format!("the name {} of a function is not allowed here", text.shown()))
            })
        })
        .collect()
}
