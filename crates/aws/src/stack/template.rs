//! The template a stack carries now: how a deploy that lost its worker learns that it is done, and
//! what says which resources go with their stack.

use aws_sdk_cloudformation::types::TemplateStage;

use super::look::missing_is;
use super::{StackError, Stacks};
use crate::failure::Failure;

impl Stacks {
    /// The template as it was handed in; `None` when there is no stack.
    pub async fn template(&self, name_or_id: &str) -> Result<Option<String>, StackError> {
        self.template_at(name_or_id, TemplateStage::Original).await
    }

    /// The template as macros have left it, which is what CloudFormation goes by.
    pub(super) async fn processed_template(
        &self,
        name_or_id: &str,
    ) -> Result<Option<String>, StackError> {
        self.template_at(name_or_id, TemplateStage::Processed).await
    }

    async fn template_at(
        &self,
        name_or_id: &str,
        stage: TemplateStage,
    ) -> Result<Option<String>, StackError> {
        let answer = self
            .cloudformation
            .get_template()
            .stack_name(name_or_id)
            .template_stage(stage)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(answer.template_body().map(str::to_owned)),
            Err(error) => missing_is(None, Failure::of(&error), "GetTemplate", name_or_id),
        }
    }
}
