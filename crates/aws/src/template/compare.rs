//! Two templates of one stack compared: what is known of a change when CloudFormation could not
//! be asked. Pure.
//!
//! It sees what the texts say and no more: not values that come from parameters, conditions or
//! other resources, and not which property makes CloudFormation replace a resource. Hence a
//! resource that holds data and changes may be replaced, for all that is known here.

use std::collections::BTreeSet;

use model::change_set::{Effect, ResourceChange};
use model::safeguard::is_stateful;
use serde_json::Value;

use super::declared::{resource_type, resources};

pub(crate) const NESTED_STACK: &str = "AWS::CloudFormation::Stack";

/// The difference by name: resources added, removed and changed, each with the properties and
/// attributes that differ.
pub fn compare(live: &Value, new: &Value) -> Vec<ResourceChange> {
    let (live, new) = (resources(live), resources(new));
    let names: BTreeSet<&str> = live.keys().chain(new.keys()).copied().collect();
    names
        .into_iter()
        .filter_map(|name| {
            let (resource, effect, because) = match (live.get(name), new.get(name)) {
                (None, Some(new)) => (new, Effect::Added, Vec::new()),
                (Some(live), None) => (live, Effect::Removed, Vec::new()),
                (Some(live), Some(new)) => {
                    let because = differing(live, new);
                    (new, effect(live, new, &because)?, because)
                }
                (None, None) => return None,
            };
            Some(ResourceChange {
                logical_id: name.to_owned(),
                physical_id: None,
                resource_type: resource_type(resource).to_owned(),
                effect,
                because,
            })
        })
        .collect()
}

/// What happens to a resource that both have; nothing when they are the same.
fn effect(live: &Value, new: &Value, because: &[String]) -> Option<Effect> {
    if resource_type(live) != resource_type(new) {
        return Some(Effect::Replaced);
    }
    if because.is_empty() {
        return None;
    }
    let harmless = because
        .iter()
        .all(|name| name == "Tags" || !is_property(live, name) && !is_property(new, name));
    let kind = resource_type(new);
    // A nested stack is updated in place; what happens inside it is not known here at all.
    if is_stateful(kind) && kind != NESTED_STACK && !harmless {
        Some(Effect::MayBeReplaced)
    } else {
        Some(Effect::Changed)
    }
}

fn is_property(resource: &Value, name: &str) -> bool {
    resource.get("Properties").and_then(|properties| properties.get(name)).is_some()
}

/// The names of properties, and of attributes such as `DeletionPolicy`, that differ.
fn differing(live: &Value, new: &Value) -> Vec<String> {
    let properties = |resource: &'_ Value| resource.get("Properties").cloned().unwrap_or_default();
    let mut names = differing_keys(&properties(live), &properties(new));
    names.extend(differing_keys(live, new).into_iter().filter(|name| name != "Properties"));
    names.into_iter().collect()
}

fn differing_keys(live: &Value, new: &Value) -> BTreeSet<String> {
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default()
    };
    keys(live).union(&keys(new)).filter(|key| live.get(key) != new.get(key)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn table(properties: &Value) -> Value {
        json!({ "Resources": { "T": {
            "Type": "AWS::DynamoDB::Table", "Properties": properties
        } } })
    }

    fn only(live: &Value, new: &Value) -> (Effect, Vec<String>) {
        let mut changes = compare(live, new);
        let change = changes.pop().expect("one change");
        assert!(changes.is_empty());
        (change.effect, change.because)
    }

    #[test]
    fn resources_that_come_and_go_are_added_and_removed() {
        let live = json!({ "Resources": { "Old": { "Type": "AWS::SNS::Topic" } } });
        let new = json!({ "Resources": { "New": { "Type": "AWS::SQS::Queue" } } });
        let listed: Vec<_> = compare(&live, &new)
            .into_iter()
            .map(|change| (change.logical_id, change.resource_type, change.effect))
            .collect();
        let expected = [
            ("New".to_owned(), "AWS::SQS::Queue".to_owned(), Effect::Added),
            ("Old".to_owned(), "AWS::SNS::Topic".to_owned(), Effect::Removed),
        ];
        assert_eq!(listed, expected);
    }

    #[test]
    fn the_same_resources_are_no_change_whatever_their_order() {
        let live = json!({ "Resources": {
            "A": { "Type": "X", "Properties": { "P": 1, "Q": [1, 2] } }, "B": { "Type": "Y" }
        } });
        let new = json!({ "Resources": {
            "B": { "Type": "Y" }, "A": { "Properties": { "Q": [1, 2], "P": 1 }, "Type": "X" }
        } });
        assert!(compare(&live, &new).is_empty());
    }

    #[test]
    fn a_changed_resource_names_its_properties_and_attributes() {
        let of = |memory: u32, policy: &str| {
            json!({ "Resources": { "F": {
                "Type": "AWS::Lambda::Function", "DeletionPolicy": policy,
                "Properties": { "MemorySize": memory, "Timeout": 6 }
            } } })
        };
        let (effect, because) = only(&of(128, "Delete"), &of(256, "Retain"));
        assert_eq!(effect, Effect::Changed);
        assert_eq!(because, ["DeletionPolicy", "MemorySize"]);
    }

    #[test]
    fn a_resource_with_data_may_be_replaced_by_any_change_of_it() {
        let (live, new) = (json!({ "TableName": "a" }), json!({ "TableName": "b" }));
        assert_eq!(
            only(&table(&live), &table(&new)),
            (Effect::MayBeReplaced, vec!["TableName".to_owned()])
        );
        let gone = json!({});
        assert_eq!(only(&table(&live), &table(&gone)).0, Effect::MayBeReplaced);
    }

    #[test]
    fn tags_and_policies_never_replace_it() {
        let tagged = json!({ "Tags": [{ "Key": "a", "Value": "b" }] });
        assert_eq!(only(&table(&json!({})), &table(&tagged)).0, Effect::Changed);
        let mut kept = table(&json!({}));
        kept["Resources"]["T"]["DeletionPolicy"] = json!("Retain");
        assert_eq!(only(&table(&json!({})), &kept).0, Effect::Changed);
    }

    #[test]
    fn another_type_under_the_same_name_is_a_replacement() {
        let live = json!({ "Resources": { "X": { "Type": "AWS::SNS::Topic" } } });
        let new = json!({ "Resources": { "X": { "Type": "AWS::SQS::Queue" } } });
        assert_eq!(only(&live, &new), (Effect::Replaced, vec!["Type".to_owned()]));
    }
}
