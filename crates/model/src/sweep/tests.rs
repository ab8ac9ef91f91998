//! Whose a tagged stack is.

use chrono::TimeDelta;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn stack() -> TaggedStack {
    TaggedStack {
        name: "shop-dev".into(),
        id: "arn:aws:cloudformation:us-east-1:111111111111:stack/shop-dev/1".into(),
        region: "us-east-1".parse().unwrap(),
        app: "workshop".into(),
        stage: Some("dev".into()),
        service: Some("shop".into()),
        build: Some(3),
        status: "CREATE_COMPLETE".into(),
        created_at: None,
        changed_at: None,
    }
}

fn instance(state: InstanceState, stacks: &[&str], updated_at: i64) -> Place {
    let stacks = stacks.iter().map(|stack| (*stack).to_owned()).collect();
    Place::Instance { state, stacks, updated_at: at(updated_at) }
}

fn verdict(place: &Place) -> Verdict {
    judge(&stack(), place, at(100))
}

#[test]
fn what_says_that_it_is_of_somebodys_own_stage_is_their_affair() {
    assert_eq!(verdict(&Place::Personal), Verdict::Known);
}

fn why(place: &Place) -> String {
    match verdict(place) {
        Verdict::Orphan(why) => why.to_string(),
        verdict @ (Verdict::Known | Verdict::Unsure) => panic!("{verdict:?}"),
    }
}

#[test]
fn a_stack_that_a_stage_has_deployed_is_known() {
    let place = instance(InstanceState::Deployed, &["shop-dev"], 50);
    assert_eq!(verdict(&place), Verdict::Known);
}

#[test]
fn a_stack_of_a_service_that_moves_or_broke_is_left_alone() {
    use InstanceState as S;
    for state in [S::Planned, S::Deploying, S::Failed, S::Removing] {
        // the first deploy of a service knows its stacks only when it is through
        assert_eq!(verdict(&instance(state, &[], 50)), Verdict::Known, "{state:?}");
    }
}

#[test]
fn what_changed_while_the_stacks_were_listed_is_left_to_the_next_sweep() {
    assert_eq!(verdict(&instance(InstanceState::Removed, &[], 120)), Verdict::Unsure);
    assert_eq!(verdict(&instance(InstanceState::Deployed, &["new"], 100)), Verdict::Unsure);
    assert_eq!(verdict(&Place::Closed { at: at(101) }), Verdict::Unsure);
}

#[test]
fn an_orphan_comes_with_the_reason_why_it_is_one() {
    for (place, reason) in [
        (Place::NoApp, "no app workshop is registered here"),
        (Place::NoStage, "workshop never had a stage dev here"),
        (Place::Closed { at: at(99) }, "the stage dev is closed"),
        (Place::NoInstance, "the stage dev has no service shop in this region"),
        (instance(InstanceState::Removed, &[], 50), "shop was removed from dev"),
        (instance(InstanceState::Deployed, &["a", "b"], 50), "shop is deployed to dev as a, b now"),
    ] {
        let why = why(&place);
        assert!(why.starts_with(reason), "{why}");
    }
}

#[test]
fn a_stack_without_a_stage_or_a_service_is_said_to_have_none() {
    let nameless = TaggedStack { stage: None, service: None, ..stack() };
    let Verdict::Orphan(why) = judge(&nameless, &Place::NoStage, at(100)) else { panic!() };
    assert!(why.to_string().ends_with("of which stage it does not say"), "{why}");
}
