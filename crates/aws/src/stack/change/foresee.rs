//! What a deploy would change, without changing anything: for the page, before anybody deploys.
//!
//! A stack that does not exist is not made for the sake of the answer: all of its resources are
//! added. Where CloudFormation cannot be asked, the deployed template and the new one are
//! compared, and the answer says so.

use model::change_set::{StackChange, StackChangeKind};

use super::{ChangeError, Proposed, Wanted};
use crate::stack::upload::Reader;
use crate::stack::{Patience, Rollback, StackPhase, StackStatus, Stacks, WayOut};
use crate::template::{self, Template};

impl Stacks {
    /// The change that a deploy of `wanted` would make. Needs no more rights than the session of
    /// a package has.
    pub async fn foresee(
        &self,
        wanted: &Wanted,
        patience: Patience,
    ) -> Result<StackChange, ChangeError> {
        let stack = self.look(&wanted.stack).await?;
        let Some(stack) = stack else { return Ok(new(wanted)) };
        match Way::of(&stack.status) {
            Way::Anew => Ok(new(wanted)),
            Way::Compare => {
                let why = format!("the stack is {}", stack.status);
                self.compared(wanted, &why).await
            }
            Way::Ask => {
                let proposed = self.propose_for(wanted, Some(&stack), Reader::Look, patience).await;
                match proposed {
                    Ok(Proposed::NoChanges) => Ok(unchanged(wanted)),
                    Ok(Proposed::Change(proposal)) => {
                        let change = proposal.change.clone();
                        // It is known by now; what is left behind changes nothing.
                        if let Err(left) = proposal.discard(patience).await {
                            tracing::warn!(%left, "a change set could not be deleted");
                        }
                        Ok(change)
                    }
                    Err(error) => self.not_asked(wanted, error).await,
                }
            }
        }
    }

    /// A change that began between the look and the question is no fault of the template.
    async fn not_asked(
        &self,
        wanted: &Wanted,
        error: ChangeError,
    ) -> Result<StackChange, ChangeError> {
        if let Some(why) = error.cannot_ask() {
            return self.compared(wanted, &why).await;
        }
        match self.look(&wanted.stack).await? {
            Some(stack) if Way::of(&stack.status) == Way::Compare => {
                self.compared(wanted, &format!("the stack is {}", stack.status)).await
            }
            Some(_) | None => Err(error),
        }
    }

    async fn compared(&self, wanted: &Wanted, why: &str) -> Result<StackChange, ChangeError> {
        let live = self.template(&wanted.stack).await?;
        Ok(compared(wanted, live.as_deref(), why))
    }
}

/// How the change is found out.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// The deploy begins with no stack: there is none, or it deletes what never came to be.
    Anew,
    Ask,
    /// The stack takes no change set just now, but may when the deploy comes.
    Compare,
}

impl Way {
    fn of(status: &StackStatus) -> Self {
        match status.phase() {
            StackPhase::Gone | StackPhase::RolledBack(Rollback::OfCreation) => Self::Anew,
            StackPhase::Settled | StackPhase::RolledBack(Rollback::OfUpdate) => Self::Ask,
            StackPhase::InProgress => Self::Compare,
            StackPhase::Stuck(stuck) => match stuck.way_out() {
                WayOut::Delete => Self::Anew,
                WayOut::Update => Self::Ask,
                WayOut::ContinueRollback | WayOut::Person => Self::Compare,
            },
        }
    }
}

fn new(wanted: &Wanted) -> StackChange {
    StackChange {
        stack: wanted.stack.clone(),
        kind: StackChangeKind::New,
        changes: template::added(wanted.template.tree()),
        note: template::macros(wanted.template.tree()),
    }
}

fn unchanged(wanted: &Wanted) -> StackChange {
    StackChange {
        stack: wanted.stack.clone(),
        kind: StackChangeKind::Update,
        changes: Vec::new(),
        note: None,
    }
}

fn compared(wanted: &Wanted, live: Option<&str>, why: &str) -> StackChange {
    let (changes, doubt) = match live.map(Template::parse) {
        Some(Ok(live)) => (
            template::compare(live.tree(), wanted.template.tree()),
            "this is the difference between the deployed template and the new one; values that \
             come from elsewhere are not compared, and whether a resource is replaced is not known"
                .to_owned(),
        ),
        Some(Err(error)) => {
            (Vec::new(), format!("the deployed template cannot be read either: {error}"))
        }
        None => return new(wanted),
    };
    let note = format!("CloudFormation was not asked ({why}): {doubt}");
    StackChange {
        stack: wanted.stack.clone(),
        kind: StackChangeKind::Update,
        changes,
        note: Some(note),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use model::change_set::Effect;

    use super::*;

    fn wanted(template: &str) -> Wanted {
        Wanted {
            stack: "shop-dev".to_owned(),
            template: Template::parse(template).unwrap(),
            parameters: BTreeMap::from([("Key".to_owned(), "very-secret".to_owned())]),
            tags: BTreeMap::new(),
            capabilities: BTreeSet::new(),
            role_arn: None,
            bucket: None,
            token: "job".to_owned(),
        }
    }

    #[test]
    fn a_stack_that_never_came_to_be_is_begun_anew() {
        let way = |status| Way::of(&StackStatus::parse(status));
        for status in ["ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", "CREATE_FAILED"] {
            assert_eq!(way(status), Way::Anew, "{status}");
        }
        for status in ["UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED"] {
            assert_eq!(way(status), Way::Ask, "{status}");
        }
        for status in ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"] {
            assert_eq!(way(status), Way::Compare, "{status}");
        }
    }

    #[test]
    fn a_comparison_says_what_it_does_not_know_and_why() {
        let wanted =
            wanted("Resources: { B: { Type: AWS::S3::Bucket, Properties: { BucketName: b } } }");
        let live = r#"{"Resources":{"B":{"Type":"AWS::S3::Bucket"}}}"#;
        let change = compared(&wanted, Some(live), "no right");
        assert_eq!(change.changes[0].effect, Effect::MayBeReplaced);
        assert_eq!(change.changes[0].because, ["BucketName"]);
        let note = change.note.unwrap();
        assert!(note.contains("no right") && note.contains("not known"), "{note}");

        let unreadable = compared(&wanted, Some("- no"), "no right");
        assert!(unreadable.changes.is_empty());
        assert!(unreadable.note.unwrap().contains("cannot be read"));
    }

    #[test]
    fn a_value_of_a_parameter_never_prints() {
        let printed = format!("{:?}", wanted("Resources: {}"));
        assert!(printed.contains("Key") && !printed.contains("very-secret"), "{printed}");
    }
}
