//! From a reference to the value it stands for, or to what is published where it looked.
//!
//! What always holds: the exact place comes first. Only a reference that leaves the stage open
//! may fall back to another stage.

use std::fmt;

use super::reference::Reference;
use super::{Published, Scope};

/// How many names an error lists at most.
const NAMES_MAX: usize = 20;

/// Why a reference has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// A variable in it was not resolved.
    Variable(Box<Reference>),
    Nowhere(Box<Nowhere>),
}

/// A reference that was looked up in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nowhere {
    pub reference: Reference,
    /// The stage that asks.
    pub stage: String,
    pub looked: Vec<Looked>,
}

/// One place that was looked in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// `stage dev`, or `stage dev of app billing`.
    pub place: String,
    pub region: String,
    /// Whether it is the asking stage itself.
    pub own: bool,
    pub found: Found,
}

/// What was there instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The service publishes these.
    Keys(Vec<String>),
    /// Only these services publish anything.
    Services(Vec<String>),
}

/// The value of a reference for a job.
pub fn resolve<'a>(scope: &'a Scope, reference: &Reference) -> Result<&'a str, Missing> {
    if !reference.is_literal() {
        return Err(Missing::Variable(Box::new(reference.clone())));
    }
    let mut looked = Vec::new();
    for place in places(scope, reference) {
        match look(scope, reference, &place) {
            Ok(value) => return Ok(value),
            Err(found) => looked.push(Looked {
                place: if place.app == scope.app.as_str() {
                    format!("stage {}", place.stage)
                } else {
                    format!("stage {} of app {}", place.stage, place.app)
                },
                region: place.region.to_owned(),
                own: place.app == scope.app.as_str() && place.stage == scope.stage.as_str(),
                found,
            }),
        }
    }
    let (reference, stage) = (reference.clone(), scope.stage.to_string());
    Err(Missing::Nowhere(Box::new(Nowhere { reference, stage, looked })))
}

struct Place<'a> {
    app: &'a str,
    stage: &'a str,
    region: &'a str,
}

/// Where to look, in order.
fn places<'a>(scope: &'a Scope, reference: &'a Reference) -> Vec<Place<'a>> {
    let or = |part: &'a str, here: &'a str| if part.is_empty() { here } else { part };
    let app = or(reference.app_part(), scope.app.as_str());
    let region = or(reference.region_part(), scope.region.as_str());
    let stage = or(reference.stage_part(), scope.stage.as_str());
    let mut places = vec![Place { app, stage, region }];
    if let Some(fallback) = &scope.fallback_stage
        && reference.stage_part().is_empty()
        && app == scope.app.as_str()
    {
        places.push(Place { app, stage: fallback.as_str(), region });
    }
    places
}

fn look<'a>(scope: &'a Scope, reference: &Reference, place: &Place<'_>) -> Result<&'a str, Found> {
    let here: Vec<&Published> = scope
        .published
        .iter()
        .filter(|published| {
            published.app.as_str() == place.app
                && published.stage.as_str() == place.stage
                && published.region.as_str() == place.region
        })
        .collect();
    // Greenroom's name counts more than the framework's.
    let of_service: Vec<&Published> = here
        .iter()
        .filter(|published| published.service.as_str() == reference.service())
        .chain(here.iter().filter(|published| {
            published.service.as_str() != reference.service()
                && published.published_as.as_deref() == Some(reference.service())
        }))
        .copied()
        .collect();
    if let Some(value) =
        of_service.iter().find_map(|published| published.outputs.get(reference.key()))
    {
        return Ok(value);
    }
    if of_service.is_empty() {
        return Err(Found::Services(here.into_iter().map(shown).collect()));
    }
    Err(Found::Keys(of_service.iter().flat_map(|p| p.outputs.keys().cloned()).collect()))
}

fn shown(published: &Published) -> String {
    match &published.published_as {
        Some(name) if name != published.service.as_str() => {
            format!("{} ({name})", published.service)
        }
        Some(_) | None => published.service.to_string(),
    }
}

fn listed(names: &[String]) -> String {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    match names.len().checked_sub(NAMES_MAX) {
        Some(more @ 1..) => format!("{} and {more} more", names[..NAMES_MAX].join(", ")),
        Some(0) | None => names.join(", "),
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(reference) => {
                write!(f, "{reference} holds a variable that cannot be resolved here")
            }
            Self::Nowhere(nowhere) => {
                let service = nowhere.reference.service();
                let looked: Vec<String> = nowhere
                    .looked
                    .iter()
                    .map(|place| place.told(service, &nowhere.stage))
                    .collect();
                write!(
                    f,
                    "{} is not published: {}. Correct the reference, or deploy {service} with that output first",
                    nowhere.reference,
                    looked.join("; ")
                )
            }
        }
    }
}

impl Looked {
    fn told(&self, service: &str, asking: &str) -> String {
        let what = match &self.found {
            Found::Keys(keys) if keys.is_empty() => format!("{service} publishes nothing"),
            Found::Keys(keys) => format!("{service} publishes {}", listed(keys)),
            Found::Services(services) if !services.is_empty() => {
                format!("nothing is published by {service}, only by {}", listed(services))
            }
            Found::Services(_) if self.own => "nothing is published yet".to_owned(),
            Found::Services(_) => format!(
                "nothing is published that stage {asking} may read (it reads the long-lived stages of its AWS account)"
            ),
        };
        format!("in {} ({}) {what}", self.place, self.region)
    }
}

impl std::error::Error for Missing {}
