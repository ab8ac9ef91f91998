//! The `rules:` of an app file: each one a branch, a tag or a preview rule, no two for one thing.

use std::collections::{BTreeMap, BTreeSet};

use super::services::chosen;
use super::{Destroy, PreviewDeploy, PreviewRule, PreviewStageName, RefPattern, Rule, Trigger};
use crate::document::{Cursor, Fields};
use crate::{BranchName, ServiceName, StageName};

const TRIGGERS: [(&str, Trigger); 2] = [("auto", Trigger::Auto), ("manual", Trigger::Manual)];
const STAGE_NAMES: [(&str, PreviewStageName); 1] = [("branch", PreviewStageName::Branch)];
const DEPLOY: [(&str, PreviewDeploy); 2] =
    [("changed", PreviewDeploy::Changed), ("all", PreviewDeploy::All)];
const DESTROY: [(&str, Destroy); 3] = [
    ("branch-deleted", Destroy::BranchDeleted),
    ("pull-request-closed", Destroy::PullRequestClosed),
    ("never", Destroy::Never),
];

/// `is_stage` says whether the file configures a stage of this name.
pub(super) fn rules(cursor: &Cursor<'_>, is_stage: impl Fn(&StageName) -> bool) -> Vec<Rule> {
    let mut rules = Vec::new();
    // what a rule answers to, with the number of the first rule that does
    let mut answered: BTreeMap<String, usize> = BTreeMap::new();
    for (position, item) in cursor.items().unwrap_or_default().iter().enumerate() {
        let Some(rule) = rule(item, &is_stage) else { continue };
        for subject in subjects(&rule) {
            if let Some(first) = answered.get(&subject) {
                item.problem(format!(
                    "rules[{first}] is for {subject} already; remove one of them"
                ));
            } else {
                answered.insert(subject, position);
            }
        }
        rules.push(rule);
    }
    rules
}

/// Several rules may send one branch or tag to several stages, none to the same stage twice.
fn subjects(rule: &Rule) -> Vec<String> {
    match rule {
        Rule::Branch { branch, stage, .. } => {
            vec![format!("branch {} and stage {stage}", branch.as_str())]
        }
        Rule::Tag { tag, stage, .. } => vec![format!("tag {} and stage {stage}", tag.as_str())],
        Rule::Preview { preview } => {
            let against = |base: &RefPattern<_>| format!("pull requests against {}", base.as_str());
            preview.base.iter().map(against).collect()
        }
    }
}

fn rule(cursor: &Cursor<'_>, is_stage: &impl Fn(&StageName) -> bool) -> Option<Rule> {
    let fields = cursor.fields(&["branch", "tag", "preview", "stage", "trigger", "services"])?;
    match (fields.optional("branch"), fields.optional("tag"), fields.optional("preview")) {
        (Some(branch), None, None) => {
            let (branch, target) = (branch.parse(), target(&fields, is_stage));
            let Target { stage, trigger, services } = target?;
            Some(Rule::Branch { branch: branch?, stage, trigger, services })
        }
        (None, Some(tag), None) => {
            let (tag, target) = (tag.parse(), target(&fields, is_stage));
            let Target { stage, trigger, services } = target?;
            Some(Rule::Tag { tag: tag?, stage, trigger, services })
        }
        (None, None, Some(preview)) => {
            for key in ["stage", "trigger"] {
                if let Some(place) = fields.given(key) {
                    place.problem(format!(
                        "a preview rule has no `{key}`: its stages are named after their branches and built for each push"
                    ));
                }
            }
            if let Some(place) = fields.given("services") {
                place.problem("move `services` into `preview`");
            }
            Some(Rule::Preview { preview: preview_rule(preview)? })
        }
        (None, None, None)
        | (Some(_), Some(_), _)
        | (Some(_), _, Some(_))
        | (_, Some(_), Some(_)) => {
            cursor.problem("a rule has exactly one of `branch`, `tag` and `preview`");
            None
        }
    }
}

/// Where a branch or tag rule leads to.
struct Target {
    stage: StageName,
    trigger: Trigger,
    services: Option<BTreeSet<ServiceName>>,
}

fn target(fields: &Fields<'_>, is_stage: &impl Fn(&StageName) -> bool) -> Option<Target> {
    let trigger = match fields.optional("trigger") {
        Some(trigger) => trigger.choice(&TRIGGERS),
        None => Some(Trigger::default()),
    };
    let services = services(fields);
    let place = fields.required("stage", "name the stage that this rule deploys to")?;
    let stage = place.parse::<StageName>()?;
    if !is_stage(&stage) {
        place.problem(format!(
            "there is no stage {stage}; add it below `stages`, or correct the name"
        ));
        return None;
    }
    Some(Target { stage, trigger: trigger?, services: services? })
}

/// What the rule builds; the outer `None` where it cannot be read.
#[expect(clippy::option_option, reason = "not right is told from not given, as everywhere here")]
fn services(fields: &Fields<'_>) -> Option<Option<BTreeSet<ServiceName>>> {
    match fields.optional("services") {
        Some(place) => chosen(place).map(Some),
        None => Some(None),
    }
}

fn preview_rule(cursor: &Cursor<'_>) -> Option<PreviewRule> {
    let fields =
        cursor.fields(&["base", "stage_name", "services", "deploy", "destroy", "expires_after"])?;
    let base = fields
        .required("base", "list the branches whose pull requests get a preview")
        .and_then(|place| {
            let base = place.list::<RefPattern<BranchName>>()?;
            if base.is_empty() {
                place.problem("list at least one branch, or remove the rule");
            }
            Some(base)
        });
    let stage_name = match fields.optional("stage_name") {
        Some(place) => place.choice(&STAGE_NAMES),
        None => Some(PreviewStageName::default()),
    };
    let services = services(&fields);
    let deploy = match fields.optional("deploy") {
        Some(place) => place.choice(&DEPLOY),
        None => Some(PreviewDeploy::default()),
    };
    let destroy = match fields.optional("destroy") {
        Some(place) => place.choice(&DESTROY),
        None => Some(Destroy::default()),
    };
    let expires_after = match fields.optional("expires_after") {
        Some(place) => Some(place.parse()?),
        None => None,
    };
    Some(PreviewRule {
        base: base?,
        stage_name: stage_name?,
        services: services?,
        deploy: deploy?,
        destroy: destroy?,
        expires_after,
    })
}
