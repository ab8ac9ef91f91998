//! `no-secret-env-vars`: no credential stands in a function's environment as clear text.
//!
//! What always holds: a finding names the variable and the kind of credential, never the value.

mod formats;

use super::{View, Violation};
use crate::template::alternatives;

/// What stands for a part of a value that only AWS knows. No format goes across a line's end.
const UNKNOWN: &str = "\n";

/// The kind of credential that a value contains, by its looks.
pub fn looks_like_a_credential(value: &str) -> Option<&'static str> {
    formats::credential(value)
}

pub(super) fn check(view: &View<'_>) -> Vec<Violation> {
    view.all_functions()
        .flat_map(|named| {
            let name = named.name().to_owned();
            named.function.variables().into_iter().filter_map(move |(variable, value, place)| {
                let kind = alternatives(value).into_iter().find_map(|value| {
                    formats::credential(&view.surroundings.text(value)?.marked(UNKNOWN))
                })?;
                Some(Violation {
                    place,
                    problem: format!(
                        "the environment variable {variable} of the function {name} looks like {kind}"
                    ),
                    remedy: format!(
                        "keep the credential in the SSM Parameter Store or the Secrets Manager, give {variable} its name and read it in the function"
                    ),
                })
            })
        })
        .collect()
}
