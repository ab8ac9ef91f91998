//! Changes by others are told from those of ours.

use super::*;

const STACK: &str = "shop-dev";

fn at(second: u32) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + i64::from(second), 0).unwrap()
}

fn deployed(second: u32) -> Left {
    Left::Deployed { build: 4, changed_at: BTreeMap::from([(STACK.to_owned(), at(second))]) }
}

fn problems(left: &Left, found: Found) -> Vec<String> {
    let found = BTreeMap::from([(STACK.to_owned(), found)]);
    left.deeds(&found).iter().map(|deed| deed.finding().problem).collect()
}

fn settled(second: u32) -> Found {
    Found::Settled { changed_at: at(second) }
}

fn broken(second: u32) -> Found {
    Found::Unsettled { changed_at: at(second), status: "DELETE_FAILED".to_owned() }
}

#[test]
fn a_stack_as_the_last_deploy_left_it_was_touched_by_nobody() {
    assert!(problems(&deployed(10), settled(10)).is_empty());
}

#[test]
fn a_later_change_is_not_ours() {
    assert_eq!(
        problems(&deployed(10), settled(11)),
        ["it was changed outside Greenroom at 2027-01-15 08:00:11 UTC, after build 4 had \
             deployed it at 2027-01-15 08:00:10 UTC: this deploy replaces what was done by hand"]
    );
}

#[test]
fn a_stack_that_is_gone_or_did_not_stay_whole_was_not_left_so_by_a_good_deploy() {
    let [removed] = &problems(&deployed(10), Found::Gone)[..] else { panic!("one") };
    assert!(removed.starts_with("it was removed outside Greenroom, after build 4"), "{removed}");
    let [unsettled] = &problems(&deployed(10), broken(10))[..] else { panic!("one") };
    assert!(unsettled.starts_with("it is DELETE_FAILED, after build 4"), "{unsettled}");
}

#[test]
fn after_a_deploy_that_failed_only_a_later_change_is_surely_not_its_work() {
    let left = deployed(10).failed(at(20));
    for found in [settled(15), broken(15), Found::Gone] {
        assert!(problems(&left, found.clone()).is_empty(), "{found:?}");
    }
    for found in [settled(25), broken(25)] {
        let [problem] = &problems(&left, found)[..] else { panic!("one") };
        assert!(problem.contains("after a deploy of it had failed at"), "{problem}");
    }
    let again = left.failed(at(30));
    assert!(problems(&again, settled(25)).is_empty());
    assert_eq!(again.stacks(), [STACK]);
}

#[test]
fn of_what_nobody_saw_the_end_of_nothing_is_told() {
    assert!(problems(&Left::Unknown, settled(99)).is_empty());
    assert_eq!(Left::Unknown.failed(at(1)), Left::Unknown);
    assert!(deployed(10).deeds(&BTreeMap::new()).is_empty(), "a stack that was not looked at");
}

#[test]
fn all_that_was_done_is_told_with_the_newest_time() {
    let changed_at = ["a", "b", "c"].map(|name| (name.to_owned(), at(10)));
    let left = Left::Deployed { build: 4, changed_at: changed_at.into() };
    let found = BTreeMap::from([
        ("a".to_owned(), settled(12)),
        ("b".to_owned(), settled(14)),
        ("c".to_owned(), settled(10)),
    ]);
    let outside = Outside::of(&left.deeds(&found), 5, at(20));
    let reason = "stack a was changed, stack b was changed".to_owned();
    assert_eq!(outside, Some(Outside { at: at(14), build: 5, reason }));

    let gone = BTreeMap::from([("a".to_owned(), Found::Gone)]);
    let outside = Outside::of(&left.deeds(&gone), 5, at(20)).unwrap();
    assert_eq!((outside.at, outside.reason.as_str()), (at(20), "stack a was removed"));
    assert_eq!(Outside::of(&[], 5, at(20)), None);
}

#[test]
fn how_a_stack_was_left_survives_being_written_down() {
    for left in [Left::Unknown, deployed(10), deployed(10).failed(at(20))] {
        let text = serde_json::to_string(&left).unwrap();
        assert_eq!(serde_json::from_str::<Left>(&text).unwrap(), left, "{text}");
    }
}
