//! What an app file says of previews, approvals, freezes, drift and promotion.

use chrono::{DateTime, Utc};
use rstest::rstest;

use super::*;
use crate::app::{Drafts, DriftEvery, PreviewLimit, PreviewRule, PreviewStageName, StageSettings};

const LIVELY: &str = "app: workshop
repository: acme/workshop
default_profile: development
preview_limit: 20
profiles:
  development: { role_arn: 'arn:aws:iam::111111111111:role/g', region: us-east-1 }
stages:
  prod:
    profile: development
    approvers: [release-team]
    approval_expires_after: 2d
    freeze:
      - { time: 2026-12-24, duration: P3D, interval: P1Y, reason: Christmas }
      - { time: 2026-11-20T18:00:00+01:00, duration: P2DT14H, interval: P1W, reason: weekend }
    drift_every: 12h
    promote_from: staging
  staging: { profile: development, drift_every: never }
rules:
  - { branch: prod, stage: prod }
  - preview: { base: [master], stage_name: { fixed: review }, drafts: ignore, foresee: staging, expires_after: 7d }
";

fn lively() -> AppFile {
    parse_yaml(LIVELY).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn stage<'a>(settings: &'a Settings, name: &str) -> &'a StageSettings {
    &settings.stages[&name.parse::<StageName>().expect("a stage")]
}

fn preview(settings: &Settings) -> &PreviewRule {
    settings.preview_rules().next().expect("a preview rule")
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

#[test]
fn everything_a_stage_says_of_its_deploys_is_read() {
    let AppFile { settings, warnings, .. } = lively();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(settings.preview_limit.map(PreviewLimit::get), Some(20));
    let prod = stage(&settings, "prod");
    assert_eq!(prod.approvers, ["release-team"]);
    assert_eq!(prod.approval_lifetime().to_string(), "2d");
    assert_eq!(prod.promote_from.as_ref().map(StageName::as_str), Some("staging"));
    assert_eq!(prod.drift_interval().map(|every| every.to_string()).as_deref(), Some("12h"));
    let reasons: Vec<&str> = prod.freeze.iter().map(|window| window.reason.as_str()).collect();
    assert_eq!(reasons, ["Christmas", "weekend"]);
    assert_eq!(
        prod.freeze[1].frozen_until(at("2026-11-28T10:00:00Z")),
        Some(at("2026-11-30T07:00:00Z"))
    );
    assert_eq!(prod.freeze[1].frozen_until(at("2026-11-27T16:59:59Z")), None);
}

#[test]
fn a_stage_that_says_nothing_has_the_usual_times() {
    let settings = lively().settings;
    let staging = stage(&settings, "staging");
    assert_eq!(staging.approval_lifetime().to_string(), "7d");
    assert_eq!(staging.drift_every, Some(DriftEvery::Never));
    assert_eq!(staging.drift_interval(), None);
    let example = example().settings;
    let dev = stage(&example, "dev");
    assert_eq!(dev.drift_interval().map(|every| every.to_string()).as_deref(), Some("1d"));
}

#[test]
fn everything_a_rule_says_of_its_previews_is_read() {
    let settings = lively().settings;
    let rule = preview(&settings);
    let review: StageName = "review".parse().expect("a stage");
    assert_eq!(rule.stage_name, PreviewStageName::Fixed(review.clone()));
    assert_eq!(rule.drafts, Drafts::Ignore);
    assert_eq!(rule.foresee.as_ref().map(StageName::as_str), Some("staging"));
    assert_eq!(settings.shared_previews().collect::<Vec<_>>(), [&review]);
}

#[test]
fn one_freeze_needs_no_list() {
    let text = LIVELY.replace(
        "      - { time: 2026-12-24, duration: P3D, interval: P1Y, reason: Christmas }\n",
        "",
    );
    let text = text.replace("    freeze:\n      - {", "    freeze: {");
    let settings = parse_yaml(&text).unwrap_or_else(|problems| panic!("{problems:?}")).settings;
    assert_eq!(stage(&settings, "prod").freeze.len(), 1);
}

#[test]
fn these_settings_can_be_sent_back_as_they_were_answered() {
    let settings = lively().settings;
    let shown = serde_json::to_value(&settings).expect("plain data");
    assert_eq!(shown["preview_limit"], json!(20));
    let first = &shown["stages"]["prod"]["freeze"][0];
    let expected = json!({ "time": "2026-12-24", "duration": "P3D", "interval": "P1Y", "reason": "Christmas" });
    assert_eq!(*first, expected);
    assert_eq!(shown["rules"][1]["preview"]["stage_name"], json!({ "fixed": "review" }));
    let again = parse_json(&shown).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(again.settings, settings);
    let stored: Settings = serde_json::from_value(shown).expect("what is stored can be read");
    assert_eq!(stored, settings);
}

#[test]
fn the_difference_shows_them() {
    let before = lively().settings;
    let text = LIVELY
        .replace("preview_limit: 20", "preview_limit: 5")
        .replace("drift_every: 12h", "drift_every: never");
    let after = parse_yaml(&text).expect("it is right").settings;
    let shown: Vec<String> = diff(Some(&before), &after).iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["~ preview_limit: 20 -> 5", "~ stages.prod.drift_every: 12h -> never"]);
}

/// The problems of the file with one text replaced.
fn wrong(from: &str, to: &str) -> Vec<String> {
    assert!(LIVELY.contains(from), "the file has {from:?}");
    let problems = parse_yaml(&LIVELY.replacen(from, to, 1)).expect_err("it has a mistake");
    problems.iter().map(|problem| problem.located("app.yml")).collect()
}

#[rstest]
#[case(
    "preview_limit: 20",
    "preview_limit: 0",
    "app.yml:4: preview_limit: this must be a whole number from 1 to 1000; leave `preview_limit` out"
)]
#[case(
    "[release-team]",
    "[release-team, ' ']",
    "app.yml:10: stages.prod.approvers[1]: the name is empty"
)]
#[case(
    "approval_expires_after: 2d",
    "approval_expires_after: soon",
    "app.yml:11: stages.prod.approval_expires_after: \"soon\" is no length of time"
)]
#[case(
    "drift_every: 12h",
    "drift_every: daily",
    "app.yml:15: stages.prod.drift_every: \"daily\" is no interval: write a number of hours or days"
)]
#[case(
    "promote_from: staging",
    "promote_from: stagign",
    "app.yml:16: stages.prod.promote_from: there is no stage stagign; add it below `stages`"
)]
#[case(
    "promote_from: staging",
    "promote_from: prod",
    "app.yml:16: stages.prod.promote_from: this is the stage itself"
)]
#[case(
    "time: 2026-12-24,",
    "time: Christmas,",
    "app.yml:13: stages.prod.freeze[0].time: \"Christmas\" is no time; write one like"
)]
#[case(
    "interval: P1Y, reason: Christmas",
    "interval: P1D, reason: Christmas",
    "app.yml:13: stages.prod.freeze[0]: the interval P1D is not longer than the duration P3D"
)]
#[case(
    ", reason: Christmas",
    "",
    "app.yml:13: stages.prod.freeze[0]: `reason` is missing; say why"
)]
#[case(
    "reason: Christmas",
    "reason: ''",
    "app.yml:13: stages.prod.freeze[0].reason: the reason is empty"
)]
#[case(
    "reason: Christmas",
    "reason: Christmas, why: x",
    "app.yml:13: stages.prod.freeze[0].why: this key is not known here; known are time, duration, interval, reason"
)]
#[case(
    "{ fixed: review }",
    "{ fixed: Prod }",
    "app.yml:20: rules[1].preview.stage_name.fixed: prod is a long-lived stage of this file"
)]
#[case(
    "{ fixed: review }",
    "{ fixed: 'a b' }",
    "app.yml:20: rules[1].preview.stage_name.fixed: \"a b\" is not a valid stage name"
)]
#[case(
    "{ fixed: review }",
    "{ fixed: }",
    "app.yml:20: rules[1].preview.stage_name: `fixed` is missing; name the stage"
)]
#[case(
    "{ fixed: review }",
    "number",
    "app.yml:20: rules[1].preview.stage_name: this must be `branch` (each branch"
)]
#[case(
    "drafts: ignore",
    "drafts: no",
    "app.yml:20: rules[1].preview.drafts: this must be one of: build, ignore"
)]
#[case(
    "foresee: staging",
    "foresee: stage",
    "app.yml:20: rules[1].preview.foresee: there is no stage stage"
)]
fn a_mistake_in_them_is_named_with_its_line_key_and_remedy(
    #[case] from: &str,
    #[case] to: &str,
    #[case] expected: &str,
) {
    let shown = wrong(from, to);
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(shown[0].starts_with(expected), "{shown:?}");
}

#[test]
fn one_fixed_stage_belongs_to_one_rule() {
    let text =
        format!("{LIVELY}  - preview: {{ base: [next], stage_name: {{ fixed: Review }} }}\n");
    let problems = parse_yaml(&text).expect_err("two rules share a stage");
    let expected = "rules[2]: rules[1] is for the shared preview review already";
    assert!(problems[0].to_string().contains(expected), "{problems:?}");
}

#[test]
fn a_promotion_that_no_rule_can_take_further_is_said() {
    let warned = |rule: &str| {
        let text = LIVELY.replace("{ branch: prod, stage: prod }", rule);
        let file = parse_yaml(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
        file.warnings.iter().map(|warning| warning.located("app.yml")).collect::<Vec<_>>()
    };
    assert_eq!(
        warned("{ branch: 'prod/*', stage: prod }"),
        [
            "app.yml:16: stages.prod.promote_from: nothing can be promoted to prod: no rule sends a branch by its name, or a tag, to it; add one below `rules`"
        ]
    );
    assert!(warned("{ tag: 'v*', stage: prod, trigger: manual }").is_empty());
}
