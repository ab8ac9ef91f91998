//! Single looks at a stack, and the order to delete it.

use aws_sdk_cloudformation::types;

use super::{Stack, StackError, StackResource, StackStatus, Stacks, utc};
use crate::failure::Failure;

impl Stacks {
    /// The stack by name or id; `None` when there is none. By name a deleted stack is none, by
    /// id it is `DELETE_COMPLETE` for 90 days.
    pub async fn look(&self, name_or_id: &str) -> Result<Option<Stack>, StackError> {
        let answer = self.cloudformation.describe_stacks().stack_name(name_or_id).send().await;
        match answer {
            Ok(answer) => Ok(answer.stacks().first().map(stack)),
            Err(error) => missing_is(None, Failure::of(&error), "DescribeStacks", name_or_id),
        }
    }

    /// The stack's resources, in CloudFormation's order; empty when there is no stack.
    pub async fn resources(&self, name_or_id: &str) -> Result<Vec<StackResource>, StackError> {
        let mut pages = self
            .cloudformation
            .list_stack_resources()
            .stack_name(name_or_id)
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => found.extend(page.stack_resource_summaries().iter().map(resource)),
                Err(error) => {
                    let failure = Failure::of(&error);
                    return missing_is(found, failure, "ListStackResources", name_or_id);
                }
            }
        }
        Ok(found)
    }

    /// Orders the deletion. The same token twice is one order; a missing stack is no error.
    pub async fn delete(&self, name_or_id: &str, client_token: &str) -> Result<(), StackError> {
        let answer = self
            .cloudformation
            .delete_stack()
            .stack_name(name_or_id)
            .client_request_token(client_token)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) => ordered(Failure::of(&error), name_or_id),
        }
    }

    /// Names of the stacks that import this export.
    pub(super) async fn importers(
        &self,
        export: &str,
        stack_name: &str,
    ) -> Result<Vec<String>, StackError> {
        let mut pages =
            self.cloudformation.list_imports().export_name(export).into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            match page.map_err(|error| Failure::of(&error)) {
                Ok(page) => names.extend_from_slice(page.imports()),
                Err(failure) if says(&failure, "is not imported") => return Ok(names),
                Err(failure) if says(&failure, "does not exist") => return Ok(names),
                Err(failure) => return Err(StackError::of(failure, "ListImports", stack_name)),
            }
        }
        Ok(names)
    }
}

/// `value` when the failure only says that there is no such stack.
pub(super) fn missing_is<T>(
    value: T,
    failure: Failure,
    operation: &'static str,
    stack: &str,
) -> Result<T, StackError> {
    if says(&failure, "does not exist") {
        return Ok(value);
    }
    Err(StackError::of(failure, operation, stack))
}

/// A deletion that was not taken: it is given when there is nothing to delete, and when it has been
/// given before under the same token, by an attempt that was lost (CloudFormation API reference,
/// `DeleteStack`: errors).
pub(super) fn ordered(failure: Failure, stack: &str) -> Result<(), StackError> {
    match &failure {
        Failure::Invalid { code, .. } if code.starts_with("TokenAlreadyExists") => Ok(()),
        Failure::Invalid { .. }
        | Failure::NoCredentials(_)
        | Failure::BadCredentials(_)
        | Failure::Denied(_)
        | Failure::Unavailable(_) => missing_is((), failure, "DeleteStack", stack),
    }
}

fn says(failure: &Failure, words: &str) -> bool {
    match failure {
        Failure::Invalid { message, .. } => message.contains(words),
        Failure::NoCredentials(_)
        | Failure::BadCredentials(_)
        | Failure::Denied(_)
        | Failure::Unavailable(_) => false,
    }
}

pub(super) fn stack(sdk: &types::Stack) -> Stack {
    let outputs = sdk.outputs();
    Stack {
        name: sdk.stack_name().unwrap_or_default().to_owned(),
        id: sdk.stack_id().unwrap_or_default().to_owned(),
        status: StackStatus::parse(sdk.stack_status().map_or("", types::StackStatus::as_str)),
        status_reason: sdk.stack_status_reason().map(str::to_owned),
        outputs: outputs
            .iter()
            .filter_map(|output| {
                Some((output.output_key()?.to_owned(), output.output_value()?.to_owned()))
            })
            .collect(),
        exports: outputs
            .iter()
            .filter_map(|output| output.export_name())
            .map(str::to_owned)
            .collect(),
        tags: sdk
            .tags()
            .iter()
            .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
            .collect(),
        created_at: sdk.creation_time().and_then(utc),
        updated_at: sdk.last_updated_time().and_then(utc),
        termination_protection: sdk.enable_termination_protection().unwrap_or(false),
    }
}

fn resource(sdk: &types::StackResourceSummary) -> StackResource {
    StackResource {
        logical_id: sdk.logical_resource_id().unwrap_or_default().to_owned(),
        physical_id: sdk.physical_resource_id().map(str::to_owned),
        resource_type: sdk.resource_type().unwrap_or_default().to_owned(),
        status: sdk.resource_status().map_or("", types::ResourceStatus::as_str).to_owned(),
        reason: sdk.resource_status_reason().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_order_again_is_no_error_and_any_other_refusal_is() {
        let refused = |code: &str, message: &str| {
            let (code, message) = (code.to_owned(), message.to_owned());
            ordered(Failure::Invalid { code, message }, "shop-dev")
        };
        assert!(refused("TokenAlreadyExistsException", "a client request token exists").is_ok());
        assert!(refused("ValidationError", "Stack shop-dev does not exist").is_ok());
        assert!(refused("ValidationError", "Export x is imported by y").is_err());
        assert!(ordered(Failure::Denied("no".to_owned()), "shop-dev").is_err());
    }

    #[test]
    fn only_a_missing_stack_counts_as_missing() {
        let invalid = |message: &str| Failure::Invalid {
            code: "ValidationError".to_owned(),
            message: message.to_owned(),
        };
        let missing = invalid("Stack with id shop-dev does not exist");
        assert_eq!(missing_is(7, missing, "DescribeStacks", "shop-dev").ok(), Some(7));
        assert!(missing_is(7, invalid("bad name"), "DescribeStacks", "shop-dev").is_err());
        let down = Failure::Unavailable("does not exist".to_owned());
        assert!(missing_is(7, down, "DescribeStacks", "shop-dev").is_err());
    }
}
