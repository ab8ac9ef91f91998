//! `no-wild-iam-role-statements`: roles may do what they need, not everything.
//!
//! What counts as wild is what the plugin takes for it: `*` or `service:*` as an action; as a
//! resource `*`, or an ARN with `*` for its service, its resource type or its resource. A wildcard
//! inside a name (`table/*`) is none. Beyond the plugin: `NotAction` and `NotResource` of an Allow
//! are wild, for they grant all the rest; and policies that stand beside a role, and SAM's, are
//! looked at too. Actions for which AWS knows no resource may have `*` for it: there is nothing
//! else to write.

use serde_json::Value;

use super::{View, Violation};
use crate::template::{Resource, one_or_many, placed, resources};

/// Actions with no resource types, in the pages "Actions, resources, and condition keys for AWS
/// X-Ray" and "… for Amazon CloudWatch" of the Service Authorization Reference. The Serverless
/// Framework writes the first two itself for `tracing`.
const WITHOUT_RESOURCE: [&str; 6] = [
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:GetSamplingStatisticSummaries",
    "cloudwatch:PutMetricData",
];

pub(super) fn check(view: &View<'_>) -> Vec<Violation> {
    resources(view.subject.template)
        .flat_map(|resource| {
            statements(&resource)
                .into_iter()
                .flat_map(move |(place, statement)| wild(&place, statement, &resource, view))
        })
        .collect()
}

/// The statements of policies that a resource gives to a role, a user or a group.
fn statements<'a>(resource: &Resource<'a>) -> Vec<(String, &'a Value)> {
    let (property, document) = match resource.kind {
        "AWS::IAM::Role" | "AWS::IAM::User" | "AWS::IAM::Group" => {
            ("Policies", Some("PolicyDocument"))
        }
        "AWS::IAM::Policy"
        | "AWS::IAM::ManagedPolicy"
        | "AWS::IAM::RolePolicy"
        | "AWS::IAM::UserPolicy"
        | "AWS::IAM::GroupPolicy" => ("PolicyDocument", None),
        "AWS::Serverless::Function" | "AWS::Serverless::StateMachine" => ("Policies", None),
        _ => return Vec::new(),
    };
    let Some(policies) = resource.property(property) else { return Vec::new() };
    let inside = |(place, value): (String, &'a Value), key: &str| {
        let place = format!("{place}.{key}");
        value.get(key).map(|value| placed(value, &place)).unwrap_or_default()
    };
    placed(policies, &resource.place(property))
        .into_iter()
        .flat_map(|policy| match document {
            Some(document) => inside(policy, document),
            None => vec![policy],
        })
        .flat_map(|document| inside(document, "Statement"))
        .collect()
}

fn wild(
    place: &str,
    statement: &Value,
    resource: &Resource<'_>,
    view: &View<'_>,
) -> Vec<Violation> {
    if statement.get("Effect").and_then(Value::as_str) == Some("Deny") {
        return Vec::new();
    }
    let where_to = if resource.id == "IamRoleLambdaExecution" && view.state.is_known() {
        ", in `provider.iam.role.statements` of serverless.yml"
    } else {
        ""
    };
    let violation = |key: &str, problem: String, instead: &str| Violation {
        place: format!("{place}.{key}"),
        problem,
        remedy: format!("{instead}{where_to}"),
    };
    const ACTIONS: &str = "name the actions that are needed, like dynamodb:GetItem";
    const RESOURCES: &str = "name the resources by their ARNs, like that of one table";
    let entries = |key: &str| {
        let values = statement.get(key).map(one_or_many).unwrap_or_default();
        values.into_iter().filter_map(|value| view.surroundings.text(value)).collect::<Vec<_>>()
    };
    let actions = entries("Action");
    let mut found = Vec::new();
    for action in &actions {
        let action = action.shown();
        if is_wild_action(&action) {
            let problem = format!("a statement of {} allows the action {action}", resource.id);
            found.push(violation("Action", problem, ACTIONS));
        }
    }
    if statement.get("NotAction").is_some() {
        let problem =
            format!("a statement of {} allows every action but a few (NotAction)", resource.id);
        found.push(violation("NotAction", problem, ACTIONS));
    }
    let nothing_to_name = !actions.is_empty()
        && actions.iter().all(|action| {
            let action = action.shown();
            WITHOUT_RESOURCE.iter().any(|known| known.eq_ignore_ascii_case(&action))
        });
    if nothing_to_name {
        return found;
    }
    for named in entries("Resource") {
        if is_wild_resource(&named.marked("x")) {
            let problem =
                format!("a statement of {} is for the resource {}", resource.id, named.shown());
            found.push(violation("Resource", problem, RESOURCES));
        }
    }
    if statement.get("NotResource").is_some() {
        let problem =
            format!("a statement of {} is for every resource but a few (NotResource)", resource.id);
        found.push(violation("NotResource", problem, RESOURCES));
    }
    found
}

fn is_all(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c == '*')
}

fn is_wild_action(action: &str) -> bool {
    is_all(action) || action.split_once(':').is_some_and(|(_, name)| is_all(name))
}

/// `arn:partition:service:region:account:type:id`, or without the type.
fn is_wild_resource(resource: &str) -> bool {
    let parts: Vec<&str> = resource.split(':').collect();
    is_all(resource)
        || [2, 5, 6].iter().any(|part| parts.get(*part).is_some_and(|part| is_all(part)))
}
