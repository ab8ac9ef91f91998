//! Making one change set and reading all of it.
//!
//! What always holds: a change set under our name that was not made by this very call is deleted,
//! never read: its template may be another's. What fails to be made is cleared away, with the
//! empty stack that it made.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types;
use model::change_set::{ResourceChange, StackChangeKind};
use tokio::time::Instant;

use super::read;
use super::{ChangeError, Wanted};
use crate::failure::Failure;
use crate::stack::upload::{Body, Reader};
use crate::stack::{Patience, StackError, StackPhase, Stacks, Stuck, Upload};

/// The longest name of a change set (CloudFormation API reference, `CreateChangeSet`).
const NAME_MAX: usize = 128;
/// How often a name that is taken is cleared: by a request whose answer was lost, or by somebody.
const CLEARINGS: usize = 3;

/// One question to CloudFormation.
pub(super) struct Question<'w> {
    pub(super) wanted: &'w Wanted,
    pub(super) kind: StackChangeKind,
    /// The tags the stack is to have; `None` leaves them alone.
    pub(super) tags: Option<BTreeMap<String, String>>,
    pub(super) upload: Option<&'w Upload>,
    pub(super) reader: Reader,
}

pub(super) enum Asked {
    NoChanges,
    Made(Made),
}

pub(super) struct Made {
    pub(super) id: String,
    pub(super) stack_id: String,
    pub(super) changes: Vec<ResourceChange>,
}

/// A change set by its ids.
struct Ids {
    change_set: String,
    stack: String,
}

impl Stacks {
    pub(super) async fn ask(
        &self,
        question: &Question<'_>,
        patience: Patience,
    ) -> Result<Asked, ChangeError> {
        let template = &question.wanted.template;
        let body = self.body(template, question.upload, question.reader).await?;
        let asked = self.ask_with(question, &body, patience).await;
        body.clear_away().await;
        asked
    }

    async fn ask_with(
        &self,
        question: &Question<'_>,
        body: &Body,
        patience: Patience,
    ) -> Result<Asked, ChangeError> {
        let stack = &question.wanted.stack;
        let ids = self.create(question, body, patience).await?;
        let read = self.read(&ids, stack, patience).await;
        match read {
            Ok(Some(changes)) => {
                let Ids { change_set: id, stack: stack_id } = ids;
                Ok(Asked::Made(Made { id, stack_id, changes }))
            }
            Ok(None) => {
                self.discard_change_set(&ids.change_set, &ids.stack, patience).await?;
                Ok(Asked::NoChanges)
            }
            Err(error) => {
                let cleared = self.discard_change_set(&ids.change_set, &ids.stack, patience).await;
                if let Err(left) = cleared {
                    tracing::warn!(%left, stack, "a failed change set could not be deleted");
                }
                Err(error)
            }
        }
    }

    async fn create(
        &self,
        question: &Question<'_>,
        body: &Body,
        patience: Patience,
    ) -> Result<Ids, ChangeError> {
        let Question { wanted, kind, tags, upload: _, reader } = question;
        let name = change_set_name(&wanted.token);
        if *kind == StackChangeKind::Update {
            self.delete_change_set(&name, &wanted.stack, patience).await?;
        }
        let mut clearings = 0;
        loop {
            let answer = self
                .cloudformation
                .create_change_set()
                .stack_name(&wanted.stack)
                .change_set_name(&name)
                .change_set_type(match kind {
                    StackChangeKind::New => types::ChangeSetType::Create,
                    StackChangeKind::Update => types::ChangeSetType::Update,
                })
                .set_template_body(body.inline())
                .set_template_url(body.url())
                .set_parameters(parameters(&wanted.parameters))
                .set_tags(tags.as_ref().map(sdk_tags))
                .set_capabilities(Some(
                    wanted.capabilities.iter().map(|capability| capability.sdk()).collect(),
                ))
                .set_role_arn(match reader {
                    Reader::Look => None,
                    Reader::Deploy => wanted.role_arn.clone(),
                })
                .send()
                .await;
            let failure = match answer {
                Ok(answer) => {
                    return Ok(Ids {
                        change_set: answer.id().unwrap_or_default().to_owned(),
                        stack: answer.stack_id().unwrap_or_default().to_owned(),
                    });
                }
                Err(error) => Failure::of(&error),
            };
            if clearings == CLEARINGS || !is(&failure, "AlreadyExistsException") {
                let error = StackError::of(failure, "CreateChangeSet", &wanted.stack);
                return Err(body.told(ChangeError::of(error)));
            }
            clearings += 1;
            self.delete_change_set(&name, &wanted.stack, patience).await?;
        }
    }

    /// Waits until the change set is worked out, then reads every page; `None` when it changes
    /// nothing.
    async fn read(
        &self,
        ids: &Ids,
        stack: &str,
        patience: Patience,
    ) -> Result<Option<Vec<ResourceChange>>, ChangeError> {
        let started = Instant::now();
        loop {
            let mut pages = self
                .cloudformation
                .describe_change_set()
                .change_set_name(&ids.change_set)
                // The right to a change set is one to its stack.
                .stack_name(&ids.stack)
                .into_paginator()
                .send();
            let mut changes = Vec::new();
            let mut state = State::Working;
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| {
                    let failure = Failure::of(&error);
                    ChangeError::of(StackError::of(failure, "DescribeChangeSet", stack))
                })?;
                state = State::of(&page);
                match &state {
                    State::Ready => changes.extend(page.changes().iter().filter_map(read::change)),
                    State::Working | State::Unchanged | State::Failed(_) => break,
                }
            }
            match state {
                State::Ready => return Ok(Some(changes)),
                State::Unchanged => return Ok(None),
                State::Failed(reason) => {
                    return Err(ChangeError::Rejected { stack: stack.to_owned(), reason });
                }
                State::Working if started.elapsed() >= patience.deadline => {
                    let (stack, waited) = (stack.to_owned(), patience.deadline);
                    return Err(ChangeError::Slow { stack, waited });
                }
                State::Working => tokio::time::sleep(patience.poll).await,
            }
        }
    }

    /// Deletes the change set, and the stack if that is only there because of it.
    pub(super) async fn discard_change_set(
        &self,
        id: &str,
        stack_id: &str,
        patience: Patience,
    ) -> Result<(), ChangeError> {
        self.delete_change_set(id, stack_id, patience).await?;
        let Some(stack) = self.look(stack_id).await? else { return Ok(()) };
        let empty = stack.status.phase() == StackPhase::Stuck(Stuck::Empty);
        if empty && !self.has_change_sets(stack_id).await? {
            self.delete(stack_id, &format!("discard-{}", last_part(id))).await?;
        }
        Ok(())
    }

    /// One that is not there is no error; one that is being worked out is waited for.
    async fn delete_change_set(
        &self,
        name_or_id: &str,
        stack: &str,
        patience: Patience,
    ) -> Result<(), ChangeError> {
        let started = Instant::now();
        loop {
            let answer = self
                .cloudformation
                .delete_change_set()
                .change_set_name(name_or_id)
                .stack_name(stack)
                .send()
                .await;
            let Err(error) = answer else { return Ok(()) };
            let failure = Failure::of(&error);
            if is(&failure, "ChangeSetNotFound") || is(&failure, "ChangeSetNotFoundException") {
                return Ok(());
            }
            let busy = is(&failure, "InvalidChangeSetStatus");
            if !busy || started.elapsed() >= patience.deadline {
                let gone = crate::stack::look::missing_is((), failure, "DeleteChangeSet", stack);
                return gone.map_err(ChangeError::of);
            }
            tokio::time::sleep(patience.poll).await;
        }
    }

    /// Somebody else's would go with the stack.
    async fn has_change_sets(&self, stack_id: &str) -> Result<bool, ChangeError> {
        let answer = self.cloudformation.list_change_sets().stack_name(stack_id).send().await;
        match answer {
            Ok(answer) => Ok(!answer.summaries().is_empty()),
            Err(error) => {
                let failure = Failure::of(&error);
                let error =
                    crate::stack::look::missing_is(false, failure, "ListChangeSets", stack_id);
                error.map_err(ChangeError::of)
            }
        }
    }
}

/// Where a change set stands.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Working,
    Ready,
    Unchanged,
    Failed(String),
}

impl State {
    fn of(page: &DescribeChangeSetOutput) -> Self {
        Self::parse(
            page.status().map_or("", types::ChangeSetStatus::as_str),
            page.status_reason().unwrap_or_default(),
        )
    }

    fn parse(status: &str, reason: &str) -> Self {
        match status {
            "CREATE_COMPLETE" => Self::Ready,
            "CREATE_PENDING" | "CREATE_IN_PROGRESS" => Self::Working,
            "FAILED" if means_unchanged(reason) => Self::Unchanged,
            "FAILED" if reason.is_empty() => Self::Failed("it gives no reason".to_owned()),
            "FAILED" => Self::Failed(reason.to_owned()),
            other => Self::Failed(format!("the change set is {other}: {reason}")),
        }
    }
}

/// CloudFormation tells this as a failure, in one of two sentences.
fn means_unchanged(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

fn is(failure: &Failure, wanted: &str) -> bool {
    match failure {
        Failure::Invalid { code, .. } => code == wanted,
        Failure::NoCredentials(_)
        | Failure::BadCredentials(_)
        | Failure::Denied(_)
        | Failure::Unavailable(_) => false,
    }
}

/// `greenroom-` and the token, with what change sets cannot be called replaced.
fn change_set_name(token: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("greenroom-{}", token.chars().map(allowed).collect::<String>())
        .chars()
        .take(NAME_MAX)
        .collect()
}

/// The part of an ARN that is its own alone.
pub(super) fn last_part(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

fn parameters(values: &BTreeMap<String, String>) -> Option<Vec<types::Parameter>> {
    let one = |(key, value): (&String, &String)| {
        types::Parameter::builder().parameter_key(key).parameter_value(value).build()
    };
    (!values.is_empty()).then(|| values.iter().map(one).collect())
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Vec<types::Tag> {
    tags.iter().map(|(key, value)| types::Tag::builder().key(key).value(value).build()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_set_without_changes_is_no_failure() {
        for reason in [
            "The submitted information didn't contain changes. Submit different information to \
             create a change set.",
            "No updates are to be performed.",
        ] {
            assert_eq!(State::parse("FAILED", reason), State::Unchanged);
        }
        assert_eq!(State::parse("FAILED", "no"), State::Failed("no".to_owned()));
        assert!(matches!(State::parse("DELETE_PENDING", ""), State::Failed(_)));
    }

    #[test]
    fn a_token_names_the_change_set_as_cloudformation_allows() {
        assert_eq!(change_set_name("0190-ab:7"), "greenroom-0190-ab-7");
        assert_eq!(change_set_name(&"x".repeat(200)).len(), NAME_MAX);
        assert_eq!(last_part("arn:aws:cloudformation:r:1:changeSet/name/uuid"), "uuid");
    }
}
