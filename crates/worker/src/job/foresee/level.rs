//! A new template brought level with the deployed one: without what differs in every package and
//! without what differs only because a value is not known here. Pure.
//!
//! What always holds: a difference that could be the commit's own stays. Code counts as the same
//! only where both templates say so by its SHA-256.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

const VERSION: &str = "AWS::Lambda::Version";
const FUNCTION: &str = "AWS::Lambda::Function";
/// The Serverless Framework puts the time into its name.
const DEPLOYMENT: &str = "AWS::ApiGateway::Deployment";

/// What there is to compare.
pub(super) struct Level {
    pub(super) template: Value,
    /// Resources that every package makes anew: another function's code tells what they would.
    pub(super) passing: BTreeSet<String>,
    /// How many values are not known here.
    pub(super) left_out: usize,
}

/// `unknown` stands in `new` for each value that is not known.
pub(super) fn with(new: &Value, live: &Value, unknown: &str) -> Level {
    let names = renamed(new, live);
    let mut template = rename(new, &names);
    let passing = passing(&template, live);
    same_code(&mut template, live);
    let mut left_out = 0;
    if let (Some(new), Some(live)) = (resources_mut(&mut template), resources(live)) {
        for (name, resource) in new {
            if let Some(live) = live.get(name) {
                settle(resource, live, unknown, &mut left_out);
            }
        }
    }
    Level { template, passing, left_out }
}

fn resources(template: &Value) -> Option<&Map<String, Value>> {
    template.get("Resources")?.as_object()
}

fn resources_mut(template: &mut Value) -> Option<&mut Map<String, Value>> {
    template.get_mut("Resources")?.as_object_mut()
}

fn of_type<'t>(
    template: &'t Value,
    kind: &'static str,
) -> impl Iterator<Item = (&'t String, &'t Value)> {
    resources(template).into_iter().flatten().filter(move |(_, resource)| is(resource, kind))
}

fn is(resource: &Value, kind: &str) -> bool {
    resource.get("Type").and_then(Value::as_str) == Some(kind)
}

/// Resources whose names change with every package: new name, deployed name.
fn renamed(new: &Value, live: &Value) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for (name, version) in of_type(new, VERSION) {
        let mut same =
            of_type(live, VERSION).filter(|(_, other)| function(other) == function(version));
        if let (Some((old, _)), None) = (same.next(), same.next()) {
            names.insert(name.clone(), old.clone());
        }
    }
    let (mut news, mut olds) = (of_type(new, DEPLOYMENT), of_type(live, DEPLOYMENT));
    if let (Some((new, _)), None, Some((old, _)), None) =
        (news.next(), news.next(), olds.next(), olds.next())
    {
        names.insert(new.clone(), old.clone());
    }
    names.retain(|new, old| new != old);
    names
}

/// The function that a version is of.
fn function(version: &Value) -> Option<&Value> {
    version.get("Properties")?.get("FunctionName")
}

/// The template with its names replaced, as keys and wherever they are referred to.
fn rename(value: &Value, names: &BTreeMap<String, String>) -> Value {
    let named = |text: &String| names.get(text).unwrap_or(text).clone();
    match value {
        Value::String(text) => Value::String(named(text)),
        Value::Array(all) => all.iter().map(|one| rename(one, names)).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, one)| (named(key), rename(one, names))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Versions and deployments that both have: they come anew with what they are of.
fn passing(new: &Value, live: &Value) -> BTreeSet<String> {
    let both = |kind| {
        of_type(new, kind)
            .map(|(name, _)| name)
            .filter(move |name| of_type(live, kind).any(|(other, _)| other == *name))
    };
    both(VERSION).chain(both(DEPLOYMENT)).cloned().collect()
}

/// Puts the deployed code's address where the code is the same: only the address has the time of
/// the package in it.
fn same_code(new: &mut Value, live: &Value) {
    let digest = |version: &Value| version.get("Properties")?.get("CodeSha256").cloned();
    let same: Vec<String> = of_type(new, VERSION)
        .filter_map(|(_, version)| {
            let mut lives = of_type(live, VERSION);
            let (_, other) = lives.find(|(_, other)| function(other) == function(version))?;
            (digest(version).is_some() && digest(version) == digest(other)).then_some(version)
        })
        .filter_map(|version| Some(function(version)?.get("Ref")?.as_str()?.to_owned()))
        .collect();
    let Some(lives) = resources(live) else { return };
    for (name, resource) in resources_mut(new).into_iter().flatten() {
        let code = lives.get(name).and_then(|live| live.get("Properties")?.get("Code"));
        if same.contains(name)
            && is(resource, FUNCTION)
            && let (Some(code), Some(properties)) = (code, resource.get_mut("Properties"))
        {
            properties["Code"] = code.clone();
        }
    }
}

/// Puts deployed values into the places of those that are not known.
fn settle(new: &mut Value, live: &Value, unknown: &str, left_out: &mut usize) {
    match (new, live) {
        (new @ Value::String(_), live) => {
            if new.as_str().is_some_and(|text| fits(text, live, unknown)) {
                *new = live.clone();
                *left_out += 1;
            }
        }
        (Value::Object(new), Value::Object(live)) => {
            for (key, value) in new {
                if let Some(live) = live.get(key) {
                    settle(value, live, unknown, left_out);
                }
            }
        }
        (Value::Array(new), Value::Array(live)) => {
            for (value, live) in new.iter_mut().zip(live) {
                settle(value, live, unknown, left_out);
            }
        }
        (
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) | Value::Array(_),
            _,
        ) => {}
    }
}

/// Whether a text could be the deployed value, if only one knew what is not known of it.
fn fits(text: &str, live: &Value, unknown: &str) -> bool {
    if text == unknown {
        return true;
    }
    let Some(live) = live.as_str() else { return false };
    let mut parts = text.split(unknown);
    let Some(mut rest) = parts.next().and_then(|first| live.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return false;
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const UNKNOWN: &str = "unknown-here";

    /// The names of what differs, as the job tells it.
    fn changed(new: &Value, live: &Value) -> Vec<(String, Vec<String>)> {
        let level = with(new, live, UNKNOWN);
        aws::template::compare(live, &level.template)
            .into_iter()
            .filter(|change| !level.passing.contains(&change.logical_id))
            .map(|change| (change.logical_id, change.because))
            .collect()
    }

    fn function(key: &str, digest: &str, mark: &str, secret: &str, memory: u32) -> Value {
        json!({ "Resources": {
            "Hello": { "Type": FUNCTION, "Properties": {
                "Code": { "S3Bucket": { "Ref": "B" }, "S3Key": format!("serverless/api/dev/{key}/api.zip") },
                "MemorySize": memory,
                "Environment": { "Variables": { "KEY": secret, "URL": format!("https://x:{secret}@host") } },
            } },
            format!("HelloLambdaVersion{mark}"): { "Type": VERSION, "DeletionPolicy": "Retain", "Properties": {
                "FunctionName": { "Ref": "Hello" }, "CodeSha256": digest,
            } },
            format!("ApiGatewayDeployment{key}"): { "Type": DEPLOYMENT, "Properties": { "RestApiId": { "Ref": "Api" } } },
            "Alias": { "Type": "AWS::Lambda::Alias", "Properties": {
                "FunctionVersion": { "Fn::GetAtt": [format!("HelloLambdaVersion{mark}"), "Version"] },
            } },
        } })
    }

    #[test]
    fn a_package_of_the_same_service_differs_in_nothing() {
        let live = function("17-2026", "abc", "X", "s3cret", 128);
        let new = function("18-2026", "abc", "Y", UNKNOWN, 128);
        assert!(changed(&new, &live).is_empty(), "{:?}", changed(&new, &live));
        assert_eq!(with(&new, &live, UNKNOWN).left_out, 2);
    }

    #[test]
    fn other_code_and_other_settings_are_told() {
        let live = function("17-2026", "abc", "X", "s3cret", 128);
        let code = function("18-2026", "def", "Y", UNKNOWN, 128);
        assert_eq!(changed(&code, &live), [("Hello".to_owned(), vec!["Code".to_owned()])]);
        let memory = function("18-2026", "abc", "Y", UNKNOWN, 256);
        assert_eq!(changed(&memory, &live), [("Hello".to_owned(), vec!["MemorySize".to_owned()])]);
    }

    #[test]
    fn a_text_around_a_value_that_is_not_known_is_compared() {
        let topic = |name: &str| {
            json!({ "Resources": { "T": {
            "Type": "AWS::SNS::Topic", "Properties": { "DisplayName": name }
        } } })
        };
        let new = topic(&format!("https://{UNKNOWN}/v2"));
        assert_eq!(changed(&new, &topic("https://a.example/v1")).len(), 1);
        assert!(changed(&new, &topic("https://a.example/v2")).is_empty());
        let twice = topic(&format!("{UNKNOWN}:{UNKNOWN}@host"));
        assert!(changed(&twice, &topic("user:pass@host")).is_empty());
        assert_eq!(changed(&twice, &topic("user@host")).len(), 1);
    }

    #[test]
    fn a_property_that_is_new_is_told_although_its_value_is_not_known() {
        let of = |properties: Value| {
            json!({ "Resources": { "T": {
            "Type": "AWS::SNS::Topic", "Properties": properties
        } } })
        };
        let new = of(json!({ "DisplayName": UNKNOWN }));
        assert_eq!(changed(&new, &of(json!({}))).len(), 1);
        assert!(changed(&new, &of(json!({ "DisplayName": { "Ref": "P" } }))).is_empty());
    }

    #[test]
    fn a_function_that_comes_and_one_that_goes_are_told_with_their_versions() {
        let live = json!({ "Resources": {} });
        let new = function("18-2026", "abc", "Y", UNKNOWN, 128);
        let names: Vec<String> = changed(&new, &live).into_iter().map(|(name, _)| name).collect();
        assert!(names.contains(&"Hello".to_owned()), "{names:?}");
        assert!(names.contains(&"HelloLambdaVersionY".to_owned()), "{names:?}");
    }

    #[test]
    fn what_is_no_template_is_left_as_it_is() {
        for odd in [json!(null), json!([]), json!({ "Resources": 7 })] {
            assert_eq!(with(&odd, &json!({}), UNKNOWN).template, odd);
        }
    }
}
