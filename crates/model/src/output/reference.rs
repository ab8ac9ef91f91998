//! A reference to an output: `${output:service.key}` or
//! `${output:app:stage:region:service.key}`.
//!
//! What always holds: its parts are names or hold variables (`${param:env}`) that are still to be
//! resolved. An empty part means "here"; so does `.`, for the places where the Serverless
//! Framework cannot read a variable that begins `${output::`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::variable::{self, Variables};
use crate::{AppName, ParameterKey, ServiceName, StageName};

/// A parsed reference. Written and stored as its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    raw: String,
    app: String,
    stage: String,
    region: String,
    service: String,
    key: String,
}

/// A text that is no reference to an output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} does not name an output: write ${{output:service.key}} or ${{output:app:stage:region:service.key}}, where an empty app, stage or region means this one"
)]
pub struct InvalidReference(pub String);

/// What is known of a reference before its variables are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    Yes,
    No,
    Unknown,
}

impl Reference {
    /// As it was written: `${output:…}`, without fallbacks.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// Empty: this app.
    pub fn app_part(&self) -> &str {
        &self.app
    }

    /// Empty: this stage.
    pub fn stage_part(&self) -> &str {
        &self.stage
    }

    /// Empty: this region.
    pub fn region_part(&self) -> &str {
        &self.region
    }

    /// The Greenroom service, or the name the framework publishes it under.
    pub fn service(&self) -> &str {
        &self.service
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether it reads from the app `own`.
    pub fn points_at_app(&self, own: &AppName) -> Certainty {
        if self.app.is_empty() { Certainty::Yes } else { compare(&self.app, own.as_str()) }
    }

    /// Whether it reads from the stage `own`, whose parameters are these (secrets left out).
    pub fn points_at_stage(
        &self,
        own: &StageName,
        plain_parameters: &BTreeMap<ParameterKey, String>,
    ) -> Certainty {
        if self.stage.is_empty() {
            return Certainty::Yes;
        }
        match resolved(&self.stage, own, plain_parameters) {
            Some(stage) => compare(&stage, own.as_str()),
            None => Certainty::Unknown,
        }
    }

    /// Whether it reads what this service publishes, wherever that is.
    pub fn names_service(&self, name: &ServiceName, published_as: Option<&str>) -> Certainty {
        match compare(&self.service, name.as_str()) {
            Certainty::No if published_as == Some(self.service.as_str()) => Certainty::Yes,
            certainty => certainty,
        }
    }

    /// Whether nothing in it is left to be resolved.
    pub(super) fn is_literal(&self) -> bool {
        !self.raw[2..].contains("${")
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        // A bare address may begin with a variable too: only one that is all of the text is ours.
        let wrapped = Variables::of(text).outermost().next() == Some(0..text.len());
        let address = if wrapped { variable::inside(text).strip_prefix("output:")? } else { text };
        let address = address.trim();
        let address = variable::unquoted(address).unwrap_or(address);
        let (place, last) = match variable::split(address, b':')[..] {
            [last] => (["", "", ""], last),
            [app, stage, region, last] => ([app, stage, region], last),
            _ => return None,
        };
        let pieces = variable::split(last, b'.');
        let key = *pieces.last()?;
        let service = last.get(..last.len() - key.len())?.strip_suffix('.')?;
        let valid = place.iter().all(|part| is_part(part, "-_."))
            && !service.is_empty()
            && is_part(service, "-_.")
            && !key.is_empty()
            && is_part(key, "-_");
        let here = |part: &str| if part == "." { String::new() } else { part.to_owned() };
        valid.then(|| Self {
            raw: format!("${{output:{address}}}"),
            app: here(place[0]),
            stage: here(place[1]),
            region: here(place[2]),
            service: service.to_owned(),
            key: key.to_owned(),
        })
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    /// Takes it with or without its `${output:` and `}`.
    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        Self::parse(text).ok_or_else(|| InvalidReference(text.to_owned()))
    }
}

impl TryFrom<String> for Reference {
    type Error = InvalidReference;

    fn try_from(text: String) -> Result<Self, InvalidReference> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.raw
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

/// Letters, digits, the given others, and variables.
fn is_part(text: &str, others: &str) -> bool {
    Variables::of(text).unclosed.is_none()
        && variable::outside_variables(text)
            .iter()
            .all(|(_, byte)| byte.is_ascii_alphanumeric() || others.as_bytes().contains(byte))
}

fn compare(part: &str, name: &str) -> Certainty {
    match part {
        _ if part.contains("${") => Certainty::Unknown,
        _ if part == name => Certainty::Yes,
        _ => Certainty::No,
    }
}

/// A part with its variables resolved, as far as they are known outside the framework.
fn resolved(
    part: &str,
    own: &StageName,
    parameters: &BTreeMap<ParameterKey, String>,
) -> Option<String> {
    let mut text = String::new();
    let mut from = 0;
    for range in Variables::of(part).outermost() {
        text.push_str(&part[from..range.start]);
        from = range.end;
        // Only the first source: whether the framework goes on to the next is not known here.
        let source = variable::sources(variable::inside(&part[range])).first().copied()?;
        text.push_str(match source {
            "sls:stage" | "opt:stage" | "self:provider.stage" => own.as_str(),
            _ => {
                let key: ParameterKey = source.strip_prefix("param:")?.trim().parse().ok()?;
                parameters.get(&key)?
            }
        });
    }
    text.push_str(&part[from..]);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn reference(text: &str) -> Reference {
        text.parse().expect("a reference")
    }

    #[rstest]
    #[case("${output:database.table}", Certainty::Yes)]
    #[case("${output:.:.:.:database.table}", Certainty::Yes)]
    #[case("${output::feature-x::database.table}", Certainty::Yes)]
    #[case("${output::dev::database.table}", Certainty::No)]
    #[case("${output::${sls:stage}::database.table}", Certainty::Yes)]
    #[case("${output::${opt:stage, 'dev'}::database.table}", Certainty::Yes)]
    #[case("${output::${self:provider.stage}::database.table}", Certainty::Yes)]
    #[case("${output::${param:env}::database.table}", Certainty::No)]
    #[case("${output::${param:own}::database.table}", Certainty::Yes)]
    #[case("${output::feature-${param:suffix}::database.table}", Certainty::Yes)]
    #[case("${output::${param:unknown, 'dev'}::database.table}", Certainty::Unknown)]
    #[case("${output::${self:custom.env}::database.table}", Certainty::Unknown)]
    fn a_reference_knows_whether_it_reads_its_own_stage(
        #[case] text: &str,
        #[case] expected: Certainty,
    ) {
        let parameters = [("env", "dev"), ("own", "feature-x"), ("suffix", "x")]
            .map(|(key, value)| (key.parse().expect("a key"), value.to_owned()))
            .into();
        let own = "feature-x".parse().expect("a stage");
        assert_eq!(reference(text).points_at_stage(&own, &parameters), expected);
    }

    #[test]
    fn a_service_is_named_by_its_own_or_by_the_frameworks_name() {
        let name = "database".parse().expect("a name");
        let named = |text: &str| reference(text).names_service(&name, Some("fullstack-database"));
        assert_eq!(named("${output:database.table}"), Certainty::Yes);
        assert_eq!(named("${output:fullstack-database.table}"), Certainty::Yes);
        assert_eq!(named("${output:restapi.url}"), Certainty::No);
        assert_eq!(named("${output:${self:custom.db}.table}"), Certainty::Unknown);
    }

    #[test]
    fn an_app_part_names_this_app_another_or_what_is_not_known_yet() {
        let own = "workshop".parse().expect("an app");
        let points = |text: &str| reference(text).points_at_app(&own);
        assert_eq!(points("${output:workshop:dev::a.b}"), Certainty::Yes);
        assert_eq!(points("${output:billing:dev::a.b}"), Certainty::No);
        assert_eq!(points("${output:${param:app}:dev::a.b}"), Certainty::Unknown);
    }

    #[test]
    fn a_reference_travels_as_its_text() {
        let text = r#""${output::${param:env}::fullstack-database.name}""#;
        let read: Reference = serde_json::from_str(text).expect("a reference");
        assert_eq!(read.stage_part(), "${param:env}");
        assert_eq!(serde_json::to_string(&read).expect("json"), text);
    }
}
