//! The text of a template as data: JSON, or YAML with CloudFormation's short tags.

use serde_json::Value;

use super::yaml;

/// Longer than any template CloudFormation takes (1 MB), so that its limit is named by the check
/// of limits, and short enough to be read at once.
const MAX_TEXT_BYTES: usize = 4 * 1024 * 1024;

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", .line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct InvalidTemplate {
    /// Counted from 1.
    pub line: Option<usize>,
    pub message: String,
}

impl InvalidTemplate {
    pub(super) fn at(line: usize, message: impl Into<String>) -> Self {
        Self { line: Some(line).filter(|line| *line > 0), message: message.into() }
    }
}

/// Reads a template. Short tags come out in their long form: `!Ref Table` as `{"Ref": "Table"}`,
/// `!GetAtt Table.Arn` as `{"Fn::GetAtt": ["Table", "Arn"]}`.
pub fn parse(text: &str) -> Result<Value, InvalidTemplate> {
    let whole = |message: String| InvalidTemplate { line: None, message };
    if text.len() > MAX_TEXT_BYTES {
        return Err(whole(format!(
            "the template has {} KiB, and CloudFormation takes 1 MB; split it into several stacks",
            text.len() / 1024
        )));
    }
    let value = if text.trim_start().starts_with('{') { json(text)? } else { yaml::parse(text)? };
    match value {
        Value::Object(_) => Ok(value),
        Value::Null => Err(whole("the template is empty; it needs at least Resources".to_owned())),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(whole("a template is a map with Resources, and this is none".to_owned()))
        }
    }
}

/// A text that begins like JSON may still be YAML in flow style; if it is neither, it was meant
/// as JSON.
fn json(text: &str) -> Result<Value, InvalidTemplate> {
    serde_json::from_str(text).or_else(|error: serde_json::Error| {
        let message = error.to_string();
        // the library ends with the place, which stands before ours
        let end = message.rfind(" at line ").unwrap_or(message.len());
        let invalid = InvalidTemplate::at(
            error.line(),
            format!("{}; check the JSON around this place", &message[..end]),
        );
        yaml::parse(text).map_err(|_| invalid)
    })
}
