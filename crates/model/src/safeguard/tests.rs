//! What the tests of safeguards share: examples to hold them against, and findings as a user
//! reads them.

mod details;
mod packages;
mod policies;
mod sam;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::app::Level;
use crate::change_set::{Effect, ResourceChange, StackChangeKind};
use crate::template::parse;

/// A service that is deployed as `shop-dev` to `us-east-1`, unless a test says otherwise.
struct Example {
    stage: &'static str,
    region: &'static str,
    framework: Option<Framework<'static>>,
    template: Value,
    state: Option<Value>,
    stack_tags: BTreeMap<String, String>,
    deployment_role: Option<&'static str>,
    parameters: BTreeMap<String, String>,
    change: Vec<StackChange>,
    now: &'static str,
}

impl Example {
    fn of(template: &str) -> Self {
        Self {
            stage: "dev",
            region: "us-east-1",
            framework: None,
            template: parse(template).unwrap_or_else(|error| panic!("{error}")),
            state: None,
            stack_tags: BTreeMap::new(),
            deployment_role: None,
            parameters: BTreeMap::new(),
            change: Vec::new(),
            now: "2026-11-18T10:00:00Z",
        }
    }

    fn service() -> Self {
        Self::of(include_str!("tests/templates/service.yml"))
    }

    /// What is found with these safeguards, written as in an app file.
    fn found(&self, safeguards: &Value) -> Vec<Finding> {
        let safeguards: Vec<Safeguard> =
            serde_json::from_value(safeguards.clone()).unwrap_or_else(|error| panic!("{error}"));
        let (stage, region) =
            (self.stage.parse().expect("a stage"), self.region.parse().expect("a region"));
        let stack = format!("shop-{}", self.stage);
        check(
            &safeguards,
            &Subject {
                service: "shop",
                stage: &stage,
                region: &region,
                stack: &stack,
                framework: self.framework,
                template: &self.template,
                state: self.state.as_ref(),
                stack_tags: &self.stack_tags,
                deployment_role: self.deployment_role,
                parameters: &self.parameters,
                change: &self.change,
                now: Some(moment(self.now)),
            },
        )
    }

    /// The same as a user reads it.
    fn told(&self, safeguards: &Value) -> String {
        told(&self.found(safeguards))
    }
}

fn told(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|finding| {
        let Finding { level, place, problem, remedy, .. } = finding;
        let level = match level {
            Level::Warning => "warning",
            Level::Error => "error",
        };
        format!("{level}: {place}\n  {problem}\n  {remedy}\n")
    });
    lines.collect()
}

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// One safeguard, at level error.
fn safeguard(policy: &str, config: &Value) -> Value {
    json!([{ "policy": policy, "level": "error", "config": config }])
}

fn changed(logical_id: &str, resource_type: &str, effect: Effect) -> ResourceChange {
    ResourceChange {
        logical_id: logical_id.to_owned(),
        physical_id: None,
        resource_type: resource_type.to_owned(),
        effect,
        because: Vec::new(),
    }
}

fn update(changes: Vec<ResourceChange>) -> Vec<StackChange> {
    vec![StackChange {
        stack: "shop-dev".to_owned(),
        kind: StackChangeKind::Update,
        changes,
        note: None,
    }]
}
