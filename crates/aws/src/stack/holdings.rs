//! What a stack holds that CloudFormation does not clear away by itself: buckets, which it deletes
//! only when they are empty, and the logs that functions and APIs wrote.
//!
//! What always holds: nothing of a resource that the template keeps counts, and nothing of which
//! the template does not say what becomes of it. Nested stacks go with theirs, so what they hold
//! counts too. A stack is asked while it is there: afterwards nobody knows the names any more.

use std::collections::BTreeSet;

use model::template::parse;
use serde_json::Value;

use super::{StackError, StackResource, Stacks};
use crate::template::NESTED_STACK;

const BUCKET: &str = "AWS::S3::Bucket";
const FUNCTION: &str = "AWS::Lambda::Function";
const LOG_GROUP: &str = "AWS::Logs::LogGroup";
const REST_API: &str = "AWS::ApiGateway::RestApi";
const API: &str = "AWS::ApiGatewayV2::Api";

/// The buckets and logs of one stack and those nested in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    pub(super) buckets: Vec<Bucket>,
    pub(super) logs: Vec<Logs>,
    /// Names of log groups that the template keeps.
    kept_logs: BTreeSet<String>,
    /// Resources of the stack itself that the template keeps, by their logical ids.
    kept: BTreeSet<String>,
}

/// A bucket that goes with the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) logical_id: String,
    pub(super) name: String,
    /// Whose it must be.
    pub(super) account: String,
}

/// The logs that a resource wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logs {
    /// What wrote them.
    pub(super) physical_id: String,
    pub(super) groups: Groups,
}

/// Which log groups these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Groups {
    Named(String),
    /// All whose names begin like this.
    Below(String),
}

impl Holdings {
    /// Whether the template keeps this resource of the stack.
    pub(super) fn keeps(&self, logical_id: &str) -> bool {
        self.kept.contains(logical_id)
    }

    /// Whether the template keeps this log group.
    pub(super) fn keeps_logs(&self, group: &str) -> bool {
        self.kept_logs.contains(group)
    }

    /// The names of the buckets that must be empty before the stack can go.
    pub fn buckets(&self) -> impl Iterator<Item = &str> {
        self.buckets.iter().map(|bucket| bucket.name.as_str())
    }

    /// Adds what one stack holds; answers which stacks are nested in it.
    fn add(
        &mut self,
        whose: Whose<'_>,
        template: &Value,
        resources: &[StackResource],
    ) -> Vec<String> {
        let mut nested = Vec::new();
        for resource in resources {
            let fate = Fate::of(template, &resource.logical_id);
            if let (Fate::Kept, Whose::Root { .. }) = (&fate, whose) {
                self.kept.insert(resource.logical_id.clone());
            }
            let Some(id) = &resource.physical_id else { continue };
            match (resource.resource_type.as_str(), fate) {
                (LOG_GROUP, Fate::Kept) => {
                    self.kept_logs.insert(id.clone());
                }
                (BUCKET, Fate::Goes) if !is_over(resource) => self.buckets.push(Bucket {
                    logical_id: resource.logical_id.clone(),
                    name: id.clone(),
                    account: whose.account().to_owned(),
                }),
                (NESTED_STACK, Fate::Goes) => nested.push(id.clone()),
                (_, Fate::Goes) => {
                    let logs = logs(&resource.resource_type, id);
                    self.logs.extend(logs.map(|groups| Logs { physical_id: id.clone(), groups }));
                }
                (_, Fate::Kept | Fate::Unknown) => {}
            }
        }
        nested
    }
}

/// Which stack is being added.
#[derive(Clone, Copy)]
enum Whose<'w> {
    Root { account: &'w str },
    Nested { account: &'w str },
}

impl Whose<'_> {
    fn account(&self) -> &str {
        match self {
            Self::Root { account } | Self::Nested { account } => account,
        }
    }
}

/// What becomes of a resource when its stack goes.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Goes,
    Kept,
    /// The template does not say, or in words that only CloudFormation can resolve.
    Unknown,
}

impl Fate {
    fn of(template: &Value, logical_id: &str) -> Self {
        let Some(resource) = template.get("Resources").and_then(|all| all.get(logical_id)) else {
            return Self::Unknown;
        };
        match resource.get("DeletionPolicy").map(Value::as_str) {
            None | Some(Some("Delete")) => Self::Goes,
            Some(Some("Retain" | "RetainExceptOnCreate" | "Snapshot")) => Self::Kept,
            Some(Some(_) | None) => Self::Unknown,
        }
    }
}

/// Already gone, or left where it is.
fn is_over(resource: &StackResource) -> bool {
    ["DELETE_COMPLETE", "DELETE_SKIPPED"].contains(&resource.status.as_str())
}

/// Where a resource's logs are that are no resource themselves (Lambda developer guide, "log group
/// name"; API Gateway developer guide, "log formats": execution logs of REST and WebSocket APIs).
fn logs(resource_type: &str, physical_id: &str) -> Option<Groups> {
    match resource_type {
        FUNCTION => Some(Groups::Named(format!("/aws/lambda/{physical_id}"))),
        REST_API => Some(Groups::Below(format!("API-Gateway-Execution-Logs_{physical_id}/"))),
        API => Some(Groups::Below(format!("/aws/apigateway/{physical_id}/"))),
        _ => None,
    }
}

/// The account in a stack's ARN.
pub(super) fn account(stack_id: &str) -> &str {
    stack_id.split(':').nth(4).unwrap_or_default()
}

impl Stacks {
    /// What the stack holds, by name or id; nothing when there is no stack. For whoever has the
    /// stack deleted by somebody else: before it, [`Stacks::empty_buckets`], after it
    /// [`Stacks::delete_logs`].
    pub async fn holdings(&self, name_or_id: &str) -> Result<Holdings, StackError> {
        let mut holdings = Holdings::default();
        let Some(stack) = self.look(name_or_id).await? else { return Ok(holdings) };
        let account = account(&stack.id);
        let mut whose = Whose::Root { account };
        let mut open = vec![stack.id.clone()];
        while let Some(id) = open.pop() {
            let resources = self.resources(&id).await?;
            let template = self.processed_template(&id).await?.unwrap_or_default();
            // A template that cannot be read says nothing about what may go.
            let template = parse(&template).unwrap_or_default();
            open.extend(holdings.add(whose, &template, &resources));
            whose = Whose::Nested { account };
        }
        Ok(holdings)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROOT: Whose<'_> = Whose::Root { account: "111111111111" };

    fn resource(logical_id: &str, resource_type: &str, status: &str) -> StackResource {
        StackResource {
            logical_id: logical_id.to_owned(),
            physical_id: Some(format!("{}-1", logical_id.to_lowercase())),
            resource_type: resource_type.to_owned(),
            status: status.to_owned(),
            reason: None,
        }
    }

    fn of(template: &Value, resources: &[StackResource]) -> Holdings {
        let mut holdings = Holdings::default();
        holdings.add(ROOT, template, resources);
        holdings
    }

    #[test]
    fn only_buckets_that_go_with_the_stack_are_to_be_emptied() {
        let bucket = |policy: Value| json!({ "Type": BUCKET, "DeletionPolicy": policy });
        let template = json!({ "Resources": {
            "Plain": { "Type": BUCKET },
            "Deleted": bucket(json!("Delete")),
            "Kept": bucket(json!("Retain")),
            "Later": bucket(json!("RetainExceptOnCreate")),
            "Doubtful": bucket(json!({ "Fn::If": ["A", "Delete", "Retain"] })),
            "Gone": { "Type": BUCKET },
        } });
        let names = ["Plain", "Deleted", "Kept", "Later", "Doubtful", "Unheard"];
        let mut resources = names.map(|name| resource(name, BUCKET, "CREATE_COMPLETE")).to_vec();
        resources.push(resource("Gone", BUCKET, "DELETE_COMPLETE"));
        let holdings = of(&template, &resources);
        assert_eq!(holdings.buckets().collect::<Vec<_>>(), ["plain-1", "deleted-1"]);
        assert_eq!(holdings.buckets[0].account, "111111111111");
        assert!(holdings.keeps("Kept") && holdings.keeps("Later") && !holdings.keeps("Plain"));
    }

    #[test]
    fn the_logs_of_functions_and_apis_are_known_even_when_these_are_gone_already() {
        let template = json!({ "Resources": {
            "Fn": { "Type": FUNCTION }, "Rest": { "Type": REST_API }, "Http": { "Type": API },
            "Stays": { "Type": FUNCTION, "DeletionPolicy": "Retain" },
            "Audit": { "Type": LOG_GROUP, "DeletionPolicy": "Retain" },
        } });
        let resources = [
            resource("Fn", FUNCTION, "DELETE_COMPLETE"),
            resource("Rest", REST_API, "CREATE_COMPLETE"),
            resource("Http", API, "CREATE_COMPLETE"),
            resource("Stays", FUNCTION, "CREATE_COMPLETE"),
            resource("Audit", LOG_GROUP, "CREATE_COMPLETE"),
        ];
        let holdings = of(&template, &resources);
        let groups: Vec<_> = holdings.logs.iter().map(|logs| &logs.groups).collect();
        let expected = [
            Groups::Named("/aws/lambda/fn-1".to_owned()),
            Groups::Below("API-Gateway-Execution-Logs_rest-1/".to_owned()),
            Groups::Below("/aws/apigateway/http-1/".to_owned()),
        ];
        assert_eq!(groups, expected.iter().collect::<Vec<_>>());
        assert!(holdings.keeps_logs("audit-1"));
    }

    #[test]
    fn nested_stacks_are_gone_through_unless_they_stay() {
        let template = json!({ "Resources": {
            "A": { "Type": NESTED_STACK },
            "B": { "Type": NESTED_STACK, "DeletionPolicy": "Retain" },
        } });
        let resources = ["A", "B"].map(|name| resource(name, NESTED_STACK, "CREATE_COMPLETE"));
        let mut holdings = Holdings::default();
        assert_eq!(holdings.add(ROOT, &template, &resources), ["a-1"]);
        assert_eq!(
            account("arn:aws:cloudformation:us-east-1:123456789012:stack/a/b"),
            "123456789012"
        );
    }
}
