//! The settings of an app, to be read: rules, stages, profiles with their parameters, safeguards.
//!
//! What always holds: of a secret only where it comes from and when it was set is shown; whoever may
//! not change the settings sees no button that would.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse};
use chrono::{DateTime, Utc};
use model::ParameterKey;
use model::app::{
    Destroy, Drafts, Level, PreviewDeploy, PreviewRule, PreviewStageName, Rule, Safeguard,
    SecretPlace, SecretSource, SecretTimes, ServiceSettings, Settings, Trigger, Value, write,
};
use model::permission::Action;

use super::super::view::{Badge, Time};
use super::super::{Shell, html};
use super::badges::Badges;
use super::receivers::ReceiverRow;
use crate::api;
use crate::auth::Caller;
use crate::error::Result;
use crate::extract::escape;
use crate::state::State;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    shell: Shell,
    app: String,
    url: String,
    repository: String,
    default_profile: String,
    concurrency: String,
    preview_limit: String,
    /// How long a stage of somebody's own lives that nobody uses.
    personal: String,
    regions: Vec<(String, String)>,
    revision: i64,
    /// When, and by whom.
    changed: Option<(Time, String)>,
    rules: Vec<RuleRow>,
    stages: Vec<StageSection>,
    profiles: Vec<ProfileSection>,
    receivers: Vec<ReceiverRow>,
    badges: Badges,
    may_change: bool,
}

struct RuleRow {
    at: usize,
    what: &'static str,
    pattern: String,
    leads_to: String,
    details: Vec<String>,
    /// As the file writes it, so that what is removed is what was seen.
    seen: String,
}

struct StageSection {
    name: String,
    url: String,
    profile: String,
    account: String,
    facts: Vec<(&'static str, String)>,
    windows: Vec<WindowRow>,
    regions: Vec<(String, String)>,
    parameters: Parameters,
}

struct WindowRow {
    at: usize,
    text: String,
    seen: String,
}

struct ProfileSection {
    name: String,
    role: String,
    account: String,
    external_id: Option<String>,
    region: String,
    /// The roles that may work in its long-lived stages from their own machine.
    laptop: String,
    /// The stages that name it.
    used_by: String,
    parameters: Parameters,
    safeguards: Vec<SafeguardRow>,
}

struct Parameters {
    /// `profiles.NAME` or `stages.NAME`.
    place: String,
    rows: Vec<ParameterRow>,
}

struct ParameterRow {
    key: String,
    /// The form that changes it.
    url: String,
    /// `None`: it is shown to nobody.
    plain: Option<String>,
    source: String,
    set: Option<Time>,
}

struct SafeguardRow {
    badge: Badge,
    policy: &'static str,
    config: String,
}

/// The file itself, as `greenroom apply` takes it.
pub(super) async fn file(
    Extract(state): Extract<State>,
    Path(name): Path<String>,
) -> Result<impl IntoResponse> {
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], write(&app.settings)))
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Html<String>> {
    let now = state.now();
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    let newest = store::revision::list(&mut conn, app.id, None, 1).await?.pop();
    let times = store::secret::times(&mut conn, app.id).await?;
    let badge_key = store::badge::find(&mut conn, app.id).await?;
    let open = store::monitor::standings(&mut conn, Some(app.id)).await?;
    drop(conn);
    let settings = &app.settings;
    let url = format!("/apps/{}/settings", app.name);
    let sections = Sections { url: &url, settings, times: &times, now };
    html(&SettingsPage {
        shell: Shell::new(format!("Settings of {}", app.name), "settings").of(&caller),
        app: app.name.to_string(),
        repository: settings.repository.to_string(),
        default_profile: settings.default_profile.to_string(),
        concurrency: settings
            .concurrency
            .map_or_else(|| "as many as the workers take".into(), |count| count.to_string()),
        preview_limit: settings
            .preview_limit
            .map_or_else(|| "one for each pull request".into(), |count| count.to_string()),
        personal: settings.personal.map_or_else(
            || "for ever".into(),
            |personal| format!("{} after their last use", personal.expires_after),
        ),
        regions: regions(&settings.services),
        revision: newest.as_ref().map_or(0, |newest| newest.number),
        changed: newest.map(|newest| (Time::new(newest.at, now), newest.by)),
        rules: settings.rules.iter().enumerate().map(|(at, rule)| RuleRow::of(at, rule)).collect(),
        stages: sections.stages(&app.name),
        profiles: sections.profiles(),
        receivers: settings.notifications.iter().map(ReceiverRow::of).collect(),
        badges: Badges::of(
            &state.settings.public_url,
            &app.name,
            open.iter().map(|standing| &standing.stage),
            badge_key.as_ref(),
            now,
        ),
        may_change: caller.allows(Action::Configure, &app.name),
        url,
    })
}

struct Sections<'a> {
    url: &'a str,
    settings: &'a Settings,
    times: &'a SecretTimes,
    now: DateTime<Utc>,
}

impl Sections<'_> {
    fn stages(&self, app: &model::AppName) -> Vec<StageSection> {
        let section = |(name, stage): (&model::StageName, &model::app::StageSettings)| {
            let mut facts = Vec::new();
            if let Some(from) = &stage.promote_from {
                facts.push(("Promoted from", from.to_string()));
            }
            let approved = if stage.approvers.is_empty() {
                "nobody is asked".to_owned()
            } else {
                format!("{}, or an admin", stage.approvers.join(", "))
            };
            facts.push(("Approved by", approved));
            if !stage.approvers.is_empty() {
                facts.push(("An approval counts for", stage.approval_lifetime().to_string()));
            }
            let drift = stage
                .drift_interval()
                .map_or_else(|| "never by itself".to_owned(), |every| format!("every {every}"));
            facts.push(("Looked at for drift", drift));
            StageSection {
                name: name.to_string(),
                url: format!("/apps/{app}/stages/{name}"),
                profile: stage.profile.to_string(),
                account: self.settings.profile_of(name).1.role_arn.account().to_owned(),
                facts,
                windows: stage
                    .freeze
                    .iter()
                    .enumerate()
                    .map(|(at, window)| {
                        let closed = &window.closed;
                        let every =
                            closed.interval().map(|every| format!(", every {}", every.as_str()));
                        let (time, long) = (closed.time().as_str(), closed.duration().as_str());
                        let text = format!(
                            "{time} for {long}{}: {}",
                            every.unwrap_or_default(),
                            window.reason
                        );
                        WindowRow { at, text, seen: seen(window) }
                    })
                    .collect(),
                regions: regions(&stage.services),
                parameters: self.parameters(&SecretPlace::Stage(name.clone()), &stage.parameters),
            }
        };
        self.settings.stages.iter().map(section).collect()
    }

    fn profiles(&self) -> Vec<ProfileSection> {
        let section = |(name, profile): (&model::ProfileName, &model::app::Profile)| {
            let stages = self.settings.stages.iter().filter(|(_, stage)| stage.profile == *name);
            let mut used: Vec<String> = stages.map(|(stage, _)| stage.to_string()).collect();
            if self.settings.default_profile == *name {
                used.push("every stage that is not configured (previews)".to_owned());
            }
            ProfileSection {
                name: name.to_string(),
                role: profile.role_arn.to_string(),
                account: profile.role_arn.account().to_owned(),
                external_id: profile.external_id.clone(),
                laptop: profile
                    .laptop
                    .iter()
                    .map(|role| role.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
                region: profile.region.to_string(),
                used_by: if used.is_empty() { "no stage".to_owned() } else { used.join(", ") },
                parameters: self
                    .parameters(&SecretPlace::Profile(name.clone()), &profile.parameters),
                safeguards: profile.safeguards.iter().map(SafeguardRow::of).collect(),
            }
        };
        self.settings.profiles.iter().map(section).collect()
    }

    fn parameters(
        &self,
        place: &SecretPlace,
        values: &BTreeMap<ParameterKey, Value>,
    ) -> Parameters {
        let row = |(key, value): (&ParameterKey, &Value)| {
            let (plain, source, secret) = match value {
                Value::Plain(text) => (Some(text.clone()), String::new(), false),
                Value::Secret(SecretSource::Given(())) => (None, "secret".to_owned(), true),
                Value::Secret(SecretSource::SecretEnv(name)) => {
                    (None, format!("secret, from the variable {name}"), true)
                }
                Value::Remote(remote) => (None, format!("{remote}, read when a job runs"), false),
            };
            let set = self.times.get(&(place.clone(), key.clone())).filter(|_| secret);
            ParameterRow {
                url: format!(
                    "{}/parameter?place={}&key={}",
                    self.url,
                    escape(&place.to_string()),
                    escape(key.as_str())
                ),
                key: key.to_string(),
                plain,
                source,
                set: set.map(|at| Time::new(*at, self.now)),
            }
        };
        Parameters { place: place.to_string(), rows: values.iter().map(row).collect() }
    }
}

impl RuleRow {
    fn of(at: usize, rule: &Rule) -> Self {
        let only = |services: &Option<std::collections::BTreeSet<model::ServiceName>>| {
            services.as_ref().map(|names| {
                let names: Vec<&str> = names.iter().map(model::ServiceName::as_str).collect();
                format!("only {}", names.join(", "))
            })
        };
        let by_hand = |trigger: &Trigger| match trigger {
            Trigger::Auto => None,
            Trigger::Manual => Some("only by hand or by a promotion".to_owned()),
        };
        let (what, pattern, leads_to, details) = match rule {
            Rule::Branch { branch, stage, trigger, services } => {
                let details = by_hand(trigger).into_iter().chain(only(services));
                ("branch", branch.as_str().to_owned(), stage.to_string(), details.collect())
            }
            Rule::Tag { tag, stage, trigger, services } => {
                let details = by_hand(trigger).into_iter().chain(only(services));
                ("tag", tag.as_str().to_owned(), stage.to_string(), details.collect())
            }
            Rule::Preview { preview } => {
                let base: Vec<&str> =
                    preview.base.iter().map(model::app::RefPattern::as_str).collect();
                let name = match &preview.stage_name {
                    PreviewStageName::Branch => "a preview for each branch".to_owned(),
                    PreviewStageName::Fixed(name) => format!("the shared preview {name}"),
                };
                let details = only(&preview.services).into_iter().chain(of_preview(preview));
                ("pull requests against", base.join(", "), name, details.collect())
            }
        };
        Self { at, what, pattern, leads_to, details, seen: seen(rule) }
    }
}

fn of_preview(rule: &PreviewRule) -> impl Iterator<Item = String> {
    let deploy = match rule.deploy {
        PreviewDeploy::Changed => "holds what the pull request changes",
        PreviewDeploy::All => "holds the whole app",
    };
    let destroy = match rule.destroy {
        Destroy::BranchDeleted => "removed when its branch is deleted",
        Destroy::PullRequestClosed => "removed when its pull request is closed",
        Destroy::Never => "removed only by hand",
    };
    let expires = rule.expires_after.map(|after| format!("removed when unused for {after}"));
    let drafts = match rule.drafts {
        Drafts::Build => None,
        Drafts::Ignore => Some("no drafts".to_owned()),
    };
    let foresee = rule.foresee.as_ref().map(|stage| format!("foreseen for {stage}"));
    [Some(deploy.to_owned()), Some(destroy.to_owned()), expires, drafts, foresee]
        .into_iter()
        .flatten()
}

impl SafeguardRow {
    fn of(safeguard: &Safeguard) -> Self {
        // as it would be written in the app file; one without a configuration has no such key
        let written = serde_json::to_value(safeguard).unwrap_or_default();
        Self {
            policy: safeguard.policy().as_str(),
            badge: match safeguard.level {
                Level::Error => Badge::new("bad", "error"),
                Level::Warning => Badge::new("warn", "warning"),
            },
            config: written.get("config").map(ToString::to_string).unwrap_or_default(),
        }
    }
}

fn regions(services: &BTreeMap<model::ServiceName, ServiceSettings>) -> Vec<(String, String)> {
    let of = |service: &ServiceSettings| {
        service.regions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    services.iter().map(|(name, service)| (name.to_string(), of(service))).collect()
}

/// As the file writes it.
fn seen(part: &impl serde::Serialize) -> String {
    serde_json::to_string(part).unwrap_or_default()
}
