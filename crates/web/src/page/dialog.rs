//! Dialogs: before anything changes in AWS or in git, a page says what will happen, in which
//! account, with which role and to which stacks.
//!
//! What always holds: to read a dialog changes nothing; its form, a POST to the same address, does,
//! and through the function that the REST API calls too. What cannot be taken back asks for a name
//! to be typed, and it is the server that compares it.

pub(super) mod approval;
pub(super) mod freeze;
pub(super) mod orphan;
pub(super) mod promote;
pub(super) mod recover;
pub(super) mod remove;
pub(super) mod rollback;

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDateTime, Utc};
use model::deployment::InstanceState;
use model::{Region, ServiceName};
use store::app::App;
use store::instance::Instance;
use store::stage::Stage;

use super::view::{Badge, short};
use crate::error::{Error, Result};

/// Where something is about to happen.
pub(super) struct Reach {
    pub(super) app: String,
    pub(super) stage: String,
    pub(super) url: String,
    pub(super) kind: &'static str,
    pub(super) profile: String,
    /// The twelve digits of the role's account.
    pub(super) account: String,
    pub(super) role: String,
    pub(super) regions: String,
    pub(super) stacks: Vec<Stacks>,
}

/// The stacks of one service in one region.
pub(super) struct Stacks {
    pub(super) service: String,
    pub(super) region: String,
    pub(super) names: Vec<String>,
    pub(super) badge: Badge,
    pub(super) commit: Option<String>,
}

impl Reach {
    /// A stage with what is there of it, or of what may be.
    pub(super) fn of(app: &App, stage: &Stage, instances: &[Instance]) -> Self {
        let (profile, settings) = stage.profile_in(&app.settings);
        let there: Vec<&Instance> = instances.iter().filter(|one| may_be_there(one)).collect();
        let regions: BTreeSet<&Region> = there.iter().map(|one| &one.region).collect();
        let regions: Vec<&str> = regions.into_iter().map(Region::as_str).collect();
        Self {
            app: app.name.to_string(),
            stage: stage.name.to_string(),
            url: format!("/apps/{}/stages/{}", app.name, stage.name),
            kind: stage.kind.as_str(),
            profile: profile.to_string(),
            account: settings.role_arn.account().to_owned(),
            role: settings.role_arn.to_string(),
            regions: if regions.is_empty() {
                settings.region.to_string()
            } else {
                regions.join(", ")
            },
            stacks: there.into_iter().map(Stacks::of).collect(),
        }
    }
}

impl Reach {
    /// Names stacks of a service that are about to be made, or were not seen yet.
    fn name<'a>(
        &mut self,
        service: &ServiceName,
        region: &Region,
        names: impl Iterator<Item = &'a str>,
    ) {
        let known = self
            .stacks
            .iter()
            .position(|one| one.service == service.as_str() && one.region == region.as_str());
        let at = known.unwrap_or_else(|| {
            self.stacks.push(Stacks {
                service: service.to_string(),
                region: region.to_string(),
                names: Vec::new(),
                badge: Badge::new("off", "not there yet"),
                commit: None,
            });
            self.stacks.len() - 1
        });
        let stacks = &mut self.stacks[at].names;
        for name in names {
            if !stacks.iter().any(|known| known == name) {
                stacks.push(name.to_owned());
            }
        }
    }
}

impl Stacks {
    fn of(instance: &Instance) -> Self {
        Self {
            service: instance.service.to_string(),
            region: instance.region.to_string(),
            names: instance.stacks.clone(),
            badge: Badge::of_instance(instance.state),
            commit: instance.commit.as_ref().map(short),
        }
    }
}

fn may_be_there(instance: &Instance) -> bool {
    match instance.state {
        InstanceState::Planned | InstanceState::Removed => false,
        InstanceState::Deploying
        | InstanceState::Deployed
        | InstanceState::Failed
        | InstanceState::Removing => true,
    }
}

/// Refuses what was not confirmed by typing this name.
fn typed(name: &str, given: &str) -> Result<()> {
    if given.trim() == name {
        return Ok(());
    }
    Err(Error::invalid("confirm", format!("type {name} to confirm it; nothing was done")))
}

/// What was filled in, if anything was.
fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// A time as a browser's field for times sends it, in UTC as its label says; or one with a zone.
fn until(text: &str) -> Result<Option<DateTime<Utc>>> {
    let Some(text) = given(text) else { return Ok(None) };
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(Some(at.to_utc()));
    }
    let forms = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"];
    let local = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    local.map(|local| Some(local.and_utc())).ok_or_else(|| {
        Error::invalid("until", format!("{text:?} is no time: write it like 2027-01-31T18:00"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_browsers_send_it_and_as_programs_do() {
        let read = |text| until(text).unwrap().map(|at| at.to_rfc3339());
        assert_eq!(read(" "), None);
        for text in ["2027-01-31T18:00", "2027-01-31T18:00:00", "2027-01-31T19:00:00+01:00"] {
            assert_eq!(read(text).as_deref(), Some("2027-01-31T18:00:00+00:00"), "{text}");
        }
        assert!(until("tomorrow").is_err());
    }

    #[test]
    fn only_the_very_name_confirms() {
        assert!(typed("feature-x", " feature-x ").is_ok());
        for wrong in ["", "feature", "FEATURE-X", "yes"] {
            assert!(typed("feature-x", wrong).is_err(), "{wrong}");
        }
    }
}
