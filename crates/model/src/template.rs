//! A CloudFormation template as plain data, for the checks before a deploy.
//!
//! What always holds: everything here takes any JSON value, right or wrong. What a template means
//! is CloudFormation's to say; a part that does not look as expected is passed over.

mod function;
mod parse;
mod text;
mod yaml;

use serde_json::Value;

pub use parse::{InvalidTemplate, parse};

pub(crate) use function::{Function, functions};
pub(crate) use text::{Surroundings, Text};

/// One entry below `Resources`.
#[derive(Clone, Copy)]
pub(crate) struct Resource<'a> {
    /// Its name in the template.
    pub(crate) id: &'a str,
    /// As in `AWS::DynamoDB::Table`.
    pub(crate) kind: &'a str,
    body: &'a Value,
}

impl<'a> Resource<'a> {
    /// A property that is given; `AWS::NoValue` gives none.
    pub(crate) fn property(&self, key: &str) -> Option<&'a Value> {
        given(self.body.get("Properties")?.get(key)?)
    }

    pub(crate) fn metadata(&self, key: &str) -> Option<&'a str> {
        self.body.get("Metadata")?.get(key)?.as_str()
    }

    /// Where a property stands, for whoever looks it up.
    pub(crate) fn place(&self, property: &str) -> String {
        format!("Resources.{}.Properties.{property}", self.id)
    }
}

/// The resources that have a type, in the order of their names.
pub(crate) fn resources(template: &Value) -> impl Iterator<Item = Resource<'_>> {
    section(template, "Resources").filter_map(|(id, body)| {
        let kind = body.get("Type")?.as_str()?;
        Some(Resource { id, kind, body })
    })
}

/// The entries of a top-level section, like `Outputs`.
pub(crate) fn section<'a>(
    template: &'a Value,
    name: &str,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let entries = template.get(name).and_then(Value::as_object);
    entries.into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// What a value may be: itself, or every branch of its `Fn::If`.
pub(crate) fn alternatives(value: &Value) -> Vec<&Value> {
    match value.get("Fn::If").and_then(Value::as_array).map(Vec::as_slice) {
        Some([_, yes, no]) => [alternatives(yes), alternatives(no)].concat(),
        Some(_) | None => vec![value],
    }
}

/// The items of a list, or the one value that stands for a list of one; every branch of an
/// `Fn::If` counts.
pub(crate) fn one_or_many(value: &Value) -> Vec<&Value> {
    placed(value, "").into_iter().map(|(_, value)| value).collect()
}

/// The same, each with its place; `place` is that of the whole.
pub(crate) fn placed<'a>(value: &'a Value, place: &str) -> Vec<(String, &'a Value)> {
    let at = |items: &'a [Value], place: &str| {
        let items = items.iter().enumerate();
        items.flat_map(|(position, item)| placed(item, &format!("{place}[{position}]"))).collect()
    };
    match (value, value.get("Fn::If").and_then(Value::as_array).map(Vec::as_slice)) {
        (_, Some([_, yes, no])) => {
            [placed(yes, &format!("{place}.Fn::If[1]")), placed(no, &format!("{place}.Fn::If[2]"))]
                .concat()
        }
        (Value::Array(items), _) => at(items, place),
        (one, _) => given(one).map(|one| (place.to_owned(), one)).into_iter().collect(),
    }
}

/// The value, unless it stands for nothing.
pub(crate) fn given(value: &Value) -> Option<&Value> {
    let nothing = value.is_null() || reference(value) == Some("AWS::NoValue");
    (!nothing).then_some(value)
}

/// The name in `{ "Ref": name }`.
pub(crate) fn reference(value: &Value) -> Option<&str> {
    value.get("Ref")?.as_str()
}

/// The resource that a value names by `Ref` or by one of its attributes.
pub(crate) fn referred(value: &Value) -> Option<&str> {
    if let Some(name) = reference(value) {
        return Some(name);
    }
    match value.get("Fn::GetAtt")? {
        Value::String(path) => path.split('.').next(),
        Value::Array(parts) => parts.first()?.as_str(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
