//! Drift: CloudFormation compares the resources of a stack with its template.
//!
//! What always holds: a stack that could not be looked at as a whole is called in sync by nobody.
//! Nested stacks, which CloudFormation compares each by itself, count to theirs. Nothing is changed
//! and nothing kept; a detection that a lost worker began is simply followed by another.
//!
//! Besides `cloudformation:DetectStackDrift` the session needs the right to read each resource
//! (CloudFormation user guide, "Detect drift": considerations).

use aws_sdk_cloudformation::types::{
    self, DifferenceType, StackDriftDetectionStatus, StackResourceDriftStatus,
};
use model::drift::{DriftStatus, DriftedResource, PropertyDifference, ResourceDrift, StackDrift};
use tokio::time::Instant;

use super::{Patience, StackError, StackPhase, Stacks};
use crate::failure::Failure;
use crate::template::NESTED_STACK;

/// What one detection of one stack came to.
enum Detected {
    Whole,
    /// Not all could be compared; why.
    Partly(String),
    /// Nothing could.
    NotAtAll(String),
}

impl Stacks {
    /// Compares the stack, by name. The values of properties are as AWS has them: whoever shows
    /// them masks what is secret.
    pub async fn detect_drift(
        &self,
        name: &str,
        patience: Patience,
    ) -> Result<StackDrift, StackError> {
        let of = |status| StackDrift { stack: name.to_owned(), status };
        let found = self.look(name).await?;
        let Some(stack) = found.filter(|stack| stack.status.phase() != StackPhase::Gone) else {
            return Ok(of(DriftStatus::Deleted));
        };
        let mut drifted = Vec::new();
        let mut doubts = Vec::new();
        let mut open = vec![(stack.id, String::new())];
        while let Some((id, prefix)) = open.pop() {
            match self.detect(&id, patience).await? {
                Detected::Whole => {}
                Detected::Partly(why) => doubts.push(why),
                Detected::NotAtAll(why) => {
                    doubts.push(why);
                    continue;
                }
            }
            for mut resource in self.drifted(&id).await? {
                resource.logical_id.insert_str(0, &prefix);
                drifted.push(resource);
            }
            let resources = self.resources(&id).await?;
            let nested = resources.into_iter().filter(|one| one.resource_type == NESTED_STACK);
            open.extend(nested.filter_map(|one| {
                Some((one.physical_id?, format!("{prefix}{}.", one.logical_id)))
            }));
        }
        Ok(of(match (drifted.is_empty(), doubts.is_empty()) {
            (false, _) => DriftStatus::Drifted { resources: drifted },
            (true, true) => DriftStatus::InSync,
            (true, false) => DriftStatus::NotChecked { reason: doubts.join("; ") },
        }))
    }

    /// Has one stack compared and waits for the end of it.
    async fn detect(&self, id: &str, patience: Patience) -> Result<Detected, StackError> {
        let started = Instant::now();
        let late = || started.elapsed() >= patience.deadline;
        let minutes = patience.deadline.as_secs() / 60;
        let detection = loop {
            let answer = self.cloudformation.detect_stack_drift().stack_name(id).send().await;
            let failure = match answer {
                Ok(answer) => break answer.stack_drift_detection_id.unwrap_or_default(),
                Err(error) => Failure::of(&error),
            };
            match failure {
                // Somebody else's, which says nothing about what changed since it began.
                Failure::Invalid { message, .. } if is_going_on(&message) && !late() => {
                    tokio::time::sleep(patience.poll).await;
                }
                Failure::Invalid { message, .. } => return Ok(Detected::NotAtAll(message)),
                Failure::Denied(_) => {
                    let error = StackError::of(failure, "DetectStackDrift", id);
                    return Ok(Detected::NotAtAll(error.to_string()));
                }
                Failure::NoCredentials(_)
                | Failure::BadCredentials(_)
                | Failure::Unavailable(_) => {
                    return Err(StackError::of(failure, "DetectStackDrift", id));
                }
            }
        };
        loop {
            let answer = self
                .cloudformation
                .describe_stack_drift_detection_status()
                .stack_drift_detection_id(&detection)
                .send()
                .await
                .map_err(|error| {
                    StackError::of(Failure::of(&error), "DescribeStackDriftDetectionStatus", id)
                })?;
            let why = || {
                let told = answer.detection_status_reason();
                told.unwrap_or("CloudFormation gives no reason").to_owned()
            };
            match answer.detection_status() {
                Some(StackDriftDetectionStatus::DetectionComplete) => return Ok(Detected::Whole),
                Some(StackDriftDetectionStatus::DetectionFailed) => {
                    return Ok(Detected::Partly(why()));
                }
                Some(_) | None if late() => {
                    return Ok(Detected::NotAtAll(format!(
                        "the comparison was still going on after {minutes} minutes"
                    )));
                }
                Some(_) | None => tokio::time::sleep(patience.poll).await,
            }
        }
    }

    /// What the last detection of the stack found.
    async fn drifted(&self, id: &str) -> Result<Vec<DriftedResource>, StackError> {
        let mut pages = self
            .cloudformation
            .describe_stack_resource_drifts()
            .stack_name(id)
            .stack_resource_drift_status_filters(StackResourceDriftStatus::Modified)
            .stack_resource_drift_status_filters(StackResourceDriftStatus::Deleted)
            .into_paginator()
            .send();
        let mut drifted = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                StackError::of(Failure::of(&error), "DescribeStackResourceDrifts", id)
            })?;
            drifted.extend(page.stack_resource_drifts().iter().filter_map(resource));
        }
        Ok(drifted)
    }
}

/// CloudFormation takes one detection of a stack at a time.
fn is_going_on(message: &str) -> bool {
    message.to_lowercase().contains("already in progress")
}

fn resource(sdk: &types::StackResourceDrift) -> Option<DriftedResource> {
    let deed = match sdk.stack_resource_drift_status()? {
        StackResourceDriftStatus::Modified => ResourceDrift::Modified {
            differences: sdk.property_differences().iter().map(difference).collect(),
        },
        StackResourceDriftStatus::Deleted => ResourceDrift::Deleted,
        _ => return None,
    };
    Some(DriftedResource {
        logical_id: sdk.logical_resource_id().unwrap_or_default().to_owned(),
        physical_id: sdk.physical_resource_id().map(str::to_owned),
        resource_type: sdk.resource_type().unwrap_or_default().to_owned(),
        deed,
    })
}

/// What was added has no expected value and what was removed no actual one, whatever stands there.
fn difference(sdk: &types::PropertyDifference) -> PropertyDifference {
    let text = |value: Option<&str>| value.map(str::to_owned);
    let (expected, actual) = (text(sdk.expected_value()), text(sdk.actual_value()));
    let (expected, actual) = match sdk.difference_type() {
        Some(DifferenceType::Add) => (None, actual),
        Some(DifferenceType::Remove) => (expected, None),
        Some(_) | None => (expected, actual),
    };
    PropertyDifference {
        path: sdk.property_path().unwrap_or_default().to_owned(),
        expected,
        actual,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_or_removed_by_hand_has_one_value() {
        let of = |kind| {
            let sdk = types::PropertyDifference::builder()
                .property_path("/Tags/0")
                .expected_value("null")
                .actual_value("x")
                .difference_type(kind);
            let difference = difference(&sdk.build());
            (difference.expected, difference.actual)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of(DifferenceType::Add), (None, some("x")));
        assert_eq!(of(DifferenceType::Remove), (some("null"), None));
        assert_eq!(of(DifferenceType::NotEqual), (some("null"), some("x")));
    }

    #[test]
    fn a_detection_of_somebody_elses_is_waited_out_and_any_other_refusal_is_not() {
        let stack = "arn:aws:cloudformation:eu-west-1:111111111111:stack/shop-dev/1";
        assert!(is_going_on(&format!("Drift detection is already in progress for stack {stack}")));
        assert!(!is_going_on(&format!("Drift detection cannot be performed on stack {stack}")));
    }

    #[test]
    fn only_what_was_changed_or_deleted_has_drifted() {
        let of = |status| {
            let sdk = types::StackResourceDrift::builder().logical_resource_id("Queue");
            resource(&sdk.stack_resource_drift_status(status).build()).map(|drift| drift.deed)
        };
        assert_eq!(of(StackResourceDriftStatus::Deleted), Some(ResourceDrift::Deleted));
        let none = ResourceDrift::Modified { differences: Vec::new() };
        assert_eq!(of(StackResourceDriftStatus::Modified), Some(none));
        assert_eq!(of(StackResourceDriftStatus::InSync), None);
        assert_eq!(of(StackResourceDriftStatus::Unsupported), None);
    }
}
