//! What holds for any rules and any push.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::app::{RefPattern, Rule};

const PATTERNS: [&str; 6] = ["master", "release/1", "release/*", "*", "m*", "{master,next}"];
const REFS: [&str; 4] = ["master", "release/1", "release/2", "next"];
const STAGES: [&str; 2] = ["staging", "prod"];

fn services() -> impl Strategy<Value = Option<BTreeSet<ServiceName>>> {
    let name = prop::sample::select(vec!["database", "restapi", "tasks"])
        .prop_map(|name| name.parse::<ServiceName>().expect("a service"));
    prop::option::of(prop::collection::btree_set(name, 1..=3))
}

fn pattern<N: std::str::FromStr<Err = crate::InvalidName>>(text: &str) -> RefPattern<N> {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let trigger = prop_oneof![Just(Trigger::Auto), Just(Trigger::Manual)];
    let parts = (
        prop::sample::select(PATTERNS.to_vec()),
        prop::sample::select(STAGES.to_vec()),
        trigger,
        services(),
        any::<bool>(),
    );
    let rule = parts.prop_map(|(text, stage, trigger, services, of_branch)| {
        let stage = stage.parse().expect("a stage");
        if of_branch {
            Rule::Branch { branch: pattern(text), stage, trigger, services }
        } else {
            Rule::Tag { tag: pattern(text), stage, trigger, services }
        }
    });
    prop::collection::vec(rule, 0..8)
}

type Built = BTreeMap<StageName, Option<BTreeSet<ServiceName>>>;

/// The builds of a decision by their stages; fails on a stage that has two.
fn built(decision: Decision) -> Result<Built, TestCaseError> {
    let mut found = Built::new();
    let wanted = match decision {
        Decision::Start(wanted) => {
            prop_assert!(!wanted.is_empty(), "a start of nothing");
            wanted
        }
        Decision::Nothing { reason } => {
            prop_assert!(!reason.is_empty());
            Vec::new()
        }
    };
    for wanted in wanted {
        let Wanted::Build(build) = wanted else {
            return Err(TestCaseError::fail(format!("a push wants {wanted:?}")));
        };
        let BuildWanted { stage: StageWanted::LongLived(stage), services, .. } = *build else {
            return Err(TestCaseError::fail("a push wants anything but a stage"));
        };
        prop_assert!(services.as_ref().is_none_or(|services| !services.is_empty()));
        prop_assert!(found.insert(stage, services).is_none(), "one stage has two builds");
    }
    Ok(found)
}

/// What the automatic rules that match say, stage by stage, written down anew.
fn expected(rules: &[Rule], branch: Option<&BranchName>, tag: Option<&TagName>) -> Built {
    let mut found = Built::new();
    for rule in rules {
        let (stage, services) = match rule {
            Rule::Branch { branch: pattern, stage, trigger: Trigger::Auto, services }
                if branch.is_some_and(|branch| pattern.matches(branch)) =>
            {
                (stage, services)
            }
            Rule::Tag { tag: pattern, stage, trigger: Trigger::Auto, services }
                if tag.is_some_and(|tag| pattern.matches(tag)) =>
            {
                (stage, services)
            }
            Rule::Branch { .. } | Rule::Tag { .. } | Rule::Preview { .. } => continue,
        };
        let known = found.entry(stage.clone()).or_insert_with(|| Some(BTreeSet::new()));
        match (known.as_mut(), services) {
            (Some(known), Some(services)) => known.extend(services.iter().cloned()),
            (None, _) | (_, None) => *known = None,
        }
    }
    found
}

proptest! {
    #[test]
    fn a_push_never_starts_two_builds_for_one_stage_and_each_has_what_its_rules_say(
        rules in rules(),
        name in prop::sample::select(REFS.to_vec()),
        of_branch: bool,
    ) {
        let settings = Settings { rules, ..settings("") };
        let source = if of_branch { source(Some(name), None) } else { source(None, Some(name)) };
        let (branch, tag) = (source.branch.clone(), source.tag.clone());
        let event = RepositoryEvent::Pushed { source, message: String::new() };
        let found = built(decide(&settings, &event))?;
        prop_assert_eq!(found, expected(&settings.rules, branch.as_ref(), tag.as_ref()));
    }

    #[test]
    fn by_hand_each_stage_stands_once_and_every_push_could_be_started(
        rules in rules(),
        name in prop::sample::select(REFS.to_vec()),
    ) {
        let settings = Settings { rules, ..settings("") };
        let source = source(Some(name), None);
        let targets = by_hand(&settings, source.branch.as_ref(), None);
        let stages: BTreeSet<&StageName> = targets.iter().map(|target| &target.stage).collect();
        prop_assert_eq!(stages.len(), targets.len());
        let pushed = built(decide(&settings, &RepositoryEvent::Pushed {
            source,
            message: String::new(),
        }))?;
        prop_assert!(pushed.keys().all(|stage| stages.contains(stage)));
    }

    #[test]
    fn a_glob_and_a_name_for_one_stage_unite(glob in services(), name in services()) {
        let stage: StageName = "staging".parse().expect("a stage");
        let rule = |text: &str, services: &Option<BTreeSet<ServiceName>>| Rule::Branch {
            branch: pattern(text),
            stage: stage.clone(),
            trigger: Trigger::Auto,
            services: services.clone(),
        };
        let rules = vec![rule("release/*", &glob), rule("release/1", &name)];
        let settings = Settings { rules, ..settings("") };
        let found = built(decide(&settings, &pushed("release/1")))?;
        let both = glob.zip(name).map(|(glob, name)| glob.union(&name).cloned().collect());
        prop_assert_eq!(found, Built::from([(stage, both)]));
    }
}
