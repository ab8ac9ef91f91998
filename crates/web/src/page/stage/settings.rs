//! What the app's settings say of a stage: its rules, regions, parameters and safeguards.
//!
//! What always holds: of a parameter that is no plain value only the place is shown where its value
//! lies.

use std::collections::BTreeSet;

use model::ServiceName;
use model::app::{Level, Rule, SecretPlace, SecretSource, Settings, Trigger, Value};
use model::app::{RefPattern, Safeguard};
use store::stage::Stage;

use super::super::view::Badge;

pub(super) struct ParameterView {
    pub(super) key: String,
    pub(super) value: ValueView,
    /// The part of the app file in which it stands.
    pub(super) place: String,
}

pub(super) enum ValueView {
    Plain(String),
    /// Where a value comes from that is shown to nobody.
    Hidden(String),
}

pub(super) struct SafeguardView {
    pub(super) policy: &'static str,
    pub(super) level: Badge,
    pub(super) config: String,
}

pub(super) fn parameters(settings: &Settings, stage: &Stage) -> Vec<ParameterView> {
    stage
        .parameters_in(settings)
        .into_iter()
        .map(|(key, parameter)| ParameterView {
            key: key.to_string(),
            value: match parameter.value {
                Value::Plain(value) => ValueView::Plain(value.clone()),
                Value::Secret(SecretSource::SecretEnv(name)) => ValueView::Hidden(format!(
                    "secret, stored; from the variable {name} when the file was applied"
                )),
                Value::Secret(SecretSource::Given(())) => {
                    ValueView::Hidden("secret, stored".to_owned())
                }
                Value::Remote(remote) => {
                    ValueView::Hidden(format!("{remote}, read when a job runs"))
                }
            },
            place: match parameter.place {
                SecretPlace::Profile(name) => format!("profile {name}"),
                SecretPlace::Stage(name) => format!("stage {name}"),
                SecretPlace::Receiver(name) => format!("receiver {name}"),
            },
        })
        .collect()
}

pub(super) fn safeguards(settings: &Settings, stage: &Stage) -> Vec<SafeguardView> {
    stage.profile_in(settings).1.safeguards.iter().map(safeguard).collect()
}

fn safeguard(safeguard: &Safeguard) -> SafeguardView {
    // as it would be written in the app file; one without a configuration has no such key
    let written = serde_json::to_value(safeguard).unwrap_or_default();
    SafeguardView {
        policy: safeguard.policy().as_str(),
        level: match safeguard.level {
            Level::Error => Badge::new("bad", "error"),
            Level::Warning => Badge::new("warn", "warning"),
        },
        config: written.get("config").map(ToString::to_string).unwrap_or_default(),
    }
}

/// The services whose regions are not simply the profile's.
pub(super) fn regions(settings: &Settings, stage: &Stage) -> Vec<(String, String)> {
    let (profile, _) = stage.profile_in(settings);
    let own = settings.stage(&stage.name).into_iter().flat_map(|(_, own)| own.services.keys());
    let services: BTreeSet<&ServiceName> = settings.services.keys().chain(own).collect();
    let of = |service: &ServiceName| {
        let regions = settings.regions_with(profile, &stage.name, service);
        regions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    services.into_iter().map(|service| (service.to_string(), of(service))).collect()
}

/// What leads to a long-lived stage, rule by rule.
pub(super) fn rules(settings: &Settings, stage: &Stage) -> Vec<String> {
    let own = |name| model::stage::same_stage(name, &stage.name);
    let of = |what: &str, pattern: &str, trigger: Trigger, services: &Option<BTreeSet<_>>| {
        let names = services.iter().flatten().map(ServiceName::as_str).collect::<Vec<_>>();
        let only =
            if names.is_empty() { String::new() } else { format!(", only {}", names.join(", ")) };
        let by_hand = match trigger {
            Trigger::Auto => "",
            Trigger::Manual => ", by hand",
        };
        format!("{what} {pattern}{only}{by_hand}")
    };
    settings
        .rules
        .iter()
        .filter_map(|rule| match rule {
            Rule::Branch { branch, stage, trigger, services } => {
                own(stage).then(|| of("branch", branch.as_str(), *trigger, services))
            }
            Rule::Tag { tag, stage, trigger, services } => {
                own(stage).then(|| of("tag", tag.as_str(), *trigger, services))
            }
            Rule::Preview { .. } => None,
        })
        .collect()
}

/// The branch that somebody who builds the stage by hand most likely means.
pub(super) fn branch(settings: &Settings, stage: &Stage) -> Option<String> {
    let by_rule = || {
        settings.rules.iter().find_map(|rule| match rule {
            Rule::Branch { branch: RefPattern::Name(branch), stage: of, .. } => {
                model::stage::same_stage(of, &stage.name).then(|| branch.to_string())
            }
            Rule::Branch { branch: RefPattern::Glob(_), .. }
            | Rule::Tag { .. }
            | Rule::Preview { .. } => None,
        })
    };
    stage.branch.as_ref().map(ToString::to_string).or_else(by_rule)
}

/// Who decides about deploys to it, and when there are none.
pub(super) fn gate(settings: &Settings, stage: &Stage) -> Vec<(&'static str, String)> {
    let Some((_, own)) = settings.stage(&stage.name) else { return Vec::new() };
    let mut facts = Vec::new();
    if let Some(from) = &own.promote_from {
        facts.push(("Promoted from", from.to_string()));
    }
    if !own.approvers.is_empty() {
        let who = own.approvers.join(", ");
        let lifetime = own.approval_lifetime();
        facts.push(("Approved by", format!("{who}, or an admin; within {lifetime}")));
    }
    for window in &own.freeze {
        let closed = &window.closed;
        let again = closed.interval().map(|every| format!(", every {}", every.as_str()));
        let (from, long) = (closed.time().as_str(), closed.duration().as_str());
        let again = again.unwrap_or_default();
        facts.push(("Frozen at times", format!("{from} for {long}{again}: {}", window.reason)));
    }
    facts
}
