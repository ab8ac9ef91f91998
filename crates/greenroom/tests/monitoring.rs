//! Alert rules, dashboard and `docs/monitoring.md` name only metrics that there are; promtool takes
//! the rules, and their own tests show each of them firing and not firing.
//!
//! `GREENROOM_TEST_PROMTOOL` is promtool: `script/test` fetches it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What Prometheus itself adds to each target.
const OF_PROMETHEUS: &str = "up";
const RULES: &str = "config/prometheus/greenroom.rules.yml";
const TESTS: &str = "config/prometheus/greenroom.test.yml";
const DASHBOARD: &str = "config/grafana/greenroom.json";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The table of the page: each metric's type.
fn documented() -> BTreeMap<String, String> {
    let page = read("docs/monitoring.md");
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `greenroom_")?.split(" | ");
        let name = cells.next()?.trim_end_matches('`');
        Some((format!("greenroom_{name}"), cells.next()?.to_owned()))
    });
    rows.collect()
}

/// The words of a text that are metrics of ours, as the page has them.
fn named(text: &str, documented: &BTreeMap<String, String>) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("greenroom_"));
    let of_histogram = |word: &str| {
        ["_bucket", "_count", "_sum"].iter().find_map(|end| {
            let base = word.strip_suffix(end)?;
            (documented.get(base)? == "histogram").then(|| base.to_owned())
        })
    };
    ours.map(|word| of_histogram(word).unwrap_or_else(|| word.to_owned())).collect()
}

fn unknown(text: &str) -> Vec<String> {
    let documented = documented();
    named(text, &documented).into_iter().filter(|name| !documented.contains_key(name)).collect()
}

fn promtool(arguments: &[&str]) {
    let promtool = std::env::var("GREENROOM_TEST_PROMTOOL")
        .expect("GREENROOM_TEST_PROMTOOL: run the tests by script/test, which fetches promtool");
    let done = Command::new(promtool).args(arguments).current_dir(root()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "promtool {arguments:?}:\n{out}{err}");
}

/// The names behind `key`, in order.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.trim_start().strip_prefix(key)).map(str::trim).collect()
}

/// Every expression of the dashboard.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(expression) = map.get("expr").and_then(Value::as_str) {
                found.push(expression.to_owned());
            }
            map.values().for_each(|value| expressions(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn promtool_takes_the_rules_and_the_configuration() {
    promtool(&["check", "rules", RULES]);
    promtool(&["check", "config", "--syntax-only", "config/prometheus/prometheus.yml"]);
}

#[test]
fn every_alert_fires_and_does_not_fire_as_its_tests_say() {
    promtool(&["test", "rules", TESTS]);
    let (rules, tests) = (read(RULES), read(TESTS));
    let names = values(&tests, "- name: ");
    let alerts = values(&rules, "- alert: ");
    assert!(!alerts.is_empty());
    for alert in alerts {
        for how in ["fires", "does not fire"] {
            assert!(names.contains(&format!("{alert} {how}").as_str()), "no test: {alert} {how}");
        }
    }
}

#[test]
fn rules_and_dashboard_name_only_metrics_that_the_page_has() {
    for path in [RULES, TESTS, DASHBOARD] {
        assert_eq!(unknown(&read(path)), Vec::<String>::new(), "{path}");
    }
    let only_up = values(&read(RULES), "expr: ")
        .into_iter()
        .filter(|expr| !expr.contains("greenroom_") && !expr.starts_with(">-"))
        .all(|expr| expr.starts_with(OF_PROMETHEUS));
    assert!(only_up, "an alert is about something that is not Greenroom's");
}

#[test]
fn every_panel_of_the_dashboard_is_a_query_that_prometheus_takes() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    assert!(found.len() > 20, "{} queries", found.len());
    // as recording rules, which promtool reads
    let rules: Vec<Value> = found
        .iter()
        .enumerate()
        .map(|(at, expression)| {
            let expression =
                expression.replace("$__rate_interval", "5m").replace("$instance", ".*");
            serde_json::json!({ "record": format!("panel:{at}"), "expr": expression })
        })
        .collect();
    let file = tempfile::Builder::new().suffix(".yml").tempfile().unwrap();
    let groups = serde_json::json!({ "groups": [{ "name": "panels", "rules": rules }] });
    std::fs::write(file.path(), groups.to_string()).unwrap();
    promtool(&["check", "rules", file.path().to_str().unwrap()]);
}

#[test]
fn the_names_in_the_code_are_those_of_the_page() {
    let mut open = vec![root().join("crates")];
    let mut wrong = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let is_source = path.extension().is_some_and(|extension| extension == "rs")
                && path.components().any(|part| part.as_os_str() == "src");
            if !is_source {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for kind in ["counter!(", "gauge!(", "histogram!("] {
                let calls = text.split(kind).skip(1);
                let literals = calls.filter_map(|rest| rest.trim_start().strip_prefix('"'));
                let names = literals.filter_map(|rest| rest.split('"').next());
                let kind = kind.trim_end_matches("!(");
                let is_told = |name: &&str| documented().get(*name).is_some_and(|is| is == kind);
                wrong.extend(
                    names.filter(|name| !is_told(name)).map(|name| format!("{kind} {name}")),
                );
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "docs/monitoring.md has no row for these");
}

#[test]
fn names_follow_the_conventions_of_prometheus() {
    for (name, kind) in documented() {
        let is_total = name.ends_with("_total");
        assert_eq!(is_total, kind == "counter", "{name} is a {kind}");
        if kind == "histogram" {
            assert!(name.ends_with("_seconds"), "{name}: what does it measure?");
        }
        for scaled in ["_ms", "_minutes", "_percent", "_milliseconds"] {
            assert!(!name.ends_with(scaled), "{name}: base units");
        }
    }
}

#[test]
fn a_metric_that_the_page_does_not_have_is_found() {
    assert_eq!(unknown("rate(greenroom_no_such_total[5m])"), ["greenroom_no_such_total"]);
    assert_eq!(unknown("greenroom_workers > 0"), Vec::<String>::new());
    assert_eq!(unknown("greenroom_job_wait_seconds_bucket"), Vec::<String>::new());
    assert_eq!(unknown("greenroom_workers_bucket"), ["greenroom_workers_bucket"]);
}
