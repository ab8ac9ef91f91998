//! Looking into what the API answers about builds and stages.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::jobs;

/// The services that a build deployed.
pub(crate) fn deployed(build: &Value) -> BTreeSet<&str> {
    jobs(build)
        .filter(|job| job["kind"] == "deploy" && job["outcome"] == "succeeded")
        .filter_map(|job| job["service"].as_str())
        .collect()
}

/// A job of a service.
pub(crate) fn job<'a>(build: &'a Value, kind: &str, service: &str) -> &'a Value {
    jobs(build)
        .find(|job| job["kind"] == kind && job["service"] == service)
        .unwrap_or_else(|| panic!("no {kind} of {service} in {build:#}"))
}

/// How a job ended, and what it says of its end.
pub(crate) fn end(job: &Value) -> (&str, &str) {
    (job["outcome"].as_str().unwrap_or_default(), job["reason"].as_str().unwrap_or_default())
}

/// What became of a service in the plan, and why.
pub(crate) fn decision<'a>(build: &'a Value, service: &str) -> (&'a str, &'a str) {
    let services = build["services"].as_array().unwrap();
    let found = services
        .iter()
        .find(|planned| planned["service"] == service)
        .unwrap_or_else(|| panic!("{service} is not in the plan of {build:#}"));
    (found["decision"].as_str().unwrap(), found["reason"].as_str().unwrap())
}

/// What a stage has of a service.
pub(crate) fn instance<'a>(stage: &'a Value, service: &str) -> &'a Value {
    stage["instances"]
        .as_array()
        .and_then(|all| all.iter().find(|instance| instance["service"] == service))
        .unwrap_or_else(|| panic!("no {service} in {stage:#}"))
}
