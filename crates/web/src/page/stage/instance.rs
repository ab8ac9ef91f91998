//! What is deployed in a stage of each service and region, and what it reads from another stage.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::deployment::InstanceState;
use model::output::Reference;
use model::outside::Outside;
use model::stage::StageState;
use model::{AppName, Region, ServiceName, StageName};
use store::PgConnection;
use store::app::App;
use store::instance::Instance;
use store::stage::Stage;

use super::super::board::is_link;
use super::super::view::{Badge, Time, short};
use crate::error::Result;
use crate::extract::escape;

pub(super) struct InstanceView {
    pub(super) service: String,
    pub(super) region: String,
    pub(super) published_as: Option<String>,
    pub(super) badge: Badge,
    pub(super) reason: Option<String>,
    pub(super) commit: Option<String>,
    pub(super) build: Option<(String, i64)>,
    pub(super) stacks: Vec<StackView>,
    pub(super) endpoints: Vec<Text>,
    pub(super) outputs: Vec<OutputView>,
    /// It runs with other parameters than the stage has now.
    pub(super) outdated: bool,
    pub(super) outside: Option<OutsideView>,
    /// The dialog that helps it out if it is stuck.
    pub(super) recover: Option<String>,
    pub(super) updated: Time,
}

/// A stack, and where the AWS console shows it; empty: in a console that we know no address of.
pub(super) struct StackView {
    pub(super) name: String,
    pub(super) url: String,
}

impl StackView {
    fn of(name: String, region: &str, partition: &str) -> Self {
        let console = match partition {
            "aws" => "console.aws.amazon.com",
            "aws-us-gov" => "console.amazonaws-us-gov.com",
            "aws-cn" => "console.amazonaws.cn",
            _unknown => return Self { name, url: String::new() },
        };
        let text = escape(&name);
        let url = format!(
            "https://{region}.{console}/cloudformation/home?region={region}#/stacks?filteringText={text}"
        );
        Self { name, url }
    }
}

/// What somebody else did to its stacks since the last deploy.
pub(super) struct OutsideView {
    pub(super) reason: String,
    pub(super) at: Time,
    /// The build that saw it, and its page.
    pub(super) build: (String, i64),
}

/// A value of a stack; an address can be opened.
pub(super) struct Text {
    pub(super) text: String,
    pub(super) link: bool,
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self { link: is_link(&text), text }
    }
}

pub(super) struct OutputView {
    pub(super) key: String,
    pub(super) value: Text,
    /// How services of this app and stage read it.
    pub(super) short: Option<String>,
    /// How everything else does.
    pub(super) long: Option<String>,
}

/// Where an instance stands, for the references to its outputs.
pub(super) struct Place<'a> {
    pub(super) app: &'a AppName,
    pub(super) stage: &'a StageName,
    /// Of the stage's parameters as they are now.
    pub(super) parameters_digest: &'a str,
    /// Of AWS: that of the stage's role.
    pub(super) partition: &'a str,
    /// The caller may change the stage.
    pub(super) changeable: bool,
}

impl Place<'_> {
    pub(super) fn view(&self, instance: Instance, now: DateTime<Utc>) -> InstanceView {
        let outdated = instance.parameters_changed(self.parameters_digest);
        let (service, region) = (&instance.service, &instance.region);
        let outputs = instance.outputs.iter().map(|(key, value)| OutputView {
            key: key.clone(),
            value: Text::from(value.clone()),
            short: reference(&format!("{service}.{key}")),
            long: reference(&format!("{}:{}:{region}:{service}.{key}", self.app, self.stage)),
        });
        let build = |number: i64| (format!("/apps/{}/builds/{number}", self.app), number);
        let outside = |outside: Outside| OutsideView {
            reason: outside.reason,
            at: Time::new(outside.at, now),
            build: build(outside.build),
        };
        let stuck = self.changeable
            && instance.state == InstanceState::Failed
            && !instance.stacks.is_empty();
        let recover = || {
            let (app, stage) = (self.app, self.stage);
            format!("/apps/{app}/stages/{stage}/recover?service={service}&region={region}")
        };
        InstanceView {
            recover: stuck.then(recover),
            service: service.to_string(),
            region: region.to_string(),
            badge: Badge::of_instance(instance.state),
            commit: instance.commit.as_ref().map(short),
            build: instance.build_number.map(build),
            outputs: outputs.collect(),
            published_as: instance.spec.published_as.filter(|name| name != service.as_str()),
            reason: instance.reason,
            stacks: instance
                .stacks
                .into_iter()
                .map(|name| StackView::of(name, region.as_str(), self.partition))
                .collect(),
            endpoints: instance.endpoints.into_iter().map(Text::from).collect(),
            outdated,
            outside: instance.changed_outside.map(outside),
            updated: Time::new(instance.updated_at, now),
        }
    }
}

/// A key may be one that no reference can name.
fn reference(address: &str) -> Option<String> {
    address.parse::<Reference>().ok().map(String::from)
}

/// What a stage does not have itself and reads from another.
pub(super) struct Elsewhere {
    pub(super) stage: String,
    pub(super) url: String,
    pub(super) services: Vec<Borrowed>,
}

pub(super) struct Borrowed {
    pub(super) service: String,
    pub(super) region: String,
    pub(super) commit: String,
}

/// Whether an instance publishes anything, now or still.
fn is_there(instance: &Instance) -> bool {
    match instance.state {
        InstanceState::Planned | InstanceState::Removed => false,
        InstanceState::Deploying
        | InstanceState::Deployed
        | InstanceState::Failed
        | InstanceState::Removing => instance.commit.is_some(),
    }
}

/// The services that a preview or a personal stage reads from the stage its parameters name, while
/// it is up.
pub(super) async fn elsewhere(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    own: &[Instance],
) -> Result<Option<Elsewhere>> {
    let base = stage.base_in(&app.settings).filter(|_| stage.state != StageState::Closed);
    let Some(base) = base else { return Ok(None) };
    let there = match store::stage::find_open(conn, app.id, base).await? {
        Some(row) => store::instance::list(conn, row.id).await?,
        None => Vec::new(),
    };
    let here: BTreeSet<(&ServiceName, &Region)> =
        own.iter().filter(|one| is_there(one)).map(|one| (&one.service, &one.region)).collect();
    let borrowed = there
        .iter()
        .filter(|one| is_there(one) && !here.contains(&(&one.service, &one.region)))
        .map(|one| Borrowed {
            service: one.service.to_string(),
            region: one.region.to_string(),
            commit: one.commit.as_ref().map(short).unwrap_or_default(),
        });
    Ok(Some(Elsewhere {
        url: format!("/apps/{}/stages/{base}", app.name),
        stage: base.to_string(),
        services: borrowed.collect(),
    }))
}

impl Elsewhere {
    /// Whether what a stage only planned to have is read from here.
    pub(super) fn stands_in_for(&self, instance: &Instance) -> bool {
        match instance.state {
            InstanceState::Planned => self.services.iter().any(|one| {
                one.service == instance.service.as_str() && one.region == instance.region.as_str()
            }),
            InstanceState::Deploying
            | InstanceState::Deployed
            | InstanceState::Failed
            | InstanceState::Removing
            | InstanceState::Removed => false,
        }
    }
}
