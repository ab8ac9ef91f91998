//! The `rules:` of an app file: each one a branch, a tag or a preview rule, no two for one thing.

use std::collections::{BTreeMap, BTreeSet};

use super::services::chosen;
use super::stages::known_stage;
use super::{
    Destroy, Drafts, PreviewDeploy, PreviewRule, PreviewStageName, RefPattern, Rule, Trigger,
};
use crate::document::{Cursor, Fields};
use crate::stage::same_stage;
use crate::{BranchName, ServiceName, StageName};

const TRIGGERS: [(&str, Trigger); 2] = [("auto", Trigger::Auto), ("manual", Trigger::Manual)];
const DEPLOY: [(&str, PreviewDeploy); 2] =
    [("changed", PreviewDeploy::Changed), ("all", PreviewDeploy::All)];
const DESTROY: [(&str, Destroy); 3] = [
    ("branch-deleted", Destroy::BranchDeleted),
    ("pull-request-closed", Destroy::PullRequestClosed),
    ("never", Destroy::Never),
];

const DRAFTS: [(&str, Drafts); 2] = [("build", Drafts::Build), ("ignore", Drafts::Ignore)];

/// `stages` are those that the file configures.
pub(super) fn rules(cursor: &Cursor<'_>, stages: &[&StageName]) -> Vec<Rule> {
    let mut rules = Vec::new();
    // what a rule answers to, with the number of the first rule that does
    let mut answered: BTreeMap<String, usize> = BTreeMap::new();
    for (position, item) in cursor.items().unwrap_or_default().iter().enumerate() {
        let Some(rule) = rule(item, stages) else { continue };
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
            // two rules could not both say when one stage is removed
            let shared = match &preview.stage_name {
                PreviewStageName::Branch => None,
                PreviewStageName::Fixed(name) => {
                    Some(format!("the shared preview {}", name.as_str().to_ascii_lowercase()))
                }
            };
            preview.base.iter().map(against).chain(shared).collect()
        }
    }
}

fn rule(cursor: &Cursor<'_>, stages: &[&StageName]) -> Option<Rule> {
    let fields = cursor.fields(&["branch", "tag", "preview", "stage", "trigger", "services"])?;
    match (fields.optional("branch"), fields.optional("tag"), fields.optional("preview")) {
        (Some(branch), None, None) => {
            let (branch, target) = (branch.parse(), target(&fields, stages));
            let Target { stage, trigger, services } = target?;
            Some(Rule::Branch { branch: branch?, stage, trigger, services })
        }
        (None, Some(tag), None) => {
            let (tag, target) = (tag.parse(), target(&fields, stages));
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
            Some(Rule::Preview { preview: preview_rule(preview, stages)? })
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

fn target(fields: &Fields<'_>, stages: &[&StageName]) -> Option<Target> {
    let trigger = match fields.optional("trigger") {
        Some(trigger) => trigger.choice(&TRIGGERS),
        None => Some(Trigger::default()),
    };
    let services = services(fields);
    let place = fields.required("stage", "name the stage that this rule deploys to")?;
    let stage = known_stage(place, |stage| stages.contains(&stage))?;
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

fn preview_rule(cursor: &Cursor<'_>, stages: &[&StageName]) -> Option<PreviewRule> {
    let fields = cursor.fields(&[
        "base",
        "stage_name",
        "services",
        "deploy",
        "destroy",
        "expires_after",
        "drafts",
        "foresee",
    ])?;
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
        Some(place) => preview_stage_name(place, stages),
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
        Some(place) => place.parse().map(Some),
        None => Some(None),
    };
    let drafts = match fields.optional("drafts") {
        Some(place) => place.choice(&DRAFTS),
        None => Some(Drafts::default()),
    };
    let foresee = match fields.optional("foresee") {
        Some(place) => known_stage(place, |stage| stages.contains(&stage)).map(Some),
        None => Some(None),
    };
    Some(PreviewRule {
        base: base?,
        stage_name: stage_name?,
        services: services?,
        deploy: deploy?,
        destroy: destroy?,
        expires_after: expires_after?,
        drafts: drafts?,
        foresee: foresee?,
    })
}

/// `branch`, or `{ fixed: NAME }`.
fn preview_stage_name(place: &Cursor<'_>, stages: &[&StageName]) -> Option<PreviewStageName> {
    if place.scalar() == Some("branch") {
        return Some(PreviewStageName::Branch);
    }
    if !place.is_map() {
        place.problem(
            "this must be `branch` (each branch has a preview of its own) or { fixed: NAME } (the \
             rule's pull requests share one stage)",
        );
        return None;
    }
    let fields = place.fields(&["fixed"])?;
    let fixed = fields.required("fixed", "name the stage that the pull requests share")?;
    let name = fixed.parse::<StageName>()?;
    if let Some(stage) = stages.iter().find(|stage| same_stage(stage, &name)) {
        fixed.problem(format!(
            "{stage} is a long-lived stage of this file, and a preview would be removed with its \
             pull requests; choose another name"
        ));
        return None;
    }
    Some(PreviewStageName::Fixed(name))
}
