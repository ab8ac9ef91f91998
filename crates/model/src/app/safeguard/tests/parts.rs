//! Ranges of versions, patterns and closed times.

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::*;

/// The answers are those of npm's `semver.satisfies`.
#[rstest]
#[case(">=1.44.0 <2.0.0", "1.83.3", true)]
#[case(">=1.44.0 <2.0.0", "2.0.0", false)]
#[case(">= 1.44.0 < 2.0.0", "1.44.0", true)]
#[case("3.40.0", "3.40.0", true)]
#[case("3.40.0", "3.40.1", false)]
#[case("=v3.40.0", "3.40.0", true)]
#[case("3", "3.99.9", true)]
#[case("3", "4.0.0", false)]
#[case("3.x", "3.1.0", true)]
#[case("3.4.X", "3.5.0", false)]
#[case("*", "0.0.1", true)]
#[case("", "1.0.0", true)]
#[case("^3 || ^4", "4.3.1", true)]
#[case("^3 || ^4", "5.0.0", false)]
#[case("^0.2.3", "0.3.0", false)]
#[case("~1.2", "1.2.9", true)]
#[case("~>1.2.3", "1.3.0", false)]
#[case("1.2.3 - 2.3", "2.3.9", true)]
#[case("1.2.3 - 2.3", "2.4.0", false)]
#[case(">1.2", "1.2.9", false)]
#[case("<=1.2", "1.2.9", true)]
#[case("^4.0.0", "4.0.0-beta.1", false)]
#[case(">=4.0.0-beta.0", "4.0.0-beta.1", true)]
fn a_range_is_npms(#[case] range: &str, #[case] version: &str, #[case] contained: bool) {
    // an empty range stands behind `||` alone
    let range: Range =
        if range.is_empty() { "<0.0.1 ||".parse() } else { range.parse() }.expect("it is a range");
    assert_eq!(range.contains(version), Some(contained));
}

#[rstest]
#[case("latest")]
#[case("")]
#[case("> ")]
#[case("1.2.3.4")]
#[case("<>3")]
#[case("^3 | ^4")]
fn what_is_no_range_is_refused(#[case] text: &str) {
    assert!(text.parse::<Range>().is_err());
}

#[rstest]
#[case("prod", "prod", true)]
#[case("prod", "nonprod", false)]
#[case("a|b", "ab", false)]
#[case("dev-.*", "dev-", true)]
fn a_pattern_is_for_the_whole_text(#[case] pattern: &str, #[case] text: &str, #[case] fits: bool) {
    assert_eq!(pattern.parse::<Pattern>().expect("a pattern").matches(text), fits);
}

#[test]
fn a_text_that_would_end_the_pattern_early_is_refused() {
    assert!("a)|(?:b".parse::<Pattern>().is_err());
}

#[test]
fn a_pattern_that_names_make_too_large_allows_nothing() {
    let pattern: FunctionPattern = "(${FUNCTION}){1000}".parse().expect("it is small as written");
    let names = FunctionNames { service: "s", stage: "s", function: &"é".repeat(10_000) };
    assert!(!pattern.allows(names, "x"));
}

fn closed(time: &str, duration: &str, interval: Option<&str>) -> ClosedTime {
    let part = |text: &str| text.parse().expect("a length");
    ClosedTime::new(time.parse().expect("a time"), part(duration), interval.map(part))
        .expect("a closed time")
}

#[rstest]
// once
#[case(closed("2026-12-24", "P3D", None), "2026-12-23T23:59:59Z", None)]
#[case(closed("2026-12-24", "P3D", None), "2026-12-24T00:00:00Z", Some("2026-12-27T00:00:00Z"))]
#[case(closed("2026-12-24", "P3D", None), "2026-12-27T00:00:00Z", None)]
#[case(
    closed("2026-12-24T18:00+01:00", "PT1H30M", None),
    "2026-12-24T18:29:59Z",
    Some("2026-12-24T18:30:00Z")
)]
// Friday to Sunday of every week: 2026-11-20 is a Friday
#[case(
    closed("2019-03-08", "P3D", Some("P1W")),
    "2026-11-20T00:00:00Z",
    Some("2026-11-23T00:00:00Z")
)]
#[case(closed("2019-03-08", "P3D", Some("P1W")), "2026-11-19T23:59:59Z", None)]
#[case(closed("2019-03-08", "P3D", Some("P1W")), "2026-11-23T00:00:00Z", None)]
// every Christmas
#[case(
    closed("2019-12-25", "P1D", Some("P1Y")),
    "2026-12-25T12:00:00Z",
    Some("2026-12-26T00:00:00Z")
)]
#[case(closed("2019-12-25", "P1D", Some("P1Y")), "2026-12-24T12:00:00Z", None)]
// the last day of every month stays the last day
#[case(
    closed("2026-01-31", "P1D", Some("P1M")),
    "2026-03-31T12:00:00Z",
    Some("2026-04-01T00:00:00Z")
)]
#[case(
    closed("2026-01-31", "P1D", Some("P1M")),
    "2026-02-28T12:00:00Z",
    Some("2026-03-01T00:00:00Z")
)]
#[case(closed("2026-01-31", "P1D", Some("P1M")), "2026-03-28T12:00:00Z", None)]
// many short intervals
#[case(
    closed("1970-01-01", "PT1S", Some("PT2S")),
    "2026-11-20T00:00:00Z",
    Some("2026-11-20T00:00:01Z")
)]
#[case(closed("1970-01-01", "PT1S", Some("PT2S")), "2026-11-20T00:00:01Z", None)]
fn a_closed_time_comes_again(
    #[case] closed: ClosedTime,
    #[case] now: DateTime<Utc>,
    #[case] until: Option<&str>,
) {
    let until = until.map(|until| until.parse::<DateTime<Utc>>().expect("a time"));
    assert_eq!(closed.closed_until(now), until);
}

#[rstest]
#[case("P")]
#[case("PT")]
#[case("3D")]
#[case("P1D1Y")]
#[case("P1.5D")]
#[case("P-1D")]
#[case("P1DT")]
#[case("P0D")]
#[case("P9999999D")]
#[case("P1Ü")]
fn what_is_no_length_is_refused(#[case] text: &str) {
    assert!(text.parse::<Span>().is_err());
}

proptest! {
    #[test]
    fn any_text_ends_in_a_part_or_in_a_sentence(text in "\\PC{0,20}") {
        let _ = text.parse::<Range>().map(|range| range.contains(&text));
        let _ = text.parse::<Moment>();
        let _ = text.parse::<Span>();
        let _ = text.parse::<FunctionPattern>();
    }

    #[test]
    fn a_closed_time_is_closed_from_its_beginning_and_opens_at_its_end(
        days in 0u32..20_000, length in 1u32..100, open in 1u32..100, months in 0u32..20, at in 0i64..4_000_000_000,
    ) {
        let begin = DateTime::from_timestamp(i64::from(days) * 86_400, 0).expect("a time");
        let months = if months == 0 { String::new() } else { format!("{months}M") };
        let closed = closed(
            &begin.format("%Y-%m-%d").to_string(),
            &format!("P{length}D"),
            Some(&format!("P{months}{}D", length + open)),
        );
        let now = DateTime::from_timestamp(at, 0).expect("a time");
        if let Some(end) = closed.closed_until(now) {
            prop_assert!(end > now && now >= begin);
            prop_assert_eq!(closed.closed_until(end), None);
        }
    }

    #[test]
    fn any_names_can_stand_in_a_pattern(service in "\\PC{0,10}", function in "\\PC{1,10}") {
        let pattern: FunctionPattern = "${SERVICE}-${STAGE}-(?:${FUNCTION})+".parse().expect("a pattern");
        let names = FunctionNames { service: &service, stage: "dev", function: &function };
        let name = format!("{service}-dev-{function}{function}");
        prop_assert!(pattern.allows(names, &name));
    }
}
