//! Where a stage stands, by its app's settings: its profile, its parameters, and the stage that
//! stands in for what it does not have itself. Pure.
//!
//! What always holds: a stage that stands in for another is a long-lived one of the same app whose
//! role is in the same AWS account, so whoever deploys the one may know what the other publishes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::app::{PreviewDeploy, PreviewRule, Profile, Settings, StageParameter, Value};
use model::rule::rule_of;
use model::stage::{Expiry, StageKind, same_stage};
use model::{ParameterKey, ProfileName, StageName};

use super::Stage;

/// The parameter that names the stage which previews and personal stages read from.
const ENV: &str = "env";

impl Stage {
    /// The profile that serves it. A preview keeps the one it was made with for as long as the
    /// settings have it: its stacks lie in that account.
    pub fn profile_in<'a>(&self, settings: &'a Settings) -> (&'a ProfileName, &'a Profile) {
        settings.profile_kept(&self.name, &self.profile)
    }

    /// Its parameters, each with the place it was written at.
    pub fn parameters_in<'a>(
        &self,
        settings: &'a Settings,
    ) -> BTreeMap<&'a ParameterKey, StageParameter<'a>> {
        settings.parameters_with(self.profile_in(settings).0, &self.name)
    }

    /// Those of its parameters whose values stand in the settings.
    pub fn plain_parameters_in(&self, settings: &Settings) -> BTreeMap<ParameterKey, String> {
        let plain = |(key, parameter): (&ParameterKey, StageParameter<'_>)| match parameter.value {
            Value::Plain(value) => Some((key.clone(), value.clone())),
            Value::Secret(_) | Value::Remote(_) => None,
        };
        self.parameters_in(settings).into_iter().filter_map(plain).collect()
    }

    /// The rule of a preview; none where it is no preview, or its rule is gone.
    pub fn preview_rule_in<'a>(&self, settings: &'a Settings) -> Option<&'a PreviewRule> {
        match self.kind {
            StageKind::Preview => rule_of(settings, &self.name, self.base.as_ref()),
            StageKind::LongLived | StageKind::Personal => None,
        }
    }

    /// When a preview ends that somebody needs at this time, and nobody after it; `None`: never.
    pub fn expiry_in(&self, settings: &Settings, active_at: DateTime<Utc>) -> Option<Expiry> {
        let lifetime = self.preview_rule_in(settings)?.expires_after?;
        let expiry = Expiry::of(lifetime, active_at);
        Some(self.kept_until.map_or(expiry, |until| expiry.not_before(until)))
    }

    /// The stage whose services are not deployed here as long as they are the same there.
    pub fn spared_by<'a>(
        &self,
        settings: &'a Settings,
        deploy: PreviewDeploy,
    ) -> Option<&'a StageName> {
        match deploy {
            PreviewDeploy::Changed => self.base_in(settings),
            PreviewDeploy::All => None,
        }
    }

    /// The stage whose services it reads where it has none itself: the one that its parameter
    /// `env` names.
    pub fn base_in<'a>(&self, settings: &'a Settings) -> Option<&'a StageName> {
        match self.kind {
            StageKind::LongLived => return None,
            StageKind::Preview | StageKind::Personal => {}
        }
        let parameters = self.parameters_in(settings);
        let env = parameters.iter().find(|(key, _)| key.as_str() == ENV)?.1;
        let name: StageName = match env.value {
            Value::Plain(value) => value.parse().ok()?,
            Value::Secret(_) | Value::Remote(_) => return None,
        };
        let (base, _) = settings.stage(&name)?;
        let account = |profile: &'a Profile| profile.role_arn.account();
        let same = account(settings.profile_of(base).1) == account(self.profile_in(settings).1);
        (same && !same_stage(base, &self.name)).then_some(base)
    }
}
