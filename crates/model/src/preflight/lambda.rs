//! Limits of Lambda functions.
//!
//! From "Lambda quotas", AWS Lambda developer guide, and `CreateFunction`, AWS Lambda API.

use serde_json::Value;

use super::shorter::off;
use super::{View, refused};
use crate::finding::Finding;
use crate::template::{Function, Text, functions, one_or_many};

const LAYERS: usize = 5;
/// "Environment variables: 4 KB, for all environment variables associated with the function, in
/// aggregate". Lambda measures them as a JSON object.
const ENVIRONMENT_BYTES: usize = 4096;
const DESCRIPTION: usize = 256;
const HANDLER: usize = 128;
/// "Defined runtime environment variables", AWS Lambda developer guide: the reserved ones.
const RESERVED: [&str; 16] = [
    "_HANDLER",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_TASK_ROOT",
];

pub(super) fn check(view: &View<'_>) -> Vec<Finding> {
    functions(view.template)
        .flat_map(|function| {
            let mut found = texts(&function, view);
            found.extend(layers(&function));
            found.extend(environment(&function, view));
            found
        })
        .collect()
}

fn texts(function: &Function<'_>, view: &View<'_>) -> Vec<Finding> {
    let limits =
        [("Description", "the description", DESCRIPTION), ("Handler", "the handler", HANDLER)];
    let mut found = Vec::new();
    for (property, what, most) in limits {
        for value in function.property(property).map(one_or_many).unwrap_or_default() {
            let length = view.surroundings.text(value).unwrap_or_default().least_length();
            if length > most {
                found.push(refused(
                    function.resource.place(property),
                    format!("{what} of a Lambda function has at most {most} characters, and this one has {length}"),
                    off(length - most, "character"),
                ));
            }
        }
    }
    found
}

fn layers(function: &Function<'_>) -> Option<Finding> {
    let has = match function.property("Layers")? {
        // a branch of a condition may be left out, so such a list is not counted
        Value::Array(items) if items.iter().all(|item| item.get("Fn::If").is_none()) => items.len(),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => return None,
    };
    (has > LAYERS).then(|| {
        refused(
            function.resource.place("Layers"),
            format!("a Lambda function has at most {LAYERS} layers, and this one has {has}"),
            "join some of the layers into one",
        )
    })
}

fn environment(function: &Function<'_>, view: &View<'_>) -> Vec<Finding> {
    let variables = function.variables();
    let mut found: Vec<Finding> =
        variables.iter().filter_map(|(name, _, place)| key(name, place)).collect();
    let mut bytes = 2;
    let mut is_exact = true;
    for (name, value, _) in &variables {
        let text = view.surroundings.text(value);
        is_exact &= text.as_ref().is_some_and(Text::has_known_length);
        // "name":"value", with what JSON writes for quotes and line ends
        let value = text.map_or(0, |text| {
            let known: usize = text.literals().map(escaped).sum();
            known + text.least_length()
                - text.literals().map(|part| part.chars().count()).sum::<usize>()
        });
        bytes += escaped(name) + value + 6;
    }
    // no comma behind the last
    bytes -= usize::from(!variables.is_empty());
    if bytes > ENVIRONMENT_BYTES {
        let has = if is_exact { format!("{bytes}") } else { format!("at least {bytes}") };
        found.push(refused(
            function.resource.place("Environment.Variables"),
            format!(
                "the environment variables of a Lambda function have at most {ENVIRONMENT_BYTES} bytes (4 KB) in all, and these have {has}"
            ),
            "keep the long ones in the SSM Parameter Store, give the function their names and read them there",
        ));
    }
    found
}

/// How many bytes a text takes inside a JSON string.
fn escaped(text: &str) -> usize {
    Value::from(text).to_string().len() - 2
}

fn key(name: &str, place: &str) -> Option<Finding> {
    if RESERVED.contains(&name) {
        return Some(refused(
            place,
            format!(
                "Lambda sets the environment variable {name} by itself and takes no other value"
            ),
            "remove it; the function sees Lambda's",
        ));
    }
    let fits = name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (!fits).then(|| {
        refused(
            place,
            format!("Lambda takes no environment variable of the name {name:?}"),
            "use at least two letters, digits and underscores, beginning with a letter",
        )
    })
}
