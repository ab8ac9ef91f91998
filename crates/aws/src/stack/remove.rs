//! Removing a stack until it is proven gone, or saying what stands in the way.
//!
//! What always holds: [`Removal::Removed`] is only said after CloudFormation called this very
//! stack (by id) deleted and knows no stack of the name. Termination protection is never
//! lifted, resources are never retained: both would leave something behind silently. After a
//! crash the next call looks, waits out the deletion that goes on, and ends the same way.

use super::{Patience, Stack, StackError, StackEvent, StackPhase, StackStatus, Stacks};

/// A deletion that failed is ordered once more: many failures (an interface still attached, a
/// bucket just written to) are over by then.
const ORDERS: usize = 2;

/// How a removal ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Gone, verified; the id is absent when there was nothing to remove.
    Removed { stack_id: Option<String> },
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
    #[error("{status}: {reason}{}", failed(resources))]
    Failed { status: StackStatus, reason: String, resources: Vec<FailedResource> },
    #[error("a new stack of the same name came up meanwhile ({stack_id})")]
    Replaced { stack_id: String },
}

/// An export and the stacks that import it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Importer {
    pub export: String,
    pub stacks: Vec<String>,
}

/// A resource that could not be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedResource {
    pub logical_id: String,
    pub resource_type: String,
    pub physical_id: Option<String>,
    pub reason: Option<String>,
}

fn list(importers: &[Importer]) -> String {
    let one = |importer: &Importer| {
        format!("export {} is imported by {}", importer.export, importer.stacks.join(", "))
    };
    importers.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn failed(resources: &[FailedResource]) -> String {
    let one = |resource: &FailedResource| {
        let reason = resource.reason.as_deref().unwrap_or("no reason given");
        format!("; {} ({}): {reason}", resource.logical_id, resource.resource_type)
    };
    resources.iter().map(one).collect()
}

impl Stacks {
    /// Removes the stack and proves it. `client_token` must be the job's own: the same token
    /// again is the same order.
    pub async fn remove(
        &self,
        name: &str,
        client_token: &str,
        patience: Patience,
        on_event: &mut (dyn FnMut(&StackEvent) + Send),
    ) -> Result<Removal, StackError> {
        let mut cursor = self.cursor_now(name).await?;
        let Some(found) = self.look(name).await? else {
            return Ok(Removal::Removed { stack_id: None });
        };
        let mut order = 0;
        loop {
            let settled = self.wait_settled(&found.id, &mut cursor, patience, on_event).await?;
            let stack = match settled {
                Some(stack) if stack.status.phase() != StackPhase::Gone => stack,
                Some(_) | None => return self.verify_gone(name, found.id).await,
            };
            if let Some(why) = self.obstacle(&stack).await? {
                return Ok(Removal::StillThere { stack: Box::new(stack), why });
            }
            if order == ORDERS {
                return self.still_there(stack).await;
            }
            order += 1;
            if let Err(error) = self.delete(&stack.id, &format!("{client_token}-{order}")).await {
                return self.refused(stack, error).await;
            }
            // The order shows in the status a moment later; looking at once could see the old one.
            tokio::time::sleep(patience.poll).await;
        }
    }

    /// What is known to keep the stack before an order is even given.
    async fn obstacle(&self, stack: &Stack) -> Result<Option<Why>, StackError> {
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

    /// An order that CloudFormation turned down: an obstacle that came up meanwhile is named,
    /// anything else stays the error it is.
    async fn refused(&self, stack: Stack, error: StackError) -> Result<Removal, StackError> {
        match self.obstacle(&stack).await? {
            Some(why) => Ok(Removal::StillThere { stack: Box::new(stack), why }),
            None => Err(error),
        }
    }

    async fn still_there(&self, stack: Stack) -> Result<Removal, StackError> {
        let resources = self
            .resources(&stack.id)
            .await?
            .into_iter()
            .filter(|resource| resource.status == "DELETE_FAILED")
            .map(|resource| FailedResource {
                logical_id: resource.logical_id,
                resource_type: resource.resource_type,
                physical_id: resource.physical_id,
                reason: resource.reason,
            })
            .collect();
        let reason = stack.status_reason.clone().unwrap_or_else(|| "no reason given".to_owned());
        let why = Why::Failed { status: stack.status.clone(), reason, resources };
        Ok(Removal::StillThere { stack: Box::new(stack), why })
    }

    /// The stack went by id; the name must be free as well.
    async fn verify_gone(&self, name: &str, id: String) -> Result<Removal, StackError> {
        match self.look(name).await? {
            None => Ok(Removal::Removed { stack_id: Some(id) }),
            Some(stack) if stack.status.phase() == StackPhase::Gone => {
                Ok(Removal::Removed { stack_id: Some(id) })
            }
            Some(stack) => {
                let why = Why::Replaced { stack_id: stack.id.clone() };
                Ok(Removal::StillThere { stack: Box::new(stack), why })
            }
        }
    }
}
