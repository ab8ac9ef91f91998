//! What becomes of a proposal: carried out, or thrown away.

use tokio::time::Instant;

use super::ask::last_part;
use super::{ChangeError, Proposal};
use crate::failure::Failure;
use crate::stack::{Patience, Stack, StackError, StackEvent};

impl Proposal {
    /// Orders the change. CloudFormation goes on by itself; the same proposal twice is one order.
    pub async fn execute(&self) -> Result<(), ChangeError> {
        let answer = self
            .stacks
            .cloudformation
            .execute_change_set()
            .change_set_name(&self.id)
            .stack_name(&self.stack_id)
            .client_request_token(format!("execute-{}", last_part(&self.id)))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) => {
                let failure = Failure::of(&error);
                let error = StackError::of(failure, "ExecuteChangeSet", &self.change.stack);
                Err(ChangeError::of(error))
            }
        }
    }

    /// Orders the change and follows it until the stack has settled, well or badly. `None` when
    /// the stack is gone by then.
    pub async fn carry_out(
        &self,
        patience: Patience,
        on_event: &mut (dyn FnMut(&StackEvent) + Send),
    ) -> Result<Option<Stack>, ChangeError> {
        let mut cursor = self.stacks.cursor_now(&self.stack_id).await?;
        self.execute().await?;
        let started = Instant::now();
        loop {
            // The order shows in the status a moment later: a settled stack that nothing has
            // happened to since is the one from before.
            tokio::time::sleep(patience.poll).await;
            let mut begun = false;
            let stack = self
                .stacks
                .wait_settled(&self.stack_id, &mut cursor, patience, &mut |event| {
                    begun = true;
                    on_event(event);
                })
                .await?;
            match stack {
                Some(stack) if !begun && started.elapsed() < patience.deadline => {
                    tracing::debug!(stack = stack.name, "the change has not begun yet");
                }
                settled => return Ok(settled),
            }
        }
    }

    /// Throws the change set away, with the stack that only it made. The stack is as before.
    pub async fn discard(self, patience: Patience) -> Result<(), ChangeError> {
        self.stacks.discard_change_set(&self.id, &self.stack_id, patience).await
    }
}
