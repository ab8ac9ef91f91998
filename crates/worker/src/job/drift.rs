//! A drift job: what of an instance's stacks is no longer as their templates say, and whether
//! somebody else has deployed to them.
//!
//! What always holds: looking changes nothing. A stack that could not be looked at is told as such
//! and never as unchanged. No secret leaves the job: what the job knows to be one, what looks like
//! one, what stands under a name that says so, and, where the stage has secrets that lie in AWS and
//! that this job may not read, what stands where applications are given theirs, is masked before it
//! is told.

use std::collections::BTreeMap;

use aws::Stacks;
use model::drift::{DriftStatus, DriftedResource, PropertyDifference, ResourceDrift, StackDrift};
use model::outside::{Found, Left};
use model::safeguard::looks_like_a_credential;
use model::worker_api::Target;

use super::context::Job;
use super::halt::Halt;
use super::{outside, stack};
use crate::log::Log;

const MASK: &str = "***";
/// Parts of a property's name that say that its value is nobody's business.
const TELLING: [&str; 7] =
    ["password", "secret", "token", "credential", "apikey", "api_key", "privatekey"];

/// Where a secret that nobody here knows could stand: variables of functions, values of parameters
/// and keys.
const GIVEN: [&str; 2] = ["/environment", "/value"];

pub(super) async fn run(
    job: &Job,
    target: &Target,
    names: &[String],
    left: &Left,
) -> Result<(Vec<StackDrift>, BTreeMap<String, Found>), Halt> {
    let secrets = if target.references.is_empty() { Secrets::Known } else { Secrets::Unread };
    let stacks = stack::open(job, target).await?;
    let found = outside::found_all(job, left, &stacks).await?;
    let mut drifts = Vec::new();
    for name in names {
        job.log().heading(&format!("drift of stack {name}")).await;
        let drift = one(job, &stacks, name, secrets).await?;
        tell(job, &drift).await;
        drifts.push(drift);
    }
    Ok((drifts, found))
}

/// Whether the job knows all secrets of the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secrets {
    Known,
    /// Some lie in AWS.
    Unread,
}

async fn one(job: &Job, stacks: &Stacks, name: &str, secrets: Secrets) -> Result<StackDrift, Halt> {
    let looked = job.or_stopped(stacks.detect_drift(name, stack::patience(job))).await?;
    let status = match looked {
        Ok(drift) => masked(job.log(), drift.status, secrets).await,
        Err(error) => DriftStatus::NotChecked { reason: error.to_string() },
    };
    Ok(StackDrift { stack: name.to_owned(), status })
}

async fn tell(job: &Job, drift: &StackDrift) {
    let mut rows = Vec::new();
    match &drift.status {
        DriftStatus::InSync => rows.push("it is as its template says".to_owned()),
        DriftStatus::Deleted => rows.push("there is no such stack any more".to_owned()),
        DriftStatus::NotChecked { reason } => rows.push(format!("it was not checked: {reason}")),
        DriftStatus::Drifted { resources } => {
            for DriftedResource { logical_id, resource_type, deed, .. } in resources {
                match deed {
                    ResourceDrift::Deleted => {
                        rows.push(format!("  {logical_id} ({resource_type}) was deleted"));
                    }
                    ResourceDrift::Modified { differences } => {
                        rows.push(format!("  {logical_id} ({resource_type}) was changed"));
                        rows.extend(differences.iter().map(difference));
                    }
                }
            }
        }
    }
    for row in rows {
        job.log().note(&row).await;
    }
}

fn difference(difference: &PropertyDifference) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    let (expected, actual) = (value(&difference.expected), value(&difference.actual));
    format!("    {}: {actual}, by the template {expected}", difference.path)
}

async fn masked(log: &Log, status: DriftStatus, secrets: Secrets) -> DriftStatus {
    let mut status = status;
    if let DriftStatus::Drifted { resources } = &mut status {
        for resource in resources {
            if let ResourceDrift::Modified { differences } = &mut resource.deed {
                for difference in differences {
                    let PropertyDifference { path, expected, actual } = difference;
                    for value in [expected, actual].into_iter().flatten() {
                        *value = hidden(path, value, &log.masked(value).await, secrets);
                    }
                }
            }
        }
    }
    status
}

/// A value as it may be told; `masked` is it without the secrets that the job knows.
fn hidden(path: &str, value: &str, masked: &str, secrets: Secrets) -> String {
    let path = path.to_ascii_lowercase().replace('-', "");
    let telling = TELLING.iter().any(|part| path.contains(part));
    let nested = value.to_ascii_lowercase();
    // A whole map as one value: names of the kind stand inside it.
    let holds = nested.starts_with(['{', '[']) && TELLING.iter().any(|part| nested.contains(part));
    let unread = secrets == Secrets::Unread && GIVEN.iter().any(|place| path.starts_with(place));
    if telling || holds || unread || looks_like_a_credential(value).is_some() {
        return MASK.to_owned();
    }
    masked.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, value: &str) -> String {
        hidden(path, value, value, Secrets::Known)
    }

    #[test]
    fn a_value_under_a_name_that_says_so_is_masked() {
        for path in [
            "/Environment/Variables/DB_PASSWORD",
            "/Environment/Variables/apiKey",
            "/MasterUserSecret",
        ] {
            assert_eq!(told(path, "hunter2"), MASK, "{path}");
        }
        assert_eq!(told("/Environment/Variables", r#"{"TOKEN":"x"}"#), MASK);
    }

    #[test]
    fn a_value_that_looks_like_a_credential_is_masked_under_any_name() {
        let url = ["postgres://shop:", "hunter2@db.example.com/shop"].concat();
        assert_eq!(told("/Environment/Variables/DB", &url), MASK);
    }

    #[test]
    fn any_other_value_is_told_without_the_secrets_the_job_knows() {
        assert_eq!(told("/BillingMode", "PAY_PER_REQUEST"), "PAY_PER_REQUEST");
        assert_eq!(hidden("/Name", "a-very-secret-b", "a-***-b", Secrets::Known), "a-***-b");
    }

    #[test]
    fn where_a_secret_could_stand_that_nobody_here_knows_no_value_is_told() {
        for path in ["/Environment/Variables/ENDPOINT", "/Environment", "/Value"] {
            assert_eq!(hidden(path, "x", "x", Secrets::Unread), MASK, "{path}");
            assert_eq!(hidden(path, "x", "x", Secrets::Known), "x", "{path}");
        }
        assert_eq!(hidden("/MemorySize", "128", "128", Secrets::Unread), "128");
    }
}
