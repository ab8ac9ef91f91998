//! What a template declares: the change of a stack that does not exist yet. Pure.

use std::collections::BTreeMap;

use model::change_set::{Effect, ResourceChange};
use serde_json::Value;

/// Every resource of the template as added, by name. A resource under a condition is listed too:
/// which conditions hold is known to CloudFormation alone.
pub fn added(template: &Value) -> Vec<ResourceChange> {
    resources(template)
        .into_iter()
        .map(|(name, resource)| ResourceChange {
            logical_id: name.to_owned(),
            physical_id: None,
            resource_type: resource_type(resource).to_owned(),
            effect: Effect::Added,
            because: Vec::new(),
        })
        .collect()
}

/// Why the resources of the text may not be all: macros make others of them.
pub(crate) fn macros(template: &Value) -> Option<String> {
    let names = match template.get("Transform")? {
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(macro_name).collect::<Vec<_>>().join(", "),
        single => macro_name(single)?.to_owned(),
    };
    (!names.is_empty())
        .then(|| format!("the template is rewritten by {names}; what that adds is not listed"))
}

fn macro_name(transform: &Value) -> Option<&str> {
    transform.as_str().or_else(|| transform.get("Name")?.as_str())
}

pub(super) fn resources(template: &Value) -> BTreeMap<&str, &Value> {
    let declared = template.get("Resources").and_then(Value::as_object);
    declared.into_iter().flatten().map(|(name, resource)| (name.as_str(), resource)).collect()
}

pub(super) fn resource_type(resource: &Value) -> &str {
    resource.get("Type").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_resource_of_a_new_stack_is_added() {
        let template = json!({ "Resources": {
            "Table": { "Type": "AWS::DynamoDB::Table" },
            "Bucket": { "Type": "AWS::S3::Bucket", "Condition": "Prod" },
        } });
        let listed: Vec<_> = added(&template)
            .into_iter()
            .map(|change| (change.logical_id, change.resource_type, change.effect))
            .collect();
        let expected = [("Bucket", "AWS::S3::Bucket"), ("Table", "AWS::DynamoDB::Table")]
            .map(|(name, kind)| (name.to_owned(), kind.to_owned(), Effect::Added));
        assert_eq!(listed, expected);
        assert!(added(&json!({})).is_empty() && added(&json!({ "Resources": [] })).is_empty());
    }

    #[test]
    fn macros_are_told_since_they_make_resources_of_their_own() {
        let told = |transform: Value| macros(&json!({ "Transform": transform }));
        assert!(told(json!("AWS::Serverless-2016-10-31")).unwrap().contains("AWS::Serverless"));
        assert!(told(json!(["A", { "Name": "B" }])).unwrap().contains("A, B"));
        assert_eq!(macros(&json!({ "Resources": {} })), None);
    }
}
