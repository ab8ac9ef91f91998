//! The events of a stack, oldest first, each once, for a log that is written while it happens.

use aws_sdk_cloudformation::types;
use chrono::{DateTime, Utc};

use super::look::missing_is;
use super::{StackError, Stacks, utc};
use crate::failure::Failure;

/// One thing that happened to a stack or a resource of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackEvent {
    pub id: String,
    /// The name of the stack that tells it; empty of what is done beside CloudFormation.
    pub stack: String,
    pub timestamp: Option<DateTime<Utc>>,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    pub status: String,
    pub reason: Option<String>,
}

impl StackEvent {
    /// Something that is done here beside CloudFormation, told in the same way.
    pub(super) fn ours(
        logical_id: &str,
        resource_type: &str,
        status: &str,
        reason: String,
    ) -> Self {
        Self {
            id: String::new(),
            stack: String::new(),
            timestamp: None,
            logical_id: logical_id.to_owned(),
            physical_id: None,
            resource_type: resource_type.to_owned(),
            status: status.to_owned(),
            reason: Some(reason),
        }
    }

    /// Whether this event tells of something that went wrong.
    pub fn is_failure(&self) -> bool {
        self.status.ends_with("_FAILED")
    }

    /// Whether this event tells of this very stack and not of one that is nested in it.
    pub(super) fn is_of(&self, stack_id: &str) -> bool {
        self.physical_id.as_deref() == Some(stack_id)
    }

    /// Whether this event tells of the stack itself, not of one of its resources.
    pub fn is_of_stack(&self) -> bool {
        self.resource_type == "AWS::CloudFormation::Stack"
    }
}

/// Up to where events have been read. The default is before the first event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventCursor {
    newest: Option<String>,
}

impl Stacks {
    /// A cursor behind everything that has happened so far: take it before a change starts.
    pub async fn cursor_now(&self, name_or_id: &str) -> Result<EventCursor, StackError> {
        let answer =
            self.cloudformation.describe_stack_events().stack_name(name_or_id).send().await;
        match answer {
            Ok(answer) => {
                let newest = answer.stack_events().first().and_then(types::StackEvent::event_id);
                Ok(EventCursor { newest: newest.map(str::to_owned) })
            }
            Err(error) => {
                let none = EventCursor::default();
                missing_is(none, Failure::of(&error), "DescribeStackEvents", name_or_id)
            }
        }
    }

    /// What happened last, oldest first, from the last event on that `begins` holds for: a stack
    /// that lives long has more events than anybody wants to read. Nothing without a stack.
    pub(super) async fn latest_events(
        &self,
        name_or_id: &str,
        begins: impl Fn(&StackEvent) -> bool,
    ) -> Result<Vec<StackEvent>, StackError> {
        let call = self.cloudformation.describe_stack_events().stack_name(name_or_id);
        let mut pages = call.into_paginator().send();
        let mut newest_first = Vec::new();
        'pages: while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    let failure = Failure::of(&error);
                    return missing_is(Vec::new(), failure, "DescribeStackEvents", name_or_id);
                }
            };
            for event in page.stack_events().iter().map(event) {
                let first = begins(&event);
                newest_first.push(event);
                if first {
                    break 'pages;
                }
            }
        }
        newest_first.reverse();
        Ok(newest_first)
    }

    /// What happened since the cursor, oldest first; moves the cursor on. Nothing while there is
    /// no stack. By name, a stack made anew tells all of its own events.
    pub async fn events_since(
        &self,
        name_or_id: &str,
        cursor: &mut EventCursor,
    ) -> Result<Vec<StackEvent>, StackError> {
        let mut pages = self
            .cloudformation
            .describe_stack_events()
            .stack_name(name_or_id)
            .into_paginator()
            .send();
        let mut newest_first = Vec::new();
        'pages: while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    let failure = Failure::of(&error);
                    return missing_is(Vec::new(), failure, "DescribeStackEvents", name_or_id);
                }
            };
            for event in page.stack_events().iter().map(event) {
                if cursor.newest.as_deref() == Some(event.id.as_str()) {
                    break 'pages;
                }
                newest_first.push(event);
            }
        }
        if let Some(newest) = newest_first.first() {
            cursor.newest = Some(newest.id.clone());
        }
        newest_first.reverse();
        Ok(newest_first)
    }
}

fn event(sdk: &types::StackEvent) -> StackEvent {
    StackEvent {
        id: sdk.event_id().unwrap_or_default().to_owned(),
        stack: sdk.stack_name().unwrap_or_default().to_owned(),
        timestamp: sdk.timestamp().and_then(utc),
        logical_id: sdk.logical_resource_id().unwrap_or_default().to_owned(),
        physical_id: sdk.physical_resource_id().map(str::to_owned),
        resource_type: sdk.resource_type().unwrap_or_default().to_owned(),
        status: sdk.resource_status().map_or("", types::ResourceStatus::as_str).to_owned(),
        reason: sdk.resource_status_reason().map(str::to_owned),
    }
}
