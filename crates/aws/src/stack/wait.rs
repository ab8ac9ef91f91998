//! Waiting a stack out, and bringing it into a state that takes a deploy.
//!
//! CloudFormation works on whether or not anybody watches: giving up waiting stops nothing, and
//! whoever waits next sees where it stands. A transient failure while waiting is waited out too.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    EventCursor, Rollback, Stack, StackError, StackEvent, StackPhase, Stacks, Stuck, WayOut,
};

/// How often to look, and how long at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    pub poll: Duration,
    pub deadline: Duration,
}

impl Default for Patience {
    /// Slow enough for CloudFormation's limits, long enough for a CDN or a database.
    fn default() -> Self {
        Self { poll: Duration::from_secs(3), deadline: Duration::from_secs(60 * 60) }
    }
}

/// What a deploy finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// There is no stack: the deploy creates it.
    Absent,
    /// The stack takes an update.
    Ready(Box<Stack>),
    /// A person has to act first; the stack's status and reason say on what.
    Blocked(Box<Stack>),
}

impl Stacks {
    /// Waits until nothing is in progress and hands each event to `on_event` as it comes;
    /// the cursor says from where on. `None` when there is no stack.
    pub async fn wait_settled(
        &self,
        name_or_id: &str,
        cursor: &mut EventCursor,
        patience: Patience,
        on_event: &mut (dyn FnMut(&StackEvent) + Send),
    ) -> Result<Option<Stack>, StackError> {
        let started = Instant::now();
        loop {
            let seen = self.look_with_events(name_or_id, cursor, on_event).await;
            let late = started.elapsed() >= patience.deadline;
            match seen {
                Ok(None) => return Ok(None),
                Ok(Some(stack)) if stack.status.phase() != StackPhase::InProgress => {
                    return Ok(Some(stack));
                }
                Ok(Some(stack)) if late => {
                    return Err(StackError::StillInProgress {
                        stack: stack.name,
                        status: stack.status,
                        waited: patience.deadline,
                    });
                }
                Err(error) if late || !error.is_transient() => return Err(error),
                Ok(Some(_)) => {}
                Err(error) => tracing::debug!(%error, "looking at a stack failed, looking again"),
            }
            tokio::time::sleep(patience.poll).await;
        }
    }

    /// Looks first and reads events after, so that the events of the last step are never missed.
    async fn look_with_events(
        &self,
        name_or_id: &str,
        cursor: &mut EventCursor,
        on_event: &mut (dyn FnMut(&StackEvent) + Send),
    ) -> Result<Option<Stack>, StackError> {
        let stack = self.look(name_or_id).await?;
        for event in self.events_since(name_or_id, cursor).await? {
            on_event(&event);
        }
        Ok(stack)
    }

    /// Makes a stack ready for a deploy: waits out what is in progress, continues a rollback
    /// that failed, and deletes a stack that never came to be (it can take no update and holds
    /// nothing that ever worked). A stack that was ever up is never deleted here.
    pub async fn prepare(
        &self,
        name: &str,
        client_token: &str,
        patience: Patience,
        on_event: &mut (dyn FnMut(&StackEvent) + Send),
    ) -> Result<Prepared, StackError> {
        let mut cursor = self.cursor_now(name).await?;
        let Some(stack) = self.wait_settled(name, &mut cursor, patience, on_event).await? else {
            return Ok(Prepared::Absent);
        };
        let way_out = match stack.status.phase() {
            StackPhase::Gone => return Ok(Prepared::Absent),
            StackPhase::Settled
            | StackPhase::RolledBack(Rollback::OfUpdate)
            | StackPhase::InProgress => WayOut::Update,
            StackPhase::RolledBack(Rollback::OfCreation) => WayOut::Delete,
            StackPhase::Stuck(stuck) => stuck.way_out(),
        };
        match way_out {
            WayOut::Update => return Ok(Prepared::Ready(Box::new(stack))),
            WayOut::Person => return Ok(Prepared::Blocked(Box::new(stack))),
            WayOut::Delete if stack.termination_protection => {
                return Ok(Prepared::Blocked(Box::new(stack)));
            }
            WayOut::Delete => self.delete(&stack.id, client_token).await?,
            WayOut::ContinueRollback => self.continue_rollback(&stack.id, &[]).await?,
        }
        // The order shows in the status a moment later; looking at once could see the old one.
        tokio::time::sleep(patience.poll).await;
        let after = self.wait_settled(&stack.id, &mut cursor, patience, on_event).await?;
        Ok(after.map_or(Prepared::Absent, prepared))
    }
}

/// What stands after the one way out was taken.
fn prepared(stack: Stack) -> Prepared {
    match stack.status.phase() {
        StackPhase::Gone => Prepared::Absent,
        StackPhase::Settled
        | StackPhase::RolledBack(Rollback::OfUpdate)
        | StackPhase::Stuck(Stuck::UpdateFailed) => Prepared::Ready(Box::new(stack)),
        StackPhase::InProgress | StackPhase::RolledBack(Rollback::OfCreation) => {
            Prepared::Blocked(Box::new(stack))
        }
        StackPhase::Stuck(_) => Prepared::Blocked(Box::new(stack)),
    }
}
