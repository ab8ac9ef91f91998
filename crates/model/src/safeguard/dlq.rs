//! `require-dlq`: what an asynchronous call brings is not lost when the function fails.
//!
//! A function needs a dead letter queue if it has one of the plugin's asynchronous events, or no
//! event at all. A destination for failures does as well: it came after the plugin, and keeps the
//! same events and more ("Capturing records of Lambda asynchronous invocations", AWS Lambda's
//! developer guide). EventBridge counts as what the plugin calls `cloudwatchEvent`. As in the
//! plugin, a schedule does not count: its next call comes by itself.

use serde_json::Value;

use super::{Named, View, Violation};
use crate::template::{Function, Resource, alternatives, given, referred, resources};

/// The keys of events in `serverless.yml`.
const SERVERLESS: [&str; 9] = [
    "s3",
    "sns",
    "alexaSkill",
    "alexaSmartHome",
    "iot",
    "cloudwatchEvent",
    "cloudwatchLog",
    "cognitoUserPool",
    "eventBridge",
];
/// The same as types of SAM's events.
const SAM: [&str; 8] = [
    "S3",
    "SNS",
    "AlexaSkill",
    "IoTRule",
    "CloudWatchEvent",
    "CloudWatchLogs",
    "Cognito",
    "EventBridgeRule",
];
/// The same as principals of permissions; EventBridge's depends on the rule.
const PRINCIPALS: [&str; 6] = ["s3.", "sns.", "iot.", "logs.", "cognito-idp.", "alexa-"];

pub(super) fn check(view: &View<'_>) -> Vec<Violation> {
    view.functions()
        .filter(|named| !is_safe(named, view))
        .filter_map(|named| Some((asynchronous(&named, view)?, named)))
        .map(|(why, named)| {
            let function = &named.function;
            let remedy = match named.declared {
                Some(name) => format!(
                    "write `onError:` (or `destinations.onFailure:`) of the function `{name}` in serverless.yml with the ARN of an SNS topic or an SQS queue"
                ),
                None => format!(
                    "write the ARN of an SNS topic or an SQS queue as TargetArn of `{}` of {}",
                    property(function),
                    function.resource.id
                ),
            };
            Violation {
                place: function.resource.place(property(function)),
                problem: format!("the function {} {why}, and has no dead letter queue", named.name()),
                remedy,
            }
        })
        .collect()
}

fn property(function: &Function<'_>) -> &'static str {
    if function.is_sam() { "DeadLetterQueue" } else { "DeadLetterConfig" }
}

/// Whether it has a queue, or a destination for failures, in every case.
fn is_safe(named: &Named<'_>, view: &View<'_>) -> bool {
    let function = &named.function;
    let in_every_case = |cases: Vec<Option<&Value>>| {
        cases.into_iter().all(|target| {
            target.is_some_and(|target| {
                alternatives(target).into_iter().all(|target| given(target).is_some())
            })
        })
    };
    let on_failure = |config: &Value| config.pointer("/OnFailure").and_then(given).is_some();
    in_every_case(function.entries(property(function), "TargetArn"))
        || function
            .entries("EventInvokeConfig", "DestinationConfig")
            .into_iter()
            .all(|config| config.is_some_and(on_failure))
        || about(function, view, "AWS::Lambda::EventInvokeConfig")
            .any(|config| config.property("DestinationConfig").is_some_and(on_failure))
}

/// Why calls of the function may be asynchronous, if they may.
fn asynchronous(named: &Named<'_>, view: &View<'_>) -> Option<String> {
    let by_nobody = || "has no event, so its callers are not known".to_owned();
    let by = |caller: &str| format!("is called asynchronously by {caller}");
    if let Some(name) = named.declared {
        let events = view.state.events(name);
        if events.is_empty() {
            return Some(by_nobody());
        }
        return events.iter().find(|event| SERVERLESS.contains(event)).map(|event| by(event));
    }
    let function = &named.function;
    let permissions: Vec<_> = about(function, view, "AWS::Lambda::Permission").collect();
    let sam_events = sam_events(function);
    let is_called = !permissions.is_empty()
        || !sam_events.is_empty()
        || function.property("FunctionUrlConfig").is_some()
        || about(function, view, "AWS::Lambda::EventSourceMapping").next().is_some()
        || about(function, view, "AWS::Lambda::Url").next().is_some()
        || scheduled(function, view);
    if !is_called {
        return Some(by_nobody());
    }
    let event = sam_events.iter().find(|event| SAM.contains(event)).map(|event| by(event));
    event.or_else(|| {
        permissions
            .iter()
            .find_map(|permission| asynchronous_caller(permission, view))
            .map(|caller| by(&caller))
    })
}

fn sam_events<'a>(function: &Function<'a>) -> Vec<&'a str> {
    let events = function.property("Events").and_then(Value::as_object);
    events.into_iter().flatten().filter_map(|(_, event)| event.get("Type")?.as_str()).collect()
}

fn scheduled(function: &Function<'_>, view: &View<'_>) -> bool {
    resources(view.subject.template)
        .filter(|resource| resource.kind == "AWS::Scheduler::Schedule")
        .filter_map(|schedule| schedule.property("Target")?.get("Arn"))
        .any(|target| is_of(target, function, view))
}

/// Whom a permission is for, if he calls asynchronously.
fn asynchronous_caller(permission: &Resource<'_>, view: &View<'_>) -> Option<String> {
    let principal = view.surroundings.text(permission.property("Principal")?)?.shown();
    if !principal.starts_with("events.") {
        let is_known = PRINCIPALS.iter().any(|known| principal.starts_with(known));
        return is_known.then_some(principal);
    }
    let rule = permission.property("SourceArn").and_then(referred);
    let is_schedule =
        resources(view.subject.template).filter(|resource| Some(resource.id) == rule).any(|rule| {
            rule.property("ScheduleExpression").is_some() && rule.property("EventPattern").is_none()
        });
    (!is_schedule).then_some(principal)
}

/// The resources of a kind that name the function in `FunctionName` or, as a URL does, in
/// `TargetFunctionArn`.
fn about<'a>(
    function: &'a Function<'a>,
    view: &'a View<'a>,
    kind: &'a str,
) -> impl Iterator<Item = Resource<'a>> {
    resources(view.subject.template).filter(move |resource| {
        let named =
            resource.property("FunctionName").or_else(|| resource.property("TargetFunctionArn"));
        resource.kind == kind && named.is_some_and(|named| is_of(named, function, view))
    })
}

/// Whether a value names the function: by reference, by one to a version or alias of it, or by
/// its name.
fn is_of(value: &Value, function: &Function<'_>, view: &View<'_>) -> bool {
    if let Some(id) = referred(value) {
        let version = resources(view.subject.template).find(|resource| {
            resource.id == id
                && ["AWS::Lambda::Version", "AWS::Lambda::Alias"].contains(&resource.kind)
        });
        return match version.and_then(|version| version.property("FunctionName")) {
            // a version names its function itself, so this ends
            Some(named) => referred(named) == Some(function.resource.id),
            None => id == function.resource.id,
        };
    }
    let text = |value| view.surroundings.text(value);
    let Some(named) = text(value).map(|named| named.shown()) else { return false };
    let attribute = |name: &str| named.contains(&format!("${{{}{name}}}", function.resource.id));
    let name = function.property("FunctionName").and_then(text).map(|name| name.shown());
    attribute("")
        || attribute(".Arn")
        || name.is_some_and(|name| named == name || named.ends_with(&format!(":function:{name}")))
}
