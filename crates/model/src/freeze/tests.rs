//! When a stage is frozen, and when to look again.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn window(time: &str, duration: &str, interval: Option<&str>) -> FreezeWindow {
    let written = serde_json::json!({
        "time": time, "duration": duration, "interval": interval, "reason": "a window",
    });
    serde_json::from_value(written).expect("a window")
}

fn by_hand(until: Option<&str>) -> Frozen {
    Frozen {
        reason: "an incident".into(),
        by: "ann".into(),
        since: at("2026-03-01T08:00:00Z"),
        until: until.map(at),
    }
}

#[test]
fn a_freeze_by_hand_holds_until_its_time_is_over() {
    let frozen = by_hand(Some("2026-03-02T08:00:00Z"));
    assert!(frozen.holds(at("2026-03-02T07:59:59Z")));
    assert!(!frozen.holds(at("2026-03-02T08:00:00Z")));
    assert!(by_hand(None).holds(at("2036-03-02T08:00:00Z")));
}

#[test]
fn what_ends_last_is_named_first() {
    let windows = [window("2026-03-01", "P1D", None), window("2026-03-01", "P3D", None)];
    let now = at("2026-03-01T09:00:00Z");
    let untimed = by_hand(None);
    let found = in_force(Some(&untimed), &windows, now);
    let untils: Vec<_> = found.iter().map(Freeze::until).collect();
    assert_eq!(untils, [None, Some(at("2026-03-04T00:00:00Z")), Some(at("2026-03-02T00:00:00Z"))]);
    assert_eq!(found[1].sentence(), "frozen by the settings until 2026-03-04T00:00:00Z: a window");
    assert_eq!(found[0].sentence(), "frozen by ann: an incident");
}

#[test]
fn a_window_that_comes_again_is_looked_at_when_it_begins_and_when_it_ends() {
    // each Friday from noon until midnight
    let windows = [window("2026-01-02T12:00", "PT12H", Some("P1W"))];
    let next = |now: &str| changes_after(None, &windows, at(now));
    assert_eq!(next("2025-12-31T00:00:00Z"), Some(at("2026-01-02T12:00:00Z")));
    assert_eq!(next("2026-01-02T12:00:00Z"), Some(at("2026-01-03T00:00:00Z")));
    assert_eq!(next("2026-01-03T00:00:00Z"), Some(at("2026-01-09T12:00:00Z")));
}

#[test]
fn what_is_over_for_good_is_not_looked_at_again() {
    let windows = [window("2026-01-02T12:00", "PT12H", None)];
    let frozen = by_hand(Some("2026-03-02T08:00:00Z"));
    assert_eq!(changes_after(Some(&frozen), &windows, at("2026-03-02T08:00:00Z")), None);
}

proptest! {
    #[test]
    fn nothing_changes_before_the_moment_to_look_again(
        hours in 1_i64..200, every_days in 9_i64..40, now in 0_i64..200_000, later in 0.0_f64..1.0
    ) {
        let written = window(
            "2026-01-01", &format!("PT{hours}H"), Some(&format!("P{every_days}D")),
        );
        let windows = [written];
        let now = at("2025-12-01T00:00:00Z") + TimeDelta::minutes(now);
        let next = changes_after(None, &windows, now).expect("it comes again and again");
        prop_assert!(next > now);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "somewhere in between is all that is meant")]
        let between = ((next - now).num_seconds() as f64 * later) as i64;
        let between = (now + TimeDelta::seconds(between)).min(next - TimeDelta::seconds(1));
        prop_assert_eq!(in_force(None, &windows, now), in_force(None, &windows, between.max(now)));
        prop_assert_ne!(in_force(None, &windows, now), in_force(None, &windows, next));
    }
}
