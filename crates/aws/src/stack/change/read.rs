//! A change as CloudFormation tells it, in the model's words. Pure.

use std::collections::BTreeSet;

use aws_sdk_cloudformation::types::{
    Change, ChangeAction, Replacement, RequiresRecreation, ResourceAttribute, ResourceChangeDetail,
};
use model::change_set::{Effect, ResourceChange};

use crate::template::NESTED_STACK;

/// One change; `None` for what is no resource.
pub(super) fn change(sdk: &Change) -> Option<ResourceChange> {
    let resource = sdk.resource_change()?;
    let effect = effect(resource.action(), resource.replacement());
    Some(ResourceChange {
        logical_id: resource.logical_resource_id().unwrap_or_default().to_owned(),
        physical_id: resource.physical_resource_id().map(str::to_owned),
        resource_type: resource.resource_type().unwrap_or_default().to_owned(),
        effect,
        because: because(resource.details()),
    })
}

/// What is not known to keep a resource may replace it: also what CloudFormation tells in words
/// of a later version.
fn effect(action: Option<&ChangeAction>, replacement: Option<&Replacement>) -> Effect {
    match action {
        Some(ChangeAction::Add | ChangeAction::Import) => Effect::Added,
        Some(ChangeAction::Remove) => Effect::Removed,
        Some(ChangeAction::SyncWithActual) => Effect::Changed,
        Some(ChangeAction::Modify) => match replacement {
            Some(Replacement::True) => Effect::Replaced,
            Some(Replacement::False) => Effect::Changed,
            _ => Effect::MayBeReplaced,
        },
        _ => Effect::MayBeReplaced,
    }
}

/// The names of what makes the change, those that replace the resource first.
fn because(details: &[ResourceChangeDetail]) -> Vec<String> {
    let mut named = BTreeSet::new();
    for target in details.iter().filter_map(ResourceChangeDetail::target) {
        let order = match target.requires_recreation() {
            Some(RequiresRecreation::Always) => 0,
            Some(RequiresRecreation::Conditionally) => 1,
            _ => 2,
        };
        let name = match (target.attribute(), target.name()) {
            (Some(ResourceAttribute::Properties) | None, Some(name)) => name,
            (Some(attribute), _) => attribute.as_str(),
            (None, None) => continue,
        };
        named.insert((order, name.to_owned()));
    }
    let mut because: Vec<String> = Vec::new();
    for (_, name) in named {
        if !because.contains(&name) {
            because.push(name);
        }
    }
    because
}

/// The change without the resources that only get the build's new tag with it: those that are not
/// in `apart_from_tags`. One that a tag replaces stays, for that is news.
pub(super) fn without_mere_tags(
    changes: Vec<ResourceChange>,
    apart_from_tags: &[ResourceChange],
) -> Vec<ResourceChange> {
    let changes_anyway = |id: &str| apart_from_tags.iter().any(|change| change.logical_id == id);
    changes
        .into_iter()
        .filter(|change| change.effect != Effect::Changed || changes_anyway(&change.logical_id))
        .collect()
}

/// Why the list may not be whole.
pub(super) fn note(changes: &[ResourceChange]) -> Option<String> {
    let nested: Vec<&str> = changes
        .iter()
        .filter(|change| change.resource_type == NESTED_STACK)
        .map(|change| change.logical_id.as_str())
        .collect();
    if !nested.is_empty() {
        return Some(format!(
            "what changes inside nested stacks is not listed: {}",
            nested.join(", ")
        ));
    }
    changes.is_empty().then(|| "no resource changes: only outputs or the like do".to_owned())
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::{ResourceChange as SdkChange, ResourceTargetDefinition};

    use super::*;

    fn detail(
        attribute: ResourceAttribute,
        name: Option<&str>,
        recreation: RequiresRecreation,
    ) -> ResourceChangeDetail {
        let target = ResourceTargetDefinition::builder()
            .attribute(attribute)
            .set_name(name.map(str::to_owned))
            .requires_recreation(recreation)
            .build();
        ResourceChangeDetail::builder().target(target).build()
    }

    #[test]
    fn every_action_has_its_effect() {
        let modified = |replacement| effect(Some(&ChangeAction::Modify), replacement);
        assert_eq!(effect(Some(&ChangeAction::Add), None), Effect::Added);
        assert_eq!(effect(Some(&ChangeAction::Remove), None), Effect::Removed);
        assert_eq!(modified(Some(&Replacement::True)), Effect::Replaced);
        assert_eq!(modified(Some(&Replacement::False)), Effect::Changed);
        assert_eq!(modified(Some(&Replacement::Conditional)), Effect::MayBeReplaced);
    }

    #[test]
    fn what_is_not_told_or_not_known_may_replace() {
        assert_eq!(effect(Some(&ChangeAction::Modify), None), Effect::MayBeReplaced);
        assert_eq!(effect(Some(&ChangeAction::Dynamic), None), Effect::MayBeReplaced);
        assert_eq!(effect(Some(&ChangeAction::from("Rotate")), None), Effect::MayBeReplaced);
        assert_eq!(effect(None, None), Effect::MayBeReplaced);
    }

    #[test]
    fn a_change_names_its_properties_once_those_that_replace_first() {
        let resource = SdkChange::builder()
            .action(ChangeAction::Modify)
            .replacement(Replacement::True)
            .logical_resource_id("Table")
            .physical_resource_id("shop-dev")
            .resource_type("AWS::DynamoDB::Table")
            .details(detail(ResourceAttribute::Tags, None, RequiresRecreation::Never))
            .details(detail(ResourceAttribute::Properties, Some("A"), RequiresRecreation::Never))
            .details(detail(
                ResourceAttribute::Properties,
                Some("TableName"),
                RequiresRecreation::Always,
            ))
            .details(detail(
                ResourceAttribute::Properties,
                Some("TableName"),
                RequiresRecreation::Conditionally,
            ))
            .build();
        let change = change(&Change::builder().resource_change(resource).build()).unwrap();
        assert_eq!(change.effect, Effect::Replaced);
        assert_eq!(change.because, ["TableName", "A", "Tags"]);
        assert_eq!(change.physical_id.as_deref(), Some("shop-dev"));
    }

    #[test]
    fn resources_that_only_get_a_new_tag_are_not_listed_unless_it_replaces_them() {
        let change = |id: &str, effect| ResourceChange {
            logical_id: id.to_owned(),
            physical_id: None,
            resource_type: "AWS::Lambda::Function".to_owned(),
            effect,
            because: vec!["Tags".to_owned()],
        };
        let tagged = vec![
            change("A", Effect::Changed),
            change("B", Effect::Changed),
            change("C", Effect::Replaced),
        ];
        let listed = without_mere_tags(tagged, &[change("B", Effect::Changed)]);
        let ids: Vec<_> = listed.iter().map(|change| change.logical_id.as_str()).collect();
        assert_eq!(ids, ["B", "C"]);
    }

    #[test]
    fn nested_stacks_are_told_since_nobody_looks_inside() {
        let nested = ResourceChange {
            logical_id: "Inner".to_owned(),
            physical_id: None,
            resource_type: NESTED_STACK.to_owned(),
            effect: Effect::Changed,
            because: Vec::new(),
        };
        assert!(note(&[nested]).unwrap().contains("Inner"));
        assert!(note(&[]).unwrap().contains("outputs"));
    }
}
