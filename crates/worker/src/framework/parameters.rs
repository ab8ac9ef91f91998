//! A packaged template and its parameters: which of the values at hand it is given. Pure but for
//! reading the package.
//!
//! What always holds: a template is given what it declares and nothing else; a parameter without
//! a value and without a default is told before CloudFormation is asked.

use std::collections::BTreeMap;

use aws::Template;
use model::job::Failure;
use serde_json::Value;

use super::{FILE_MAX_BYTES, PackagedStack};
use crate::detect::configuration;
use crate::git::Workspace;

/// A stack's template, read from the package directory.
pub(crate) fn template(files: &Workspace, stack: &PackagedStack) -> Result<Template, Failure> {
    read(files, &stack.template)
}

/// A template of the workspace or the package.
pub(super) fn read(files: &Workspace, file: &str) -> Result<Template, Failure> {
    let text = files
        .read(file, FILE_MAX_BYTES)
        .map_err(|error| configuration(format!("reading the template: {error}")))?;
    let text = String::from_utf8(text)
        .map_err(|_| configuration(format!("{file} is not UTF-8 text; save it as UTF-8")))?;
    Template::parse(&text).map_err(|error| configuration(format!("{file}: {error}")))
}

/// The values for what the template declares.
pub(crate) fn given(
    stack: &str,
    template: &Value,
    values: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut given = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, declaration) in declared(template) {
        match values.get(name) {
            Some(value) => drop(given.insert(name.to_owned(), value.clone())),
            None if declaration.get("Default").is_some() => {}
            None => missing.push(name),
        }
    }
    if missing.is_empty() {
        return Ok(given);
    }
    Err(configuration(format!(
        "the template of stack {stack} needs {}: give a value under `parameters` of the service in greenroom.yml, or as a parameter of that name in the app's profile or stage, or write a Default into the template",
        missing.join(", ")
    )))
}

/// The inputs that the template does not declare.
pub(crate) fn undeclared<'a>(
    template: &Value,
    inputs: &'a BTreeMap<String, String>,
) -> Vec<&'a str> {
    let known = |name: &str| declared(template).any(|(declared, _)| declared == name);
    inputs.keys().map(String::as_str).filter(|name| !known(name)).collect()
}

/// How many values a command is given, for its heading: the values themselves are not shown.
pub(crate) fn counted(values: usize) -> String {
    match values {
        0 => String::new(),
        1 => " (1 parameter)".to_owned(),
        many => format!(" ({many} parameters)"),
    }
}

fn declared(template: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let section = template.get("Parameters").and_then(Value::as_object);
    section.into_iter().flatten().map(|(name, declaration)| (name.as_str(), declaration))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn template() -> Value {
        json!({ "Parameters": {
            "Stage": { "Type": "String" },
            "Size": { "Type": "String", "Default": "small" },
        } })
    }

    #[test]
    fn a_template_is_given_what_it_declares_and_nothing_else() {
        let values = values(&[("Stage", "dev"), ("ApiKey", "secret")]);
        let given = given("net-dev", &template(), &values).expect("all there");
        assert_eq!(given, self::values(&[("Stage", "dev")]));
    }

    #[test]
    fn a_parameter_without_value_and_default_is_told_with_the_places_to_give_it() {
        let message =
            given("net-dev", &template(), &BTreeMap::new()).expect_err("no Stage").message;
        assert!(message.contains("net-dev needs Stage:"), "{message}");
        assert!(message.contains("greenroom.yml"), "{message}");
    }

    #[test]
    fn an_input_that_the_template_does_not_know_is_found() {
        let inputs = values(&[("Stage", "dev"), ("Sise", "large")]);
        assert_eq!(undeclared(&template(), &inputs), ["Sise"]);
        assert!(undeclared(&json!({}), &BTreeMap::new()).is_empty());
    }
}
