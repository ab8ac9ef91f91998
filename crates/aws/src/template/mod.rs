//! A template as a text and as a tree; pure.
//!
//! What always holds: the text is what its author wrote, and what CloudFormation is given; the tree
//! says the same, with YAML's short forms (`!Ref x`) written out, so that whoever reads it knows
//! one form only.

mod compare;
mod declared;
mod minify;

use model::template::{InvalidTemplate, parse};
use serde::de::IgnoredAny;
use serde_json::Value;

pub(crate) use compare::NESTED_STACK;
pub use compare::compare;
pub use declared::added;
pub(crate) use declared::macros;

/// CloudFormation's largest template in a request (service quotas, "Template body size in a
/// request"); a larger one lies in a bucket.
pub(crate) const INLINE_BYTES: usize = 51_200;

/// A template that could be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    text: String,
    tree: Value,
}

impl Template {
    /// Reads JSON or YAML.
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        Ok(Self { text: text.to_owned(), tree: parse(text)? })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn tree(&self) -> &Value {
        &self.tree
    }

    /// The text if it fits into a request: as it is, or without the blanks of its JSON.
    pub(crate) fn inline(&self) -> Option<String> {
        if self.text.len() <= INLINE_BYTES {
            return Some(self.text.clone());
        }
        self.small().filter(|small| small.len() <= INLINE_BYTES)
    }

    /// The shortest text that says the same.
    pub(crate) fn smallest(&self) -> String {
        self.small().unwrap_or_else(|| self.text.clone())
    }

    /// Without the blanks, where the text is JSON: those of YAML have a meaning.
    fn small(&self) -> Option<String> {
        let json = serde_json::from_str::<IgnoredAny>(&self.text).is_ok();
        json.then(|| minify::json(&self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_template_goes_inline_when_only_its_blanks_are_too_many() {
        let blanks = " ".repeat(INLINE_BYTES);
        let airy = Template::parse(&format!("{{{blanks}\"a\": \"b {{ c\" }}")).unwrap();
        assert_eq!(airy.inline().as_deref(), Some(r#"{"a":"b { c"}"#));
        let full = Template::parse(&format!(r#"{{"a":"{blanks}"}}"#)).unwrap();
        assert_eq!(full.inline(), None);
        let yaml = Template::parse(&format!("a: '{blanks}'")).unwrap();
        assert_eq!((yaml.inline(), yaml.smallest().len()), (None, yaml.text().len()));
    }
}
