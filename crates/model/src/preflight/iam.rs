//! Sizes of IAM policies.
//!
//! From "IAM and AWS STS quotas", IAM user guide, section "IAM and STS character limits": inline
//! policies count together, and white space does not count.

use serde_json::Value;

use super::{View, refused};
use crate::app::Level;
use crate::finding::Finding;
use crate::template::{Resource, one_or_many, referred, resources};

const ROLE: usize = 10_240;
const USER: usize = 2_048;
const GROUP: usize = 5_120;
const MANAGED: usize = 6_144;
/// An account may have this one raised to 8,192.
const TRUST: usize = 2_048;

const SMALLER: &str =
    "join statements, name resources by a common beginning, or move a part into a managed policy";

pub(super) fn check(view: &View<'_>) -> Vec<Finding> {
    resources(view.template).flat_map(|resource| of(&resource, view)).collect()
}

fn of(resource: &Resource<'_>, view: &View<'_>) -> Vec<Finding> {
    let inline = |who: &str, most| {
        let size = inline_size(resource, view);
        (size > most).then(|| {
            refused(
                resource.place("Policies"),
                format!(
                    "the inline policies of an IAM {who} have at most {most} characters in all, and those of {} have at least {size}",
                    resource.id
                ),
                SMALLER,
            )
        })
    };
    match resource.kind {
        "AWS::IAM::Role" => inline("role", ROLE).into_iter().chain(trust(resource, view)).collect(),
        "AWS::IAM::User" => inline("user", USER).into_iter().collect(),
        "AWS::IAM::Group" => inline("group", GROUP).into_iter().collect(),
        "AWS::IAM::ManagedPolicy" => managed(resource, view).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn managed(resource: &Resource<'_>, view: &View<'_>) -> Option<Finding> {
    let size = characters(resource.property("PolicyDocument")?, view);
    (size > MANAGED).then(|| {
        refused(
            resource.place("PolicyDocument"),
            format!("a managed policy has at most {MANAGED} characters, and this one has at least {size}"),
            "split the policy into several",
        )
    })
}

fn trust(resource: &Resource<'_>, view: &View<'_>) -> Option<Finding> {
    let size = characters(resource.property("AssumeRolePolicyDocument")?, view);
    (size > TRUST).then(|| Finding {
        level: Level::Warning,
        ..refused(
            resource.place("AssumeRolePolicyDocument"),
            format!(
                "a role's trust policy has at most {TRUST} characters, unless the account has a higher quota, and this one has at least {size}"
            ),
            "trust fewer principals, or ask AWS for a higher quota",
        )
    })
}

/// The policies inside the resource, and those beside it that name it.
fn inline_size(resource: &Resource<'_>, view: &View<'_>) -> usize {
    let policies = resource.property("Policies").map(one_or_many).unwrap_or_default();
    let inside: usize = policies
        .into_iter()
        .filter_map(|policy| policy.get("PolicyDocument"))
        .map(|document| characters(document, view))
        .sum();
    let names_it = |policy: &Resource<'_>, key: &str| {
        let named = policy.property(key).map(one_or_many).unwrap_or_default();
        named.into_iter().any(|named| referred(named) == Some(resource.id))
    };
    let beside: usize = resources(view.template)
        .filter(|policy| match policy.kind {
            "AWS::IAM::Policy" => {
                ["Roles", "Users", "Groups"].iter().any(|key| names_it(policy, key))
            }
            "AWS::IAM::RolePolicy" => names_it(policy, "RoleName"),
            "AWS::IAM::UserPolicy" => names_it(policy, "UserName"),
            "AWS::IAM::GroupPolicy" => names_it(policy, "GroupName"),
            _ => false,
        })
        .filter_map(|policy| policy.property("PolicyDocument"))
        .map(|document| characters(document, view))
        .sum();
    inside + beside
}

/// How many characters a document has at least, as compact JSON.
fn characters(value: &Value, view: &View<'_>) -> usize {
    let text = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count() + 2;
    match value {
        Value::Null => 4,
        Value::Bool(_) | Value::Number(_) => value.to_string().len(),
        Value::String(value) => text(value),
        Value::Array(items) => {
            let inside: usize = items.iter().map(|item| characters(item, view)).sum();
            inside + items.len().saturating_sub(1) + 2
        }
        Value::Object(map) => {
            let is_condition = map.contains_key("Fn::If");
            match view.surroundings.text(value) {
                Some(known) if !is_condition => known.least_length() + 2,
                // either branch may be the one that is left out
                Some(_) => 0,
                None => {
                    let inside: usize = map
                        .iter()
                        .map(|(key, value)| text(key) + 1 + characters(value, view))
                        .sum();
                    inside + map.len().saturating_sub(1) + 2
                }
            }
        }
    }
}
