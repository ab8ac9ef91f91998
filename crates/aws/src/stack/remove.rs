//! Removing a stack until it is proven gone, or saying what stands in the way.
//!
//! What always holds: [`Removal::Removed`] is only said after CloudFormation called this very
//! stack (by id) deleted and knows no stack of the name. Termination protection is never lifted.
//! Buckets that go with the stack are emptied before each order, and only when nothing is known to
//! keep the stack. Resources are only kept when the caller says so, and then each is named. After a
//! crash the next call looks, waits out the deletion that goes on, and ends the same way; the
//! resources that were kept stand in the stack's events.

use std::collections::BTreeSet;

use aws_sdk_cloudformation::types::DeletionMode;
use model::worker_api::RemoveHow;

use super::holdings::Holdings;
use super::kept;
use super::look::ordered;
use super::orders::{Order, Orders};
use super::{
    EventCursor, FailedResource, Patience, Stack, StackError, StackEvent, StackPhase, StackStatus,
    Stacks,
};
use crate::failure::Failure;

/// How a removal ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Gone, verified; the id is absent when there was nothing to remove.
    Removed {
        stack_id: Option<String>,
        /// What is left although its stack is gone. Empty for a careful removal, and without what
        /// the template itself keeps.
        retained: Vec<FailedResource>,
    },
    /// Still there, with all that is known about why.
    StillThere { stack: Box<Stack>, why: Why },
}

/// What keeps a stack from going.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("its exports are still in use: {}", list(importers))]
    Imported { importers: Vec<Importer> },
    #[error("termination protection is on; switch it off for the stack if it may really go")]
    Protected,
    #[error("{status}: {reason}{}{}", failed(resources), also(troubles))]
    Failed {
        status: StackStatus,
        reason: String,
        resources: Vec<FailedResource>,
        /// What could not be emptied before, in sentences.
        troubles: Vec<String>,
    },
    #[error("a new stack of the same name came up meanwhile ({stack_id})")]
    Replaced { stack_id: String },
}

/// An export and the stacks that import it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Importer {
    pub export: String,
    pub stacks: Vec<String>,
}

fn list(importers: &[Importer]) -> String {
    let one = |importer: &Importer| {
        format!("export {} is imported by {}", importer.export, importer.stacks.join(", "))
    };
    importers.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn failed(resources: &[FailedResource]) -> String {
    resources.iter().map(|resource| format!("; {resource}")).collect()
}

fn also(troubles: &[String]) -> String {
    troubles.iter().map(|trouble| format!("; {trouble}")).collect()
}

impl Stacks {
    /// Removes the stack and proves it, and deletes the logs that it leaves behind. `client_token`
    /// must be the job's own: the same token again is the same order. `on_event` hears what
    /// CloudFormation does, and what is done here before and after.
    pub async fn remove(
        &self,
        name: &str,
        client_token: &str,
        how: RemoveHow,
        patience: Patience,
        on_event: &mut (dyn FnMut(&StackEvent) + Send),
    ) -> Result<Removal, StackError> {
        let mut cursor = self.cursor_now(name).await?;
        let Some(found) = self.look(name).await? else {
            return Ok(Removal::Removed { stack_id: None, retained: Vec::new() });
        };
        let holdings = self.holdings_if_allowed(&found, on_event).await?;
        let mut removing = Removing {
            stacks: self,
            client_token,
            orders: Orders::of(how, &found.status),
            holdings: &holdings,
            troubles: Vec::new(),
        };
        let removal = removing.until_gone(name, &found.id, &mut cursor, patience, on_event).await?;
        if let Removal::Removed { retained, .. } = &removal {
            let stayed: BTreeSet<String> =
                retained.iter().filter_map(|resource| resource.physical_id.clone()).collect();
            self.delete_logs(&holdings, &stayed, on_event).await;
        }
        Ok(removal)
    }

    /// A role that may delete a stack but not read its template still removes it; buckets and logs
    /// are then left to CloudFormation.
    async fn holdings_if_allowed(
        &self,
        stack: &Stack,
        on_event: &mut (dyn FnMut(&StackEvent) + Send),
    ) -> Result<Holdings, StackError> {
        match self.holdings(&stack.id).await {
            Err(error @ (StackError::Denied { .. } | StackError::Refused { .. })) => {
                let reason = format!("what the stack holds is not known: {error}");
                let kind = "AWS::CloudFormation::Stack";
                on_event(&StackEvent::ours(&stack.name, kind, "EMPTY_FAILED", reason));
                Ok(Holdings::default())
            }
            known => known,
        }
    }
}

struct Removing<'r> {
    stacks: &'r Stacks,
    client_token: &'r str,
    orders: Orders,
    holdings: &'r Holdings,
    /// What could not be emptied before the last order.
    troubles: Vec<String>,
}

impl Removing<'_> {
    async fn until_gone(
        &mut self,
        name: &str,
        id: &str,
        cursor: &mut EventCursor,
        patience: Patience,
        on_event: &mut (dyn FnMut(&StackEvent) + Send),
    ) -> Result<Removal, StackError> {
        loop {
            let settled = self.stacks.wait_settled(id, cursor, patience, on_event).await?;
            let stack = match settled {
                Some(stack) if stack.status.phase() != StackPhase::Gone => stack,
                Some(_) | None => return self.verify_gone(name, id).await,
            };
            if let Some(why) = self.stacks.obstacle(&stack).await? {
                return Ok(Removal::StillThere { stack: Box::new(stack), why });
            }
            let failed = self.stacks.undeletable(&stack).await?;
            let Some(order) = self.orders.next(&stack.status, &failed) else {
                return Ok(self.still_there(stack, failed));
            };
            self.troubles = self.stacks.empty_buckets(self.holdings, on_event).await;
            if let Err(error) = self.stacks.order(&stack.id, self.client_token, &order).await {
                return self.refused(stack, error).await;
            }
            // The order shows in the status a moment later; looking at once could see the old one.
            tokio::time::sleep(patience.poll).await;
        }
    }

    /// An order that CloudFormation turned down: an obstacle that came up meanwhile is named,
    /// anything else stays the error it is.
    async fn refused(&self, stack: Stack, error: StackError) -> Result<Removal, StackError> {
        match self.stacks.obstacle(&stack).await? {
            Some(why) => Ok(Removal::StillThere { stack: Box::new(stack), why }),
            None => Err(error),
        }
    }

    fn still_there(&mut self, stack: Stack, resources: Vec<FailedResource>) -> Removal {
        let reason = stack.status_reason.clone().unwrap_or_else(|| "no reason given".to_owned());
        let (status, troubles) = (stack.status.clone(), std::mem::take(&mut self.troubles));
        let why = Why::Failed { status, reason, resources, troubles };
        Removal::StillThere { stack: Box::new(stack), why }
    }

    /// The stack went by id; the name must be free as well.
    async fn verify_gone(&self, name: &str, id: &str) -> Result<Removal, StackError> {
        match self.stacks.look(name).await? {
            Some(stack) if stack.status.phase() != StackPhase::Gone => {
                let why = Why::Replaced { stack_id: stack.id.clone() };
                Ok(Removal::StillThere { stack: Box::new(stack), why })
            }
            Some(_) | None => {
                let begins = |event: &StackEvent| kept::is_before(id, event);
                let events = self.stacks.latest_events(id, begins).await?;
                let mut retained = kept::kept(id, &events);
                retained.retain(|resource| !self.holdings.keeps(&resource.logical_id));
                Ok(Removal::Removed { stack_id: Some(id.to_owned()), retained })
            }
        }
    }
}

impl Stacks {
    /// What is known to keep the stack before an order is even given.
    pub async fn obstacle(&self, stack: &Stack) -> Result<Option<Why>, StackError> {
        if stack.termination_protection {
            return Ok(Some(Why::Protected));
        }
        let mut importers = Vec::new();
        for export in &stack.exports {
            let stacks = self.importers(export, &stack.name).await?;
            if !stacks.is_empty() {
                importers.push(Importer { export: export.clone(), stacks });
            }
        }
        Ok((!importers.is_empty()).then_some(Why::Imported { importers }))
    }

    /// The resources that the last deletion could not delete.
    async fn undeletable(&self, stack: &Stack) -> Result<Vec<FailedResource>, StackError> {
        if stack.status != StackStatus::DeleteFailed {
            return Ok(Vec::new());
        }
        let resources = self.resources(&stack.id).await?;
        let failed = resources.into_iter().filter(|resource| resource.status == "DELETE_FAILED");
        let mut failed: Vec<_> = failed.map(FailedResource::from).collect();
        if failed.iter().any(|resource| resource.reason.is_none()) {
            let begins = |event: &StackEvent| kept::is_before(&stack.id, event);
            let events = self.latest_events(&stack.id, begins).await?;
            for resource in &mut failed {
                kept::explain(resource, &events);
            }
        }
        Ok(failed)
    }

    async fn order(&self, id: &str, client_token: &str, order: &Order) -> Result<(), StackError> {
        let call = self
            .cloudformation
            .delete_stack()
            .stack_name(id)
            .client_request_token(order.token(client_token));
        let call = match order {
            Order::Plain { .. } => call,
            Order::Retaining { resources, .. } => {
                call.set_retain_resources(Some(resources.clone()))
            }
            Order::Forced { .. } => call.deletion_mode(DeletionMode::ForceDeleteStack),
        };
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => ordered(Failure::of(&error), id),
        }
    }
}
