//! What a command on somebody's machine has left of a service, from what the account shows. Pure.
//!
//! What always holds: what may be there is never called gone. Only for the frameworks whose stacks
//! are known by tags or names does their absence say that nothing is deployed; of any other, a
//! command that ended well counts as a deploy, and one that did not as something to look at.

use std::collections::BTreeMap;

use crate::StageName;
use crate::pipeline::{Framework, Service};

/// A stack of the service, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub name: String,
    /// CloudFormation's own word.
    pub status: String,
    pub outputs: BTreeMap<String, String>,
}

/// How the service stands in its stage and region now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    Deployed {
        stacks: Vec<String>,
        of_stacks: BTreeMap<String, String>,
    },
    /// Something is there, or may be.
    Failed {
        stacks: Vec<String>,
        reason: String,
    },
    Nothing,
}

/// The names that the service's stack has if its stack says nothing of whose it is.
pub fn may_be_named(service: &Service, stage: &StageName) -> Vec<String> {
    let plain = |pattern: &str| {
        pattern.replace("${service}", service.name.as_str()).replace("${stage}", stage.as_str())
    };
    match service.framework {
        Framework::Serverless => {
            // the framework's rule, where `provider.stackName` says nothing else
            service.published_as.iter().map(|name| format!("{name}-{stage}")).collect()
        }
        Framework::Cloudformation => {
            vec![plain(service.stack.as_deref().unwrap_or("${service}-${stage}"))]
        }
        Framework::Sam | Framework::Cdk | Framework::Custom => Vec::new(),
    }
}

/// `found`: the stacks that are there; `Err`: why nobody could look.
pub fn left(framework: Framework, found: Result<Vec<Found>, String>, exit_code: u8) -> Left {
    let found = match found {
        Ok(found) => found,
        Err(why) => {
            let reason = format!(
                "what the command left could not be looked at, so something may be there: {why}"
            );
            return Left::Failed { stacks: Vec::new(), reason };
        }
    };
    let stacks: Vec<String> = found.iter().map(|stack| stack.name.clone()).collect();
    if let Some(bad) = found.iter().find(|stack| !is_whole(&stack.status)) {
        let reason = format!("stack {} is {}", bad.name, bad.status);
        return Left::Failed { stacks, reason };
    }
    if !found.is_empty() {
        let of_stacks = found.into_iter().flat_map(|stack| stack.outputs).collect();
        return Left::Deployed { stacks, of_stacks };
    }
    match (framework, exit_code) {
        (Framework::Serverless | Framework::Cloudformation, _) => Left::Nothing,
        (Framework::Sam | Framework::Cdk | Framework::Custom, 0) => {
            Left::Deployed { stacks, of_stacks: BTreeMap::new() }
        }
        (Framework::Sam | Framework::Cdk | Framework::Custom, code) => Left::Failed {
            stacks,
            reason: format!("the command ended with {code}, and what it left is not known"),
        },
    }
}

/// `UPDATE_ROLLBACK_COMPLETE` too: the stack is as it was before.
fn is_whole(status: &str) -> bool {
    matches!(
        status,
        "CREATE_COMPLETE"
            | "UPDATE_COMPLETE"
            | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
            | "UPDATE_ROLLBACK_COMPLETE"
            | "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
            | "IMPORT_COMPLETE"
            | "IMPORT_ROLLBACK_COMPLETE"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(status: &str) -> Found {
        let outputs = [("Url".to_owned(), "https://x".to_owned())].into();
        Found { name: "api-ann".into(), status: status.into(), outputs }
    }

    #[test]
    fn a_stack_that_stands_whole_is_deployed_whatever_the_command_said() {
        for code in [0, 1] {
            let left = left(Framework::Serverless, Ok(vec![stack("UPDATE_COMPLETE")]), code);
            let Left::Deployed { stacks, of_stacks } = left else { panic!("{left:?}") };
            assert_eq!((stacks, of_stacks["Url"].as_str()), (vec!["api-ann".into()], "https://x"));
        }
    }

    #[test]
    fn a_stack_that_is_not_whole_is_told_with_its_name() {
        let left = left(Framework::Serverless, Ok(vec![stack("ROLLBACK_COMPLETE")]), 0);
        let Left::Failed { stacks, reason } = left else { panic!("{left:?}") };
        assert_eq!((stacks.len(), reason.as_str()), (1, "stack api-ann is ROLLBACK_COMPLETE"));
    }

    #[test]
    fn nothing_is_only_said_where_stacks_are_known() {
        assert_eq!(left(Framework::Serverless, Ok(Vec::new()), 0), Left::Nothing);
        assert!(matches!(left(Framework::Custom, Ok(Vec::new()), 0), Left::Deployed { .. }));
        assert!(matches!(left(Framework::Cdk, Ok(Vec::new()), 2), Left::Failed { .. }));
        let unseen = left(Framework::Serverless, Err("denied".into()), 0);
        assert!(matches!(unseen, Left::Failed { reason, .. } if reason.contains("denied")));
    }

    #[test]
    fn a_stack_without_tags_is_looked_for_by_the_names_that_the_frameworks_give() {
        let stage = "ann".parse().unwrap();
        let mut service = Service::new("api".parse().unwrap(), ".", Framework::Serverless);
        assert!(may_be_named(&service, &stage).is_empty());
        service.published_as = Some("shop-api".into());
        assert_eq!(may_be_named(&service, &stage), ["shop-api-ann"]);
        service.framework = Framework::Cloudformation;
        service.stack = Some("acme-${stage}-${service}".into());
        assert_eq!(may_be_named(&service, &stage), ["acme-ann-api"]);
    }
}
