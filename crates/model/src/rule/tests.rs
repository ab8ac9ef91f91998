//! What each event starts under which rules, as sentences.

mod previews;
mod properties;

use rstest::rstest;

use super::*;
use crate::app::parse_yaml;

fn settings(rules: &str) -> Settings {
    let text = format!(
        "app: workshop\nrepository: acme/workshop\ndefault_profile: dev\n\
         profiles:\n  dev: {{ role_arn: 'arn:aws:iam::111111111111:role/g', region: us-east-1 }}\n\
         stages:\n  staging: {{ profile: dev }}\n  prod: {{ profile: dev }}\nrules:\n{rules}"
    );
    parse_yaml(&text).expect("valid settings").settings
}

const RULES: &str = "- { branch: master, stage: staging }
- { branch: prod, stage: prod, trigger: manual }
- { tag: 'v*', stage: prod }
- { tag: 'release/*', stage: staging, trigger: manual }
- preview: { base: [master] }
- preview: { base: [next], destroy: pull-request-closed }
";

fn source(branch: Option<&str>, tag: Option<&str>) -> Source {
    Source {
        commit: "a".repeat(40).parse().expect("a commit"),
        branch: branch.map(|branch| branch.parse().expect("a branch")),
        tag: tag.map(|tag| tag.parse().expect("a tag")),
        pull_request: None,
        title: "a change".into(),
        author: "ann".into(),
    }
}

fn pushed(branch: &str) -> RepositoryEvent {
    RepositoryEvent::Pushed { source: source(Some(branch), None), message: String::new() }
}

fn tagged(tag: &str) -> RepositoryEvent {
    RepositoryEvent::Pushed { source: source(None, Some(tag)), message: String::new() }
}

fn pull(action: PullRequestAction, base: &str, fork: bool) -> RepositoryEvent {
    let base = base.parse().expect("a branch");
    let source = source(Some("feature/x"), None);
    RepositoryEvent::PullRequest(PullRequestEvent { action, source, base, draft: false, fork })
}

fn of(services: Option<&BTreeSet<ServiceName>>) -> String {
    services.map_or_else(String::new, |services| {
        let names: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
        format!(" of {}", names.join(" and "))
    })
}

fn shown(preview: &Preview) -> String {
    match preview {
        Preview::OfBranch(branch) => format!("preview of {branch}"),
        Preview::Shared(stage) => format!("preview {stage}"),
    }
}

/// The decision in a form that reads well in a test.
fn outcome(rules: &str, event: &RepositoryEvent) -> String {
    match decide(&settings(rules), event) {
        Decision::Nothing { reason } => reason,
        Decision::Start(wanted) => wanted
            .iter()
            .map(|wanted| match wanted {
                Wanted::Build(build) => {
                    let BuildWanted { event, purpose, stage, services, .. } = &**build;
                    let stage = match stage {
                        StageWanted::LongLived(stage) => stage.to_string(),
                        StageWanted::Preview { preview, deploy, .. } => {
                            let whole = match deploy {
                                PreviewDeploy::Changed => "",
                                PreviewDeploy::All => "whole ",
                            };
                            format!("{whole}{}", shown(preview))
                        }
                        StageWanted::None => "nowhere".into(),
                    };
                    let services = of(services.as_ref());
                    format!("{} {}{services} to {stage}", event.as_str(), purpose.as_str())
                }
                Wanted::RemovePreview { preview, event } => {
                    format!("{} removes the {}", event.as_str(), shown(preview))
                }
            })
            .collect::<Vec<_>>()
            .join(", "),
    }
}

#[rstest]
#[case(pushed("master"), "push deploy to staging")]
#[case(pushed("prod"), "the rule for branch prod is manual: start the build by hand")]
#[case(pushed("feature/x"), "no rule for branch feature/x")]
#[case(tagged("v1.0"), "tag deploy to prod")]
#[case(tagged("v/1"), "tag deploy to prod")]
#[case(tagged("release/1"), "the rule for tag release/1 is manual: start the build by hand")]
#[case(tagged("x"), "no rule for tag x")]
fn a_push_goes_where_its_rule_says(#[case] event: RepositoryEvent, #[case] expected: &str) {
    assert_eq!(outcome(RULES, &event), expected);
}

#[rstest]
#[case(PullRequestAction::Opened)]
#[case(PullRequestAction::Reopened)]
#[case(PullRequestAction::Synchronized)]
#[case(PullRequestAction::BaseEdited { from: "other".parse().expect("a branch") })]
fn a_pull_request_against_a_base_gets_a_preview(#[case] action: PullRequestAction) {
    let expected = "pull_request deploy to preview of feature/x";
    assert_eq!(outcome(RULES, &pull(action.clone(), "master", false)), expected);
    let none = "no preview rule for pull requests against other";
    assert_eq!(outcome(RULES, &pull(action.clone(), "other", false)), none);
    let fork = "pull_request test to nowhere";
    assert_eq!(outcome(RULES, &pull(action, "master", true)), fork);
}

#[rstest]
#[case("next", false, "pull_request_closed removes the preview of feature/x")]
#[case("next", true, "a pull request from a fork has no preview to remove")]
#[case("master", false, "the preview is kept until its branch is deleted, as the rule says")]
fn a_closed_pull_request_removes_the_preview_if_the_rule_says_so(
    #[case] base: &str,
    #[case] fork: bool,
    #[case] expected: &str,
) {
    assert_eq!(outcome(RULES, &pull(PullRequestAction::Closed, base, fork)), expected);
}

#[test]
fn a_deleted_branch_removes_its_preview_unless_every_rule_keeps_it() {
    let deleted = RepositoryEvent::BranchDeleted { branch: "feature/x".parse().expect("a branch") };
    let removed = "branch_deleted removes the preview of feature/x";
    assert_eq!(outcome(RULES, &deleted), removed);
    assert_eq!(outcome("- { branch: master, stage: staging }\n", &deleted), removed);
    let kept = outcome("- preview: { base: [master], destroy: never }\n", &deleted);
    assert!(kept.contains("destroy: never"), "{kept}");
}

#[test]
fn a_tag_that_two_rules_match_goes_to_each_stage_once() {
    let rules = "- { tag: 'v*', stage: prod }\n- { tag: 'v?.*', stage: prod }\n- { tag: '*.0', stage: staging }\n";
    assert_eq!(outcome(rules, &tagged("v1.0")), "tag deploy to prod, tag deploy to staging");
}

#[rstest]
#[case(pushed("release/1"), "push deploy to staging")]
#[case(pushed("release/1/fix"), "push deploy to staging")]
#[case(pushed("release"), "no rule for branch release")]
// a name is no pattern: the dot is a dot
#[case(pushed("v1.x"), "push deploy to prod")]
#[case(pushed("v1xx"), "no rule for branch v1xx")]
fn a_branch_rule_with_a_glob_is_for_every_branch_it_matches(
    #[case] event: RepositoryEvent,
    #[case] expected: &str,
) {
    let rules = "- { branch: 'release/*', stage: staging }\n- { branch: v1.x, stage: prod }\n";
    assert_eq!(outcome(rules, &event), expected);
}

#[test]
fn every_rule_that_matches_a_push_starts_a_build_of_its_stage() {
    let rules = "- { branch: '*', stage: staging }\n- { branch: master, stage: prod }\n";
    assert_eq!(outcome(rules, &pushed("master")), "push deploy to prod, push deploy to staging");
    assert_eq!(outcome(rules, &pushed("next")), "push deploy to staging");
}

#[test]
fn a_glob_and_a_name_for_one_stage_unite_their_services() {
    let rules = "- { branch: 'release/*', stage: staging, services: [restapi, tasks] }
- { branch: release/1, stage: staging, services: [database, tasks] }
- { branch: release/2, stage: staging }
";
    let all_three = "push deploy of database and restapi and tasks to staging";
    assert_eq!(outcome(rules, &pushed("release/1")), all_three);
    // a rule without `services` is for all of them
    assert_eq!(outcome(rules, &pushed("release/2")), "push deploy to staging");
    let its_own = "push deploy of restapi and tasks to staging";
    assert_eq!(outcome(rules, &pushed("release/3")), its_own);
}

#[test]
fn a_manual_rule_adds_nothing_to_what_a_push_starts() {
    let rules = "- { branch: master, stage: staging, services: [restapi] }
- { branch: 'mas*', stage: staging, trigger: manual }
- { branch: 'm*', stage: prod, trigger: manual }
";
    assert_eq!(outcome(rules, &pushed("master")), "push deploy of restapi to staging");
}

#[test]
fn a_tag_rule_may_be_for_some_services() {
    let rules = "- { tag: 'api-*', stage: prod, services: [restapi] }\n";
    assert_eq!(outcome(rules, &tagged("api-1")), "tag deploy of restapi to prod");
}

#[test]
fn several_tags_in_one_push_each_go_where_their_rule_says() {
    // GitHub sends one event a tag, for up to three of them
    let rules =
        "- { tag: 'api-*', stage: prod, services: [restapi] }\n- { tag: 'v*', stage: prod }\n";
    let outcomes = ["api-1", "v1"].map(|tag| outcome(rules, &tagged(tag)));
    assert_eq!(outcomes, ["tag deploy of restapi to prod", "tag deploy to prod"]);
}

#[rstest]
#[case("master", "pull_request deploy of restapi to whole preview of feature/x")]
#[case("release/1", "pull_request deploy to preview of feature/x")]
#[case("release/2", "pull_request deploy of tasks to preview of feature/x")]
fn a_preview_rule_says_what_a_preview_holds(#[case] base: &str, #[case] expected: &str) {
    let rules = "- preview: { base: ['release/*'], services: [tasks] }
- preview: { base: [release/1] }
- preview: { base: [master], services: [restapi], deploy: all }
";
    assert_eq!(outcome(rules, &pull(PullRequestAction::Opened, base, false)), expected);
}

#[rstest]
#[case("- preview: { base: [master] }", PreviewDeploy::Changed)]
#[case(
    "- preview: { base: [master] }\n- preview: { base: [next], deploy: all }",
    PreviewDeploy::All
)]
#[case("", PreviewDeploy::Changed)]
fn without_a_base_a_preview_is_whole_if_any_rule_says_so(
    #[case] rules: &str,
    #[case] expected: PreviewDeploy,
) {
    assert_eq!(preview_deploy(&settings(rules)), expected);
}

const SKIPPED: [&str; 5] =
    ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"];

fn pushed_with(title: &str, message: &str, branch: Option<&str>, tag: Option<&str>) -> String {
    let source = Source { title: title.into(), ..source(branch, tag) };
    outcome(RULES, &RepositoryEvent::Pushed { source, message: message.into() })
}

#[test]
fn a_push_whose_commit_says_so_is_skipped() {
    for marker in SKIPPED {
        let title = format!("docs {marker}");
        let reason = pushed_with(&title, &title, Some("master"), None);
        assert_eq!(reason, format!("the commit's title says {marker}"));
        let message = format!("docs\n\nonly words\n{}", marker.to_uppercase());
        let reason = pushed_with("docs", &message, Some("master"), None);
        assert_eq!(reason, format!("the commit's message says {marker}"));
    }
    let built = pushed_with("skip ci", "skip ci\n\n[ci]", Some("master"), None);
    assert_eq!(built, "push deploy to staging");
}

#[test]
fn a_tag_is_never_skipped() {
    let title = "docs [skip ci]";
    assert_eq!(pushed_with(title, title, None, Some("v1")), "tag deploy to prod");
}

#[test]
fn a_pull_request_whose_title_says_so_is_skipped_and_its_preview_still_removed() {
    let titled = |action, base: &str| {
        RepositoryEvent::PullRequest(PullRequestEvent {
            action,
            source: Source { title: "docs [no ci]".into(), ..source(Some("feature/x"), None) },
            base: base.parse().expect("a branch"),
            draft: false,
            fork: false,
        })
    };
    let reason = "the pull request's title says [no ci]";
    assert_eq!(outcome(RULES, &titled(PullRequestAction::Synchronized, "next")), reason);
    let removed = "pull_request_closed removes the preview of feature/x";
    assert_eq!(outcome(RULES, &titled(PullRequestAction::Closed, "next")), removed);
}

/// The stages of a build by hand, with their services.
fn stages_by_hand(rules: &str, branch: Option<&str>, tag: Option<&str>) -> Vec<String> {
    let source = source(branch, tag);
    by_hand(&settings(rules), source.branch.as_ref(), source.tag.as_ref())
        .iter()
        .map(|target| format!("{}{}", target.stage, of(target.services.as_ref())))
        .collect()
}

#[rstest]
#[case(Some("master"), None, Some("staging"))]
#[case(Some("prod"), None, Some("prod"))]
#[case(Some("feature/x"), None, None)]
#[case(None, Some("v1.0"), Some("prod"))]
#[case(None, Some("v/1"), Some("prod"))]
#[case(None, Some("release/1"), Some("staging"))]
#[case(None, Some("x"), None)]
// a tag is matched by tag rules alone
#[case(None, Some("master"), None)]
#[case(Some("v1.0"), None, None)]
#[case(None, None, None)]
fn a_build_by_hand_goes_where_the_rule_says_whatever_its_trigger(
    #[case] branch: Option<&str>,
    #[case] tag: Option<&str>,
    #[case] expected: Option<&str>,
) {
    let found = stages_by_hand(RULES, branch, tag);
    assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
}

#[test]
fn by_hand_a_rule_that_names_the_ref_comes_before_globs_and_those_as_in_the_file() {
    let rules = "- { tag: 'v*', stage: staging, services: [tasks] }
- { tag: 'v1*', stage: prod }
- { tag: v1.0, stage: prod, trigger: manual }
";
    assert_eq!(stages_by_hand(rules, None, Some("v1.0")), ["prod", "staging of tasks"]);
    assert_eq!(stages_by_hand(rules, None, Some("v1.1")), ["staging of tasks", "prod"]);
    assert_eq!(stages_by_hand(rules, None, Some("v2")), ["staging of tasks"]);
}

#[test]
fn by_hand_the_services_of_all_rules_for_a_stage_are_built() {
    let rules = "- { branch: master, stage: staging, services: [tasks] }
- { branch: 'm*', stage: staging, trigger: manual, services: [restapi] }
";
    assert_eq!(stages_by_hand(rules, Some("master"), None), ["staging of restapi and tasks"]);
}
