//! Variables in the values of `greenroom.yml`'s `parameters:`, which no framework resolves.
//!
//! What always holds: a variable that is not known is an error, never text that goes to AWS;
//! what a parameter or an output holds is not searched for variables again.

use std::collections::BTreeMap;

use super::Scope;
use super::reference::{InvalidReference, Reference};
use super::resolve::{Missing, resolve};
use super::variable::{self, Variables};
use crate::ParameterKey;

/// How deep variables may stand in variables.
const DEPTH_MAX: usize = 10;

/// Why a value cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSubstituted {
    #[error(transparent)]
    Missing(#[from] Missing),
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    #[error("${{param:{key}}}: the stage has no parameter {key}; {known}")]
    Parameter { key: String, known: String },
    #[error(
        "{0} is not known here: use ${{param:…}}, ${{output:…}}, ${{sls:stage}}, ${{opt:stage}} or ${{opt:region}}, or write \\${{ for the text itself"
    )]
    Unknown(String),
    #[error("{0} begins a variable and does not end it: add the missing `}}`")]
    Unclosed(String),
    #[error("{0} holds variables more than {DEPTH_MAX} deep")]
    TooDeep(String),
}

/// The text with its variables replaced: `${param:key}`, `${output:…}`, the stage and the region.
/// Further sources of a variable are tried in order: `${param:size, 'small'}`.
pub fn substitute(
    text: &str,
    scope: &Scope,
    parameters: &BTreeMap<ParameterKey, String>,
) -> Result<String, NotSubstituted> {
    Known { scope, parameters }.replace(text, 0)
}

struct Known<'a> {
    scope: &'a Scope,
    parameters: &'a BTreeMap<ParameterKey, String>,
}

impl Known<'_> {
    fn replace(&self, text: &str, depth: usize) -> Result<String, NotSubstituted> {
        if depth > DEPTH_MAX {
            return Err(NotSubstituted::TooDeep(text.to_owned()));
        }
        let variables = Variables::of(text);
        if let Some(start) = variables.unclosed {
            return Err(NotSubstituted::Unclosed(text[start..].to_owned()));
        }
        let mut replaced = String::with_capacity(text.len());
        let mut from = 0;
        for range in variables.outermost() {
            replaced.push_str(&unescaped(&text[from..range.start]));
            replaced.push_str(&self.value(&text[range.clone()], depth)?);
            from = range.end;
        }
        replaced.push_str(&unescaped(&text[from..]));
        Ok(replaced)
    }

    fn value(&self, variable: &str, depth: usize) -> Result<String, NotSubstituted> {
        let mut last = NotSubstituted::Unknown(variable.to_owned());
        for source in variable::sources(variable::inside(variable)) {
            match self.source(variable, source, depth) {
                Err(missing @ (NotSubstituted::Missing(_) | NotSubstituted::Parameter { .. })) => {
                    last = missing;
                }
                answer => return answer,
            }
        }
        Err(last)
    }

    fn source(&self, variable: &str, source: &str, depth: usize) -> Result<String, NotSubstituted> {
        if let Some(text) = variable::unquoted(source) {
            return Ok(text.to_owned());
        }
        if matches!(source, "true" | "false") || source.parse::<f64>().is_ok() {
            return Ok(source.to_owned());
        }
        let source = self.replace(source, depth + 1)?;
        if let Some(address) = source.strip_prefix("output:") {
            let reference: Reference = address
                .parse()
                .map_err(|_| InvalidReference(format!("${{output:{}}}", address.trim())))?;
            return Ok(resolve(self.scope, &reference)?.to_owned());
        }
        if let Some(key) = source.strip_prefix("param:").map(str::trim) {
            let known = key.parse::<ParameterKey>().ok();
            return match known.and_then(|key| self.parameters.get(&key)) {
                Some(value) => Ok(value.clone()),
                None => Err(self.no_parameter(key)),
            };
        }
        match source.as_str() {
            "sls:stage" | "opt:stage" => Ok(self.scope.stage.to_string()),
            "opt:region" | "aws:region" => Ok(self.scope.region.to_string()),
            _ => Err(NotSubstituted::Unknown(variable.to_owned())),
        }
    }

    fn no_parameter(&self, key: &str) -> NotSubstituted {
        let keys: Vec<&str> = self.parameters.keys().map(ParameterKey::as_str).collect();
        let known = if keys.is_empty() {
            "it has none: add it to the profile's or the stage's parameters".to_owned()
        } else {
            format!("it has {}", keys.join(", "))
        };
        NotSubstituted::Parameter { key: key.to_owned(), known }
    }
}

/// `\${` stands for `${`.
fn unescaped(text: &str) -> String {
    text.replace("\\${", "${")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn scope() -> Scope {
        serde_json::from_value(serde_json::json!({
            "app": "workshop", "stage": "feature-x", "region": "us-east-1",
            "fallback_stage": "dev",
            "published": [
                { "app": "workshop", "stage": "dev", "region": "us-east-1", "service": "database",
                  "outputs": { "table": "notes-dev", "odd": "${param:env}" } },
            ],
        }))
        .expect("a scope")
    }

    fn replaced(text: &str) -> Result<String, String> {
        let parameters = [("env", "dev"), ("size", "small")]
            .map(|(key, value)| (key.parse().expect("a key"), value.to_owned()))
            .into();
        substitute(text, &scope(), &parameters).map_err(|error| error.to_string())
    }

    #[rstest]
    #[case("plain", "plain")]
    #[case("${param:env}-${sls:stage}", "dev-feature-x")]
    #[case("${output:database.table}", "notes-dev")]
    #[case("${output::${param:env}::database.table}", "notes-dev")]
    #[case("${param:absent, 'a, b'}", "a, b")]
    #[case("${param:absent, param:size}", "small")]
    #[case("${output:database.absent, 3}", "3")]
    #[case("arn:${opt:region}", "arn:us-east-1")]
    #[case(r"\${param:env}", "${param:env}")]
    #[case("${output:database.odd}", "${param:env}")]
    fn parameters_and_outputs_are_put_in(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(replaced(text).as_deref(), Ok(expected));
    }

    #[rstest]
    #[case("${param:absent}", "it has env, size")]
    #[case("${output:database.absent}", "in stage dev (us-east-1) database publishes odd, table")]
    #[case("${output:database}", "does not name an output")]
    #[case("${ssm:/x}", "${ssm:/x} is not known here")]
    #[case("a ${param:env", "add the missing `}`")]
    fn what_cannot_be_put_in_is_told(#[case] text: &str, #[case] expected: &str) {
        let error = replaced(text).expect_err("nothing to put in");
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_missing_parameter_is_told_whole_with_those_there_are() {
        let error = replaced("${param:absent}").expect_err("nothing to put in");
        insta::assert_snapshot!(
            error,
            @"${param:absent}: the stage has no parameter absent; it has env, size"
        );
    }

    #[test]
    fn variables_cannot_be_nested_without_end() {
        let text = format!("{}x{}", "${a:".repeat(5000), "}".repeat(5000));
        assert!(replaced(&text).expect_err("too deep").contains("10 deep"));
    }
}
