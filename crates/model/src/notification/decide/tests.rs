//! Rows of what happens to a thing, and what a receiver hears of each.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::super::news::About;
use super::super::{BuildRef, Channel, Email, Kind, State};
use super::*;
use crate::build::{BuildOutcome, Purpose};
use crate::comment::Secrets;
use crate::stage::StageKind;
use crate::{AppName, RepositoryName, StageName};

fn receiver(events: Option<Vec<Kind>>) -> Receiver {
    let channel = Channel::Email(Email { to: Vec::new() });
    Receiver { channel, stages: Vec::new(), kinds: Vec::new(), events }
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
}

/// What happened to build 12 of prod, or to prod itself.
fn news(state: &State, second: i64) -> News {
    let app: AppName = "workshop".parse().unwrap();
    let repository: RepositoryName = "acme/workshop".parse().unwrap();
    let stage: StageName = "prod".parse().unwrap();
    let about = About {
        app: &app,
        repository: &repository,
        stage: Some((&stage, StageKind::LongLived)),
        url: "https://ci.example.com/apps/workshop/builds/12".into(),
        at: at(second),
    };
    let topic = match state {
        State::Expiring { .. } | State::Kept | State::Removed => "expiry",
        State::LeftOver { .. } | State::Cleared => "leftover",
        State::Drifted { .. } | State::InSync => "drift",
        State::Failed { .. }
        | State::Succeeded { .. }
        | State::Waiting { .. }
        | State::GoesOn { .. }
        | State::Ended { .. } => {
            let build = BuildRef {
                number: 12,
                commit: "a".repeat(40).parse().unwrap(),
                branch: None,
                tag: None,
                title: "a change".into(),
                author: "ann".into(),
            };
            let secrets = Secrets::known([]);
            return News::of_build(about, build, Purpose::Deploy, state, &secrets, true);
        }
    };
    News::of_stage(about, topic, None, state, &Secrets::known([]))
}

fn failed() -> State {
    State::Failed { job: None, reason: Some("exit 1".into()), since: None }
}

fn waiting() -> State {
    State::Waiting { approvers: vec!["release".into()], until: None }
}

/// What a receiver is told of a row of states, as its outbox would keep it.
fn history(receiver: &Receiver, states: &[State]) -> Vec<(i32, Volume, Event)> {
    let mut told: Option<Told> = None;
    let mut found = Vec::new();
    for (second, state) in (0..).zip(states) {
        if let Some(wanted) = decide(receiver, &news(state, second), told.as_ref()) {
            found.push((wanted.episode, wanted.volume, wanted.message.event));
            told = Some(Told { episode: wanted.episode, message: wanted.message });
        }
    }
    found
}

#[test]
fn a_failure_is_told_once_however_often_it_is_looked_at() {
    let told = history(&receiver(None), &[failed(), failed(), failed()]);
    assert_eq!(told, [(1, Volume::Loud, Event::BuildFailed)]);
}

#[test]
fn what_came_of_an_approval_sets_the_question_right() {
    let goes_on = State::GoesOn { approved_by: Some("ann".into()) };
    let states = [waiting(), goes_on, State::Succeeded { mends: None }];
    let told = history(&receiver(None), &states);
    assert_eq!(
        told,
        [
            (1, Volume::Loud, Event::BuildWaiting),
            (1, Volume::Quiet, Event::BuildResumed),
            (1, Volume::Quiet, Event::BuildSucceeded),
        ]
    );
    let rejected = State::Ended { outcome: BuildOutcome::Canceled, reason: Some("no".into()) };
    let told = history(&receiver(None), &[waiting(), rejected]);
    assert_eq!(told[1], (1, Volume::Quiet, Event::BuildEnded));
    let told = history(&receiver(None), &[waiting(), failed()]);
    assert_eq!(told[1], (1, Volume::Loud, Event::BuildFailed));
}

#[test]
fn who_was_not_told_of_the_question_is_not_told_of_its_answer() {
    let only_failures = receiver(Some(vec![Kind::Failed]));
    let goes_on = State::GoesOn { approved_by: None };
    assert_eq!(history(&only_failures, &[waiting(), goes_on]), []);
}

#[test]
fn what_is_old_and_was_never_told_is_not_told_any_more() {
    let old = News { fresh: false, ..news(&failed(), 0) };
    assert_eq!(decide(&receiver(None), &old, None), None);
}

#[test]
fn a_stage_that_drifts_again_is_another_thing() {
    let drifted = |what: &str| State::Drifted { what: vec![what.into()] };
    let states = [drifted("a"), drifted("b"), State::InSync, State::InSync, drifted("a")];
    let told = history(&receiver(None), &states);
    assert_eq!(
        told,
        [
            (1, Volume::Loud, Event::StageDrifted),
            (1, Volume::Loud, Event::StageDrifted),
            (1, Volume::Quiet, Event::StageInSync),
            (2, Volume::Loud, Event::StageDrifted),
        ]
    );
}

#[test]
fn other_words_for_the_same_leftover_bother_nobody() {
    let left = |what: &str| State::LeftOver { what: what.into() };
    let told = history(&receiver(None), &[left("in use"), left("still in use")]);
    assert_eq!(told[1], (1, Volume::Quiet, Event::StageLeftover));
}

fn of_a_build() -> impl Strategy<Value = Vec<State>> {
    let ended = State::Ended { outcome: BuildOutcome::Superseded, reason: None };
    let state = prop_oneof![
        Just(failed()),
        Just(waiting()),
        Just(State::GoesOn { approved_by: None }),
        Just(State::Succeeded { mends: Some(3) }),
        Just(State::Succeeded { mends: None }),
        Just(ended),
    ];
    proptest::collection::vec(state, 0..12)
}

fn of_a_stage() -> impl Strategy<Value = Vec<State>> {
    let state = prop_oneof![
        "[ab]".prop_map(|what| State::Drifted { what: vec![what] }),
        Just(State::InSync),
    ];
    proptest::collection::vec(state, 0..12)
}

fn events() -> impl Strategy<Value = Option<Vec<Kind>>> {
    let kinds = proptest::sample::subsequence(Kind::ALL.map(|(_, kind)| kind).to_vec(), 0..=7);
    proptest::option::of(kinds)
}

proptest! {
    #[test]
    fn nobody_is_told_twice_of_one_state_or_first_of_what_they_did_not_ask_for(
        states in prop_oneof![of_a_build(), of_a_stage()],
        events in events(),
    ) {
        let receiver = receiver(events);
        let twice: Vec<State> =
            states.iter().flat_map(|state| [state.clone(), state.clone()]).collect();
        let told = history(&receiver, &states);
        prop_assert_eq!(&told, &history(&receiver, &twice), "a second look tells nothing");
        let mut episode = 0;
        for (number, volume, event) in told {
            let asked = event.kind().is_some_and(|kind| receiver.asks_for(kind));
            prop_assert!(volume == Volume::Quiet || asked, "{:?}", event);
            if number != episode {
                prop_assert_eq!((number, volume), (episode + 1, Volume::Loud));
                episode = number;
            }
        }
    }
}
