//! Limits of a stack and of its template as a whole.
//!
//! From "Understand CloudFormation quotas", CloudFormation user guide; the name of a stack from
//! `CreateStack`, CloudFormation API.

use serde_json::Value;

use super::name::{Characters, Rule, check as check_name};
use super::shorter::off;
use super::{View, refused};
use crate::finding::Finding;
use crate::template::{Text, resources, section};

const STACK: Rule = Rule {
    what: "the name of a stack",
    least: 1,
    most: 128,
    characters: Characters::Letters { others: "-", words: "letters, digits and dashes" },
    shorten: "shorten the service's name, or write a shorter name for the stack",
};
const RESOURCES: usize = 500;
const OUTPUTS: usize = 200;
const PARAMETERS: usize = 200;
const MAPPINGS: usize = 200;
/// "Mapping attributes", of one mapping.
const MAPPING_ATTRIBUTES: usize = 200;
/// Of logical names of resources, outputs, parameters and mappings.
const NAME: usize = 255;
const BODY_BYTES: usize = 1024 * 1024;
const DESCRIPTION_BYTES: usize = 1024;
const PARAMETER_BYTES: usize = 4096;
/// "Dynamic references per template".
const DYNAMIC_REFERENCES: usize = 60;

pub(super) fn check(view: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(stack(view));
    found.extend(counts(view));
    found.extend(sizes(view));
    found.extend(logical_names(view));
    found.extend(dynamic_references(view));
    found
}

fn stack(view: &View<'_>) -> Option<Finding> {
    let name = Text::known(view.about.stack);
    check_name(&STACK, &name, "stack", view).or_else(|| {
        let begins = view.about.stack.starts_with(|c: char| c.is_ascii_alphabetic());
        (!begins).then(|| {
            refused(
                "stack",
                format!(
                    "the name of a stack begins with a letter, and this one is {}",
                    view.about.stack
                ),
                "begin the service's name, or the stack's, with a letter",
            )
        })
    })
}

fn counts(view: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let count = |name: &str| section(view.template, name).count();
    if resources(view.template).next().is_none() {
        found.push(refused(
            "Resources",
            "the template has no resource, and a stack needs at least one".to_owned(),
            "add a resource, or leave the service out of the deploy",
        ));
    }
    let limits = [
        (
            "Resources",
            "resources",
            RESOURCES,
            "split the service into several, or put a part into a nested stack",
        ),
        (
            "Outputs",
            "outputs",
            OUTPUTS,
            "remove those that nothing reads, or split the service into several",
        ),
        ("Parameters", "parameters", PARAMETERS, "join some of them into lists"),
        ("Mappings", "mappings", MAPPINGS, "join some of them"),
    ];
    for (name, what, most, remedy) in limits {
        let has = count(name);
        if has > most {
            found.push(refused(
                name,
                format!("a template has at most {most} {what}, and this one has {has}"),
                remedy,
            ));
        }
    }
    for (name, mapping) in section(view.template, "Mappings") {
        let has = mapping.as_object().map_or(0, serde_json::Map::len);
        if has > MAPPING_ATTRIBUTES {
            found.push(refused(
                format!("Mappings.{name}"),
                format!("a mapping has at most {MAPPING_ATTRIBUTES} keys, and {name} has {has}"),
                "split the mapping",
            ));
        }
    }
    found
}

fn sizes(view: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let body = view.about.body_bytes.unwrap_or_else(|| view.template.to_string().len());
    if body > BODY_BYTES {
        found.push(refused(
            "template",
            format!("a template has at most {BODY_BYTES} bytes (1 MB), and this one has {body}"),
            "split the service into several, or put a part into a nested stack",
        ));
    }
    if let Some(description) = view.template.get("Description").and_then(Value::as_str)
        && description.len() > DESCRIPTION_BYTES
    {
        found.push(refused(
            "Description",
            format!(
                "the description of a template has at most {DESCRIPTION_BYTES} bytes, and this one has {}",
                description.len()
            ),
            off(description.len() - DESCRIPTION_BYTES, "byte"),
        ));
    }
    for (name, value) in view.about.parameters {
        if value.len() > PARAMETER_BYTES {
            found.push(refused(
                format!("Parameters.{name}"),
                format!(
                    "the value of a parameter has at most {PARAMETER_BYTES} bytes, and that of {name} has {}",
                    value.len()
                ),
                "keep the value in the SSM Parameter Store and pass its name",
            ));
        }
    }
    found
}

fn logical_names(view: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (part, what) in [
        ("Resources", "resource"),
        ("Outputs", "output"),
        ("Parameters", "parameter"),
        ("Mappings", "mapping"),
    ] {
        for (name, _) in section(view.template, part) {
            let length = name.chars().count();
            if length > NAME {
                found.push(refused(
                    format!("{part}.{name}"),
                    format!("the name of a {what} in a template has at most {NAME} characters, and {name} has {length}"),
                    off(length - NAME, "character"),
                ));
            }
        }
    }
    found
}

fn dynamic_references(view: &View<'_>) -> Option<Finding> {
    let has = references_in(view.template);
    (has > DYNAMIC_REFERENCES).then(|| {
        refused(
            "template",
            format!(
                "a template has at most {DYNAMIC_REFERENCES} dynamic references ({{{{resolve:…}}}}), and this one has {has}"
            ),
            "read some of the values in the function, or split the service into several",
        )
    })
}

fn references_in(value: &Value) -> usize {
    match value {
        Value::String(text) => text.matches("{{resolve:").count(),
        Value::Array(items) => items.iter().map(references_in).sum(),
        Value::Object(map) => map.values().map(references_in).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}
