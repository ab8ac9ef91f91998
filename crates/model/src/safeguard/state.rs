//! The Serverless Framework's own view of a service: `service` of `serverless-state.json`.

use std::collections::BTreeMap;

use serde_json::Value;

/// What the framework wrote, if it did; anything may be missing from it.
pub(super) struct State<'a> {
    service: Option<&'a Value>,
    /// The functions' names in `serverless.yml` by their names in the template.
    declared: BTreeMap<String, &'a str>,
}

impl<'a> State<'a> {
    pub(super) fn of(service: Option<&'a Value>) -> Self {
        let mut state = Self { service, declared: BTreeMap::new() };
        let functions = state.get(&["functions"]).and_then(Value::as_object);
        state.declared = functions
            .into_iter()
            .flat_map(|functions| functions.keys())
            .map(|name| (logical_id(name), name.as_str()))
            .collect();
        state
    }

    /// Whether the framework told anything.
    pub(super) fn is_known(&self) -> bool {
        self.service.is_some()
    }

    /// A function's name in `serverless.yml`.
    pub(super) fn declared(&self, logical_id: &str) -> Option<&'a str> {
        self.declared.get(logical_id).copied()
    }

    /// The kinds of events a function has, like `httpApi` and `s3`.
    pub(super) fn events(&self, function: &str) -> Vec<&'a str> {
        let events = self.get(&["functions", function, "events"]).and_then(Value::as_array);
        events
            .into_iter()
            .flatten()
            .filter_map(|event| match self.followed(event) {
                Value::String(kind) => Some(kind.as_str()),
                Value::Object(event) => event.keys().next().map(String::as_str),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
            })
            .collect()
    }

    /// The tags of the stack. The framework adds `STAGE`, unless the service has its own in any
    /// spelling.
    pub(super) fn stack_tags(&self, stage: &str) -> BTreeMap<String, String> {
        if !self.is_known() {
            return BTreeMap::new();
        }
        let own = self.get(&["provider", "stackTags"]).and_then(Value::as_object);
        let mut tags: BTreeMap<String, String> = own
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), scalar(self.followed(value))?)))
            .collect();
        if !tags.keys().any(|key| key.eq_ignore_ascii_case("STAGE")) {
            tags.insert("STAGE".to_owned(), stage.to_owned());
        }
        tags
    }

    /// Whether a role is given that CloudFormation assumes.
    pub(super) fn has_deployment_role(&self) -> bool {
        [["provider", "iam", "deploymentRole"].as_slice(), &["provider", "cfnRole"]]
            .into_iter()
            .filter_map(|path| self.get(path))
            .any(|role| match role {
                Value::String(role) => !role.is_empty(),
                Value::Object(_) => true,
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
            })
    }

    fn get(&self, path: &[&str]) -> Option<&'a Value> {
        let mut value = self.service?;
        for key in path {
            value = self.followed(value.get(key)?);
        }
        Some(value)
    }

    /// Where one object stands in the state twice, the framework writes its path the second time:
    /// `{ "$ref": "$[\"service\"][\"provider\"]…" }`.
    fn followed(&self, value: &'a Value) -> &'a Value {
        let target = || {
            let path = value.get("$ref")?.as_str()?.strip_prefix("$[\"service\"]")?;
            let mut target = self.service?;
            for key in path.split_terminator(']') {
                let key: Value = serde_json::from_str(key.strip_prefix('[')?).ok()?;
                target = match key {
                    Value::String(key) => target.get(key)?,
                    Value::Number(position) => {
                        target.get(usize::try_from(position.as_u64()?).ok()?)?
                    }
                    Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                        return None;
                    }
                };
            }
            Some(target)
        };
        target().unwrap_or(value)
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The name the framework gives a function in the template (`getLambdaLogicalId` of its `naming`).
fn logical_id(function: &str) -> String {
    let name = function.replace('-', "Dash").replace('_', "Underscore");
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    format!("{}{}LambdaFunction", first.map(String::from).unwrap_or_default(), letters.as_str())
}
