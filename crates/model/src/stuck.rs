//! A stack whose rollback failed, as the worker says it: at which resources it is stuck. Pure.

/// A resource that CloudFormation could not bring back, and may be told to leave as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckResource {
    /// The resource's name in the template.
    pub logical_id: String,
    /// As in `AWS::DynamoDB::Table`.
    pub resource_type: String,
    pub reason: String,
}

/// The word of CloudFormation's for such a stack.
const STATUS: &str = "UPDATE_ROLLBACK_FAILED";

/// The resources that a failure names, if it is one of a rollback that failed: a line each, as in
/// `- Notes (AWS::DynamoDB::Table): the table is gone`.
pub fn stuck_at(message: &str) -> Vec<StuckResource> {
    if !message.contains(STATUS) {
        return Vec::new();
    }
    message.lines().filter_map(resource).collect()
}

fn resource(line: &str) -> Option<StuckResource> {
    let (logical_id, rest) = line.strip_prefix("- ")?.split_once(" (")?;
    let (resource_type, reason) = rest.split_once("): ")?;
    is_logical_id(logical_id).then(|| StuckResource {
        logical_id: logical_id.to_owned(),
        resource_type: resource_type.to_owned(),
        reason: reason.to_owned(),
    })
}

/// Whether this can be the name of a resource to skip: letters and digits, of one in a nested stack
/// behind the stack's (CloudFormation API reference, `ContinueUpdateRollback`).
pub fn is_logical_id(text: &str) -> bool {
    let (stack, resource) = match text.split_once('.') {
        Some((stack, resource)) => (Some(stack), resource),
        None => (None, text),
    };
    let alphanumeric =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let stack_name = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= 255 && stack.is_none_or(stack_name) && alphanumeric(resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resources_of_a_rollback_that_failed_are_read_from_its_message() {
        let message = "stack shop-dev is UPDATE_ROLLBACK_FAILED, and continuing its rollback \
                       failed again at:\n- Notes (AWS::DynamoDB::Table): it is gone\n- Old \
                       (Custom::Odd): said (so): no\nMend what they complain about";
        let found = stuck_at(message);
        let shown: Vec<_> = found.iter().map(|one| (&*one.logical_id, &*one.reason)).collect();
        assert_eq!(shown, [("Notes", "it is gone"), ("Old", "said (so): no")]);
        assert!(stuck_at("npm test ended with status 1\n- Notes (X): y").is_empty());
    }

    #[test]
    fn a_resource_to_skip_has_a_logical_id() {
        for right in ["Notes", "Table2", "shop-dev-nested-1A.Notes"] {
            assert!(is_logical_id(right), "{right}");
        }
        for wrong in ["", "my table", "a-b", ".Notes", "x.", "a.b.c", &"x".repeat(256)] {
            assert!(!is_logical_id(wrong), "{wrong}");
        }
    }
}
