//! CloudFormation's own look at a template, before any stack is touched.

use aws_sdk_cloudformation::types;

use super::change::ChangeError;
use super::upload::Reader;
use super::{StackError, Stacks, Upload};
use crate::failure::Failure;
use crate::template::Template;

/// What CloudFormation read in a valid template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validated {
    pub parameters: Vec<DeclaredParameter>,
    /// The capabilities a deploy has to acknowledge, as CloudFormation names them.
    pub capabilities: Vec<String>,
    /// Macros that rewrite the template.
    pub transforms: Vec<String>,
}

/// A parameter of the template: only these may be given a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredParameter {
    pub name: String,
    pub default: Option<String>,
}

impl Stacks {
    /// Has CloudFormation read the template. A template that it does not take is
    /// [`ChangeError::Rejected`] with its sentence. The stack need not exist: errors name it.
    pub async fn validate_template(
        &self,
        stack: &str,
        template: &Template,
        upload: Option<&Upload>,
    ) -> Result<Validated, ChangeError> {
        let body = self.body(template, upload, Reader::Look).await?;
        let answer = self
            .cloudformation
            .validate_template()
            .set_template_body(body.inline())
            .set_template_url(body.url())
            .send()
            .await;
        let validated = match answer {
            Ok(answer) => Ok(Validated {
                parameters: answer.parameters().iter().filter_map(declared).collect(),
                capabilities: answer
                    .capabilities()
                    .iter()
                    .map(|capability| capability.as_str().to_owned())
                    .collect(),
                transforms: answer.declared_transforms().to_vec(),
            }),
            Err(error) => {
                let failure = Failure::of(&error);
                let error = StackError::of(failure, "ValidateTemplate", stack);
                Err(body.told(ChangeError::of(error)))
            }
        };
        body.clear_away().await;
        validated
    }
}

fn declared(parameter: &types::TemplateParameter) -> Option<DeclaredParameter> {
    Some(DeclaredParameter {
        name: parameter.parameter_key()?.to_owned(),
        default: parameter.default_value().map(str::to_owned),
    })
}
