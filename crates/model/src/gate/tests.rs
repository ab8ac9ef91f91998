//! Who comes through a stage's gate.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::approval::{Ask, Asked, Override};
use crate::freeze::Frozen;
use crate::{Region, ServiceName};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn sha(digit: char) -> CommitSha {
    digit.to_string().repeat(40).parse().expect("a commit")
}

fn names(text: &str) -> (ServiceName, Region) {
    (text.parse().expect("a service"), "us-east-1".parse().expect("a region"))
}

fn approval(state: ApprovalState, artifact: &str) -> Approval {
    let (service, region) = names("restapi");
    let asked = Asked {
        service,
        region,
        artifact: Some(artifact.into()),
        change: Vec::new(),
        findings: Vec::new(),
    };
    let ask = Ask::new(sha('a'), vec![asked]);
    Approval {
        bound_to: ask.bound_to(),
        ask,
        state,
        asked_at: at(0),
        expires_at: Some(at(100)),
        decided_by: None,
        decided_at: None,
        reason: None,
        overridden: None,
    }
}

fn frozen(since: i64) -> Freeze {
    Freeze::ByHand(Frozen {
        reason: "an incident".into(),
        by: "ann".into(),
        since: at(since),
        until: None,
    })
}

struct Scene {
    approvers: Vec<String>,
    freezes: Vec<Freeze>,
    approvals: Vec<Approval>,
    now: i64,
}

impl Scene {
    fn new() -> Self {
        Self { approvers: Vec::new(), freezes: Vec::new(), approvals: Vec::new(), now: 10 }
    }

    fn gate(&self) -> Gate {
        self.of(&sha('a'), "1")
    }

    fn of(&self, commit: &CommitSha, artifact: &str) -> Gate {
        let ground = Ground {
            commit,
            approvers: &self.approvers,
            freezes: &self.freezes,
            approvals: &self.approvals,
            now: at(self.now),
        };
        let (service, region) = names("restapi");
        let deploy = Deploy { service: &service, region: &region, artifact: Some(artifact) };
        decide(&ground, &deploy)
    }
}

fn closed(why: Obstacle) -> Gate {
    Gate::Closed { why: vec![why] }
}

#[test]
fn a_stage_without_approvers_that_is_not_frozen_takes_every_deploy() {
    assert_eq!(Scene::new().gate(), Gate::Open);
}

#[test]
fn with_approvers_a_deploy_waits_until_one_of_them_approved_it() {
    let mut scene = Scene { approvers: vec!["ann".into()], ..Scene::new() };
    assert_eq!(scene.gate(), closed(Obstacle::NotAsked));
    scene.approvals = vec![approval(ApprovalState::Waiting, "1")];
    assert_eq!(scene.gate(), closed(Obstacle::Undecided { expires_at: Some(at(100)) }));
    scene.approvals = vec![approval(ApprovalState::Approved, "1")];
    assert_eq!(scene.gate(), Gate::Open);
    assert_eq!(scene.of(&sha('b'), "1"), closed(Obstacle::NotAsked), "of another commit");
    assert_eq!(scene.of(&sha('a'), "2"), closed(Obstacle::NotAsked), "of another artifact");
}

#[test]
fn an_approval_counts_until_it_expires() {
    for state in [ApprovalState::Waiting, ApprovalState::Approved] {
        let approvals = vec![approval(state, "1")];
        let scene = Scene { approvers: vec!["ann".into()], approvals, now: 100, ..Scene::new() };
        assert_eq!(scene.gate(), closed(Obstacle::Expired));
    }
}

#[test]
fn the_newest_answer_counts_and_what_is_void_does_not() {
    let approvers = vec!["ann".into()];
    let [yes, no, void] = [ApprovalState::Approved, ApprovalState::Rejected, ApprovalState::Void]
        .map(|state| approval(state, "1"));
    let scene = |approvals| Scene { approvers: approvers.clone(), approvals, ..Scene::new() };
    assert_eq!(scene(vec![yes.clone(), no]).gate(), closed(Obstacle::Rejected));
    assert_eq!(scene(vec![yes, void.clone()]).gate(), Gate::Open);
    assert_eq!(scene(vec![void]).gate(), closed(Obstacle::NotAsked));
}

#[test]
fn a_freeze_holds_what_is_approved_until_somebody_lets_it_through() {
    let mut scene = Scene {
        approvers: vec!["ann".into()],
        freezes: vec![frozen(5)],
        approvals: vec![approval(ApprovalState::Approved, "1")],
        ..Scene::new()
    };
    assert_eq!(scene.gate(), closed(Obstacle::Frozen(frozen(5))));
    scene.approvals[0].overridden = Some(Override { by: "ann".into(), at: at(8) });
    assert_eq!(scene.gate(), Gate::Open);
    scene.freezes.push(frozen(9));
    assert_eq!(scene.gate(), closed(Obstacle::Frozen(frozen(9))), "it began later");
}

#[test]
fn a_way_through_a_freeze_is_no_approval_when_there_come_to_be_approvers() {
    let mut through = approval(ApprovalState::Approved, "1");
    through.expires_at = None;
    through.overridden = Some(Override { by: "root".into(), at: at(8) });
    let mut scene = Scene { freezes: vec![frozen(5)], approvals: vec![through], ..Scene::new() };
    assert_eq!(scene.gate(), Gate::Open);
    scene.approvers = vec!["ann".into()];
    assert_eq!(scene.gate(), closed(Obstacle::NotAsked));
}

fn any_approval() -> impl Strategy<Value = Approval> {
    let state = prop_oneof![
        Just(ApprovalState::Waiting),
        Just(ApprovalState::Approved),
        Just(ApprovalState::Rejected),
        Just(ApprovalState::Expired),
        Just(ApprovalState::Void),
    ];
    (state, "[12]", 0_i64..30, proptest::option::of(0_i64..30)).prop_map(
        |(state, artifact, expires, overridden)| Approval {
            expires_at: Some(at(expires)),
            overridden: overridden.map(|seconds| Override { by: "ann".into(), at: at(seconds) }),
            ..approval(state, &artifact)
        },
    )
}

proptest! {
    #[test]
    fn nothing_comes_through_that_nobody_approved(
        approvals in proptest::collection::vec(any_approval(), 0..6),
        freezes in proptest::collection::vec(0_i64..30, 0..3),
        now in 0_i64..30,
    ) {
        let scene = Scene {
            approvers: vec!["ann".into()],
            freezes: freezes.into_iter().map(frozen).collect(),
            approvals,
            now,
        };
        if scene.gate() == Gate::Open {
            let is_valid = |approval: &Approval| {
                approval.state == ApprovalState::Approved
                    && approval.ask.services[0].artifact.as_deref() == Some("1")
                    && approval.expires_at > Some(at(now))
            };
            prop_assert!(scene.approvals.iter().any(is_valid));
            for freeze in &scene.freezes {
                let let_through = |approval: &Approval| {
                    approval.state == ApprovalState::Approved
                        && approval.overridden.as_ref().is_some_and(|it| it.at >= freeze.since())
                };
                prop_assert!(scene.approvals.iter().any(let_through));
            }
        }
    }

    #[test]
    fn a_freeze_never_opens_what_was_closed(
        approvals in proptest::collection::vec(any_approval(), 0..6),
        since in 0_i64..30,
        now in 0_i64..30,
    ) {
        let approvers = vec!["ann".into()];
        let open = Scene { approvers, freezes: Vec::new(), approvals, now };
        if open.gate() != Gate::Open {
            let frozen = Scene { freezes: vec![frozen(since)], ..open };
            prop_assert_ne!(frozen.gate(), Gate::Open);
        }
    }
}
