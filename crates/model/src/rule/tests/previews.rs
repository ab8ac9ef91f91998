//! Drafts, bases that change, and previews that pull requests share.

use proptest::prelude::*;

use super::*;

const RULES: &str = "- preview: { base: [master] }
- preview: { base: [next], drafts: ignore, destroy: pull-request-closed }
- preview: { base: [demo], stage_name: { fixed: review } }
- preview: { base: [show], stage_name: { fixed: stand }, destroy: pull-request-closed }
- preview: { base: [kept], destroy: never }
";

fn branch(name: &str) -> BranchName {
    name.parse().expect("a branch")
}

fn draft(action: PullRequestAction, base: &str) -> RepositoryEvent {
    RepositoryEvent::PullRequest(PullRequestEvent {
        action,
        source: source(Some("feature/x"), None),
        base: branch(base),
        draft: true,
        fork: false,
    })
}

fn edited(from: &str, to: &str, fork: bool) -> String {
    let action = PullRequestAction::BaseEdited { from: branch(from) };
    outcome(RULES, &pull(action, to, fork))
}

#[test]
fn a_draft_is_built_unless_the_rule_ignores_drafts() {
    let built = "pull_request deploy to preview of feature/x";
    for action in [PullRequestAction::Opened, PullRequestAction::Synchronized] {
        assert_eq!(outcome(RULES, &draft(action.clone(), "master")), built);
        let ignored = outcome(RULES, &draft(action, "next"));
        assert!(ignored.starts_with("it is a draft, and the rule says"), "{ignored}");
    }
}

#[test]
fn a_draft_that_is_ready_for_review_is_built_if_it_was_not_before() {
    let ready = PullRequestAction::ReadyForReview;
    let built = "pull_request deploy to preview of feature/x";
    assert_eq!(outcome(RULES, &pull(ready.clone(), "next", false)), built);
    let before = "it was built as a draft already";
    assert_eq!(outcome(RULES, &pull(ready, "master", false)), before);
}

#[test]
fn becoming_a_draft_changes_nothing() {
    for base in ["master", "next"] {
        let said = outcome(RULES, &draft(PullRequestAction::ConvertedToDraft, base));
        assert_eq!(said, "a pull request that becomes a draft keeps the preview it has");
    }
}

#[rstest]
// away from every rule
#[case("master", "other", "pull_request removes the preview of feature/x")]
#[case("demo", "other", "pull_request removes the preview review")]
#[case("kept", "other", "no preview rule for pull requests against other")]
#[case("other", "another", "no preview rule for pull requests against another")]
// to another rule, in the same preview
#[case("master", "next", "pull_request deploy to preview of feature/x")]
#[case("other", "master", "pull_request deploy to preview of feature/x")]
// to another preview: the new one first
#[case(
    "master",
    "demo",
    "pull_request deploy to preview review, pull_request removes the preview of feature/x"
)]
#[case(
    "demo",
    "master",
    "pull_request deploy to preview of feature/x, pull_request removes the preview review"
)]
fn a_base_that_is_edited_moves_the_pull_request_to_the_preview_of_its_new_rule(
    #[case] from: &str,
    #[case] to: &str,
    #[case] expected: &str,
) {
    assert_eq!(edited(from, to, false), expected);
}

#[test]
fn the_edited_base_of_a_fork_removes_no_preview_of_ours() {
    assert_eq!(edited("master", "other", true), "no preview rule for pull requests against other");
    assert_eq!(edited("other", "master", true), "pull_request test to nowhere");
}

#[test]
fn pull_requests_of_a_fixed_name_share_a_preview() {
    let opened = pull(PullRequestAction::Opened, "demo", false);
    assert_eq!(outcome(RULES, &opened), "pull_request deploy to preview review");
    let closed = pull(PullRequestAction::Closed, "show", false);
    assert_eq!(outcome(RULES, &closed), "pull_request_closed removes the preview stand");
    let deleted = RepositoryEvent::BranchDeleted { branch: branch("feature/x") };
    assert_eq!(
        outcome(RULES, &deleted),
        "branch_deleted removes the preview of feature/x, branch_deleted removes the preview \
         review, branch_deleted removes the preview stand"
    );
}

#[test]
fn whoever_still_needs_a_preview_keeps_it() {
    let settings = settings(RULES);
    let of_branch = Preview::OfBranch(branch("feature/x"));
    let shared = |name: &str| Preview::Shared(name.parse().expect("a stage"));
    let kept = |preview: &Preview, base: &str, pull: Shown| {
        keeps(preview, rule_for(&settings, &branch(base)), pull)
    };
    assert!(kept(&of_branch, "next", Shown::Open));
    assert!(!kept(&of_branch, "next", Shown::Closed));
    assert!(!kept(&of_branch, "master", Shown::Closed));
    assert!(kept(&shared("review"), "demo", Shown::Open));
    // closed, and the rule waits for the branch
    assert!(kept(&shared("review"), "demo", Shown::Closed));
    assert!(!kept(&shared("stand"), "show", Shown::Closed));
    assert!(!keeps(&shared("gone"), None, Shown::Closed));
}

#[test]
fn the_rule_of_a_preview_is_the_one_that_names_it_else_that_of_its_base() {
    let settings = settings(RULES);
    let rule = |stage: &str, base: Option<&str>| {
        let base = base.map(branch);
        let rule = rule_of(&settings, &stage.parse().expect("a stage"), base.as_ref());
        rule.map(|rule| rule.base[0].as_str().to_owned())
    };
    assert_eq!(rule("Review", None).as_deref(), Some("demo"));
    assert_eq!(rule("review", Some("master")).as_deref(), Some("demo"));
    assert_eq!(rule("feature-x", Some("next")).as_deref(), Some("next"));
    assert_eq!(rule("feature-x", Some("other")), None);
    assert_eq!(rule("feature-x", None), None);
}

const BASES: [&str; 6] = ["master", "next", "demo", "show", "kept", "other"];

fn action() -> impl Strategy<Value = PullRequestAction> {
    let from = prop::sample::select(BASES.to_vec());
    prop_oneof![
        Just(PullRequestAction::Opened),
        Just(PullRequestAction::Reopened),
        Just(PullRequestAction::Synchronized),
        Just(PullRequestAction::ReadyForReview),
        Just(PullRequestAction::ConvertedToDraft),
        Just(PullRequestAction::Closed),
        from.prop_map(|from| PullRequestAction::BaseEdited { from: branch(from) }),
    ]
}

proptest! {
    #[test]
    fn no_event_of_a_pull_request_builds_and_removes_one_preview_or_touches_a_long_lived_stage(
        action in action(),
        base in prop::sample::select(BASES.to_vec()),
        draft: bool,
        fork: bool,
        skipped: bool,
    ) {
        let title = if skipped { "[skip ci]" } else { "a change" };
        let source = Source { title: title.into(), ..source(Some("feature/x"), None) };
        let base = branch(base);
        let event = PullRequestEvent { action: action.clone(), source, base, draft, fork };
        let wanted = match decide(&settings(RULES), &RepositoryEvent::PullRequest(event)) {
            Decision::Start(wanted) => {
                prop_assert!(!wanted.is_empty(), "a start of nothing");
                wanted
            }
            Decision::Nothing { reason } => {
                prop_assert!(!reason.is_empty());
                Vec::new()
            }
        };
        let (mut built, mut removed) = (Vec::new(), Vec::new());
        for wanted in wanted {
            match wanted {
                Wanted::Build(build) => match build.stage {
                    StageWanted::Preview { preview, .. } => built.push(preview),
                    StageWanted::None => prop_assert!(fork, "tests alone are for strangers"),
                    StageWanted::LongLived(stage) => {
                        return Err(TestCaseError::fail(format!("it builds into {stage}")));
                    }
                },
                Wanted::RemovePreview { preview, .. } => removed.push(preview),
            }
        }
        prop_assert!(built.len() <= 1 && removed.len() <= 1);
        prop_assert!(built.iter().all(|preview| !removed.contains(preview)));
        prop_assert!(!fork || (built.is_empty() && removed.is_empty()));
        prop_assert!(!skipped || built.is_empty());
        let ends = matches!(action, PullRequestAction::Closed | PullRequestAction::BaseEdited { .. });
        prop_assert!(ends || removed.is_empty(), "{action:?} removes {removed:?}");
        prop_assert!(action != PullRequestAction::Closed || built.is_empty());
    }
}
