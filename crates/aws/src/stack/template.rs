//! The template a stack carries now: how a deploy that lost its worker learns that it is done.

use aws_sdk_cloudformation::types::TemplateStage;

use super::look::missing_is;
use super::{StackError, Stacks};
use crate::failure::Failure;

impl Stacks {
    /// The template as it was handed in; `None` when there is no stack.
    pub async fn template(&self, name_or_id: &str) -> Result<Option<String>, StackError> {
        let answer = self
            .cloudformation
            .get_template()
            .stack_name(name_or_id)
            .template_stage(TemplateStage::Original)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(answer.template_body().map(str::to_owned)),
            Err(error) => missing_is(None, Failure::of(&error), "GetTemplate", name_or_id),
        }
    }
}
