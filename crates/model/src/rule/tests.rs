//! What each event starts under which rules, as sentences.

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
    RepositoryEvent::Pushed { source: source(Some(branch), None) }
}

fn tagged(tag: &str) -> RepositoryEvent {
    RepositoryEvent::Pushed { source: source(None, Some(tag)) }
}

fn pull(action: PullRequestAction, base: &str, fork: bool) -> RepositoryEvent {
    let base = base.parse().expect("a branch");
    RepositoryEvent::PullRequest { action, source: source(Some("feature/x"), None), base, fork }
}

/// The decision in a form that reads well in a test.
fn outcome(rules: &str, event: &RepositoryEvent) -> String {
    match decide(&settings(rules), event) {
        Decision::Nothing { reason } => reason,
        Decision::Start(wanted) => wanted
            .iter()
            .map(|wanted| match wanted {
                Wanted::Build { event, purpose, stage, .. } => {
                    let stage = match stage {
                        StageWanted::LongLived(stage) => stage.to_string(),
                        StageWanted::PreviewOf(branch) => format!("preview of {branch}"),
                        StageWanted::None => "nowhere".into(),
                    };
                    format!("{} {} to {stage}", event.as_str(), purpose.as_str())
                }
                Wanted::RemovePreview { branch, event } => {
                    format!("{} removes {branch}", event.as_str())
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
#[case(PullRequestAction::BaseEdited)]
fn a_pull_request_against_a_base_gets_a_preview(#[case] action: PullRequestAction) {
    let expected = "pull_request deploy to preview of feature/x";
    assert_eq!(outcome(RULES, &pull(action, "master", false)), expected);
    let none = "no preview rule for pull requests against other";
    assert_eq!(outcome(RULES, &pull(action, "other", false)), none);
    let fork = "pull_request test to nowhere";
    assert_eq!(outcome(RULES, &pull(action, "master", true)), fork);
}

#[rstest]
#[case("next", false, "pull_request_closed removes feature/x")]
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
    let removed = "branch_deleted removes feature/x";
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

#[test]
fn a_push_whose_title_says_so_is_skipped() {
    let mut source = source(Some("master"), None);
    source.title = "docs [skip ci]".into();
    let reason = outcome(RULES, &RepositoryEvent::Pushed { source });
    assert_eq!(reason, "the commit's title says [skip ci]");
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
    let settings = settings(RULES);
    let source = source(branch, tag);
    let stage = stage_for(&settings, source.branch.as_ref(), source.tag.as_ref());
    assert_eq!(stage.map(StageName::as_str), expected);
}

#[test]
fn by_hand_the_first_rule_that_matches_wins() {
    let settings = settings("- { tag: 'v*', stage: staging }\n- { tag: 'v1*', stage: prod }\n");
    let tag = "v1.0".parse().expect("a tag");
    assert_eq!(stage_for(&settings, None, Some(&tag)).map(StageName::as_str), Some("staging"));
}
