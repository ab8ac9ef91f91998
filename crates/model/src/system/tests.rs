//! Each part as it is told when all is well, when it limps, and when it does not work.

use rstest::rstest;

use super::*;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
}

fn worker(name: &str, seen: i64) -> WorkerFacts {
    WorkerFacts { name: name.into(), slots: 2, busy: 1, seen_at: at(seen) }
}

#[test]
fn a_worker_that_is_away_degrades_and_none_at_all_fails() {
    let verdict = workers(&[worker("a", -1), worker("b", 0)], 0, at(0));
    assert_eq!(verdict, Verdict::ok("2 workers here, 2 of 4 slots busy."));
    let verdict = workers(&[worker("a", 0), worker("b", -5), worker("c", -9)], 1, at(0));
    assert_eq!(verdict.health, Health::Degraded);
    assert_eq!(verdict.reason, "b and c went silent, and 1 job wait.");
    let verdict = workers(&[worker("a", -5)], 3, at(0));
    assert_eq!(verdict.health, Health::Failing);
    assert_eq!(verdict.reason, "No worker is here, and 3 jobs wait: nothing can run.");
    assert!(verdict.remedy.is_some());
}

#[test]
fn a_worker_that_is_gone_for_a_day_is_not_missed() {
    let verdict = workers(&[worker("a", 0), worker("old", -60 * 25)], 0, at(0));
    assert_eq!(verdict.health, Health::Ok);
    assert_eq!(Presence::of(at(-60 * 25), at(0)), Presence::Gone);
}

#[test]
fn comments_that_cannot_be_acted_upon_say_why() {
    let why = "GitHub cannot be reached: it answers 502";
    let facts = |minutes| CommentFacts { troubled: 2, oldest_at: at(minutes), why };
    let verdict = comments(&facts(-10), at(0));
    assert_eq!(verdict.health, Health::Degraded);
    assert_eq!(
        verdict.reason,
        "2 comments on pull requests cannot be acted upon, for 10 min: GitHub cannot be reached: it \
         answers 502."
    );
    assert_eq!(comments(&facts(-61), at(0)).health, Health::Failing);
}

#[rstest]
#[case(0, 0, None, 2, Health::Ok, "Nothing waits; 0 jobs running.")]
#[case(3, 2, Some(-10), 0, Health::Ok, "3 jobs queued, the oldest for 10 min; 2 jobs running.")]
#[case(3, 2, Some(-40), 0, Health::Degraded, "3 jobs queued, the oldest for 40 min: every slot is busy.")]
#[case(3, 2, Some(-40), 1, Health::Degraded, "3 jobs queued, the oldest for 40 min, though slots are free.")]
#[case(1, 0, Some(-200), 1, Health::Failing, "1 job queued, the oldest for 3 h, and none runs.")]
fn a_queue_is_judged_by_how_long_it_keeps_jobs_waiting(
    #[case] queued: i64,
    #[case] running: i64,
    #[case] oldest: Option<i64>,
    #[case] free: i64,
    #[case] health: Health,
    #[case] reason: &str,
) {
    let verdict = queue(QueueFacts { queued, running, oldest_at: oldest.map(at), free }, at(0));
    assert_eq!((verdict.health, verdict.reason.as_str()), (health, reason));
    assert_eq!(verdict.remedy.is_some(), health != Health::Ok);
}

#[rstest]
#[case(0, None, 0, None, Health::Off, "GitHub has not sent anything yet.")]
#[case(0, None, 0, Some(-3), Health::Ok, "All acted on; the last came 3 min ago.")]
#[case(2, Some(0), 0, Some(0), Health::Ok, "All acted on; the last came 0 s ago.")]
#[case(2, Some(-5), 0, Some(0), Health::Degraded, "2 deliveries not acted on, the oldest for 5 min.")]
#[case(1, Some(-15), 4, Some(0), Health::Failing, "1 delivery not acted on, the oldest for 15 min.")]
#[case(0, None, 1, Some(0), Health::Degraded, "1 delivery failed within a day.")]
fn deliveries_are_judged_by_what_was_not_acted_on(
    #[case] received: i64,
    #[case] oldest: Option<i64>,
    #[case] failed: i64,
    #[case] newest: Option<i64>,
    #[case] health: Health,
    #[case] reason: &str,
) {
    let facts =
        DeliveryFacts { received, oldest_at: oldest.map(at), failed, newest_at: newest.map(at) };
    let verdict = deliveries(facts, at(0));
    assert_eq!((verdict.health, verdict.reason.as_str()), (health, reason));
}

#[rstest]
#[case(0, 0, None, 0, Health::Ok)]
#[case(5, 0, None, 0, Health::Ok)]
#[case(5, 2, Some(-10), 0, Health::Degraded)]
#[case(5, 2, Some(-90), 0, Health::Failing)]
#[case(0, 0, None, 1, Health::Degraded)]
fn github_is_owed_something_for_long_or_refused_it(
    #[case] pending: i64,
    #[case] troubled: i64,
    #[case] since: Option<i64>,
    #[case] rejected: i64,
    #[case] health: Health,
) {
    let facts = OutboxFacts { pending, troubled, troubled_since: since.map(at), rejected };
    assert_eq!(outbox(facts, at(0)).health, health);
}

#[test]
fn a_database_of_another_schema_fails_and_a_full_one_is_told() {
    let facts = DatabaseHealthFacts { schema: 1, known: 1, connections: 5, most_connections: 100 };
    assert_eq!(database(facts).health, Health::Ok);
    assert_eq!(database(DatabaseHealthFacts { schema: 2, ..facts }).health, Health::Failing);
    assert_eq!(database(DatabaseHealthFacts { connections: 95, ..facts }).health, Health::Degraded);
}

#[test]
fn the_whole_is_as_bad_as_its_worst_part_and_what_is_off_is_not_bad() {
    let ok = Verdict::ok("fine");
    let off = deliveries(
        DeliveryFacts { received: 0, oldest_at: None, failed: 0, newest_at: None },
        at(0),
    );
    let degraded = orphans(2, 1);
    let failing = workers(&[], 0, at(0));
    assert_eq!(overall([&ok, &off]), Health::Ok);
    assert_eq!(overall([&ok, &degraded, &off]), Health::Degraded);
    assert_eq!(overall([&failing, &degraded, &ok]), Health::Failing);
    assert_eq!(orphans(2, 0).health, Health::Ok, "they are told, and nothing is broken");
    assert_eq!(reconcile(None, 0).health, Health::Off);
}
