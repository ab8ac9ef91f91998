//! Preview names: what branches become, and that no two share one, for any set of branches.

use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn branch(text: &str) -> BranchName {
    text.parse().expect("a valid branch")
}

fn stage(text: &str) -> StageName {
    text.parse().expect("a valid stage")
}

fn name(text: &str) -> String {
    preview_name(&branch(text), |_| false).to_string()
}

#[rstest]
#[case("feature/ph-api", "feature-ph-api")]
#[case("Feature/PH_API", "feature-ph-api")]
#[case("fix--/--it", "fix-it")]
#[case("_x_", "x")]
#[case("123", "123")]
#[case("twenty-four-characters-x", "twenty-four-characters-x")]
fn a_preview_is_called_like_its_branch(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(name(text), expected);
}

#[test]
fn a_long_branch_is_cut_and_told_apart_by_its_hash() {
    let (one, other) =
        (name("feature/a-very-long-branch-name-one"), name("feature/a-very-long-branch-name-two"));
    assert!(one.starts_with("feature-a-very-lo-"), "{one}");
    assert_eq!(one.len(), MAX_PREVIEW_NAME);
    assert_ne!(one, other);
}

#[test]
fn a_cut_never_leaves_two_dashes() {
    let name = name("aaaaaaaa-bbbbbbb-ccccccccccc");
    assert!(name.starts_with("aaaaaaaa-bbbbbbb-") && !name.contains("--"), "{name}");
}

#[test]
fn a_branch_without_letters_and_digits_is_a_preview_with_a_hash() {
    assert!(name("日本").starts_with("preview-"));
    assert_ne!(name("日本"), name("中国"));
}

#[test]
fn a_branch_called_like_a_long_lived_stage_gets_a_suffix() {
    let prod = stage("Prod");
    let name = preview_name(&branch("prod"), |name| same_stage(name, &prod));
    assert!(name.as_str().starts_with("prod-"), "{name}");
}

#[test]
fn a_branch_called_like_a_personal_stage_leaves_it_its_name() {
    // whoever gives out names passes those of all open stages, of whatever kind
    let ann = stage("ann");
    let name = preview_name(&branch("ann"), |name| same_stage(name, &ann));
    assert!(name.as_str().starts_with("ann-") && !same_stage(&name, &ann), "{name}");
}

#[test]
fn whoever_takes_every_name_so_far_is_evaded_by_another() {
    let asked = Cell::new(0);
    let name = preview_name(&branch("x"), |_| {
        asked.set(asked.get() + 1);
        asked.get() <= 40
    });
    assert!(name.as_str().starts_with("x-"), "{name}");
    assert!(name.as_str().len() <= MAX_PREVIEW_NAME);
}

fn branches() -> impl Strategy<Value = Vec<BranchName>> {
    // few letters, so that branches often differ only in what a stage name cannot hold
    let text = prop_oneof!["[aA/_.é-]{1,6}", "[a-cA-C0-9/_-]{1,40}", "\\PC{1,40}"];
    proptest::collection::btree_set(text, 0..30)
        .prop_map(|texts| texts.iter().filter_map(|text| text.parse().ok()).collect())
}

proptest! {
    #[test]
    fn no_two_branches_share_a_stage_and_none_has_a_long_lived_one(
        branches in branches(),
        long_lived in proptest::collection::vec("[aA][aA0-]{0,3}", 0..6),
    ) {
        let long_lived: Vec<StageName> = long_lived.iter().map(|name| stage(name)).collect();
        let mut names: BTreeMap<BranchName, StageName> = BTreeMap::new();
        for branch in &branches {
            let taken = |name: &StageName| {
                long_lived.iter().chain(names.values()).any(|other| same_stage(name, other))
            };
            let name = preview_name(branch, taken);
            prop_assert!(!taken(&name));
            prop_assert_eq!(&preview_name(branch, taken), &name);
            prop_assert!(name.as_str().len() <= MAX_PREVIEW_NAME);
            prop_assert!(!name.as_str().ends_with('-') && !name.as_str().contains("--"));
            prop_assert!(name.as_str().chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            names.insert(branch.clone(), name);
        }
        let distinct: std::collections::BTreeSet<&StageName> = names.values().collect();
        prop_assert_eq!(distinct.len(), names.len());
    }
}
