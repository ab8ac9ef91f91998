//! Any text ends in a tree or in problems with their places, never in a crash.

use proptest::prelude::*;

use super::*;
use crate::{app, pipeline};

fn problems(text: &str) -> Vec<Problem> {
    match from_yaml(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems,
    }
}

fn scalars(text: &str) -> Vec<String> {
    let root = from_yaml(text).unwrap_or_else(|problems| panic!("{problems:?}"));
    read(&root, |root| {
        Some(
            root.entries()?
                .iter()
                .map(|entry| entry.value.scalar().unwrap_or("-").to_owned())
                .collect(),
        )
    })
    .expect("it is a map")
}

#[test]
fn numbers_and_truth_values_stay_as_they_were_written() {
    let text = "a: 1.10\nb: 0755\nc: yes\nd: 'on'\ne: 1_000 # so many\nf: &x 2.50\ng: *x\nh: true\ni: -0x1F\nj: 12:30\nk: \"é 1\"\nl: 3.0\n";
    assert_eq!(
        scalars(text),
        [
            "1.10", "0755", "yes", "on", "1_000", "2.50", "2.50", "true", "-0x1F", "12:30", "é 1",
            "3.0"
        ]
    );
}

#[test]
fn a_text_that_is_no_yaml_names_its_line() {
    let found = problems("a: 1\nb: [1, 2\nc: }\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].line.is_some_and(|line| line >= 2), "{found:?}");
}

#[test]
fn a_key_written_twice_names_the_second_line() {
    let found = problems("a: 1\nb: 2\na: 3\n");
    assert_eq!(found[0].line, Some(3), "{found:?}");
    assert!(found[0].message.contains("`a` is written twice"), "{found:?}");
}

#[test]
fn a_text_made_to_exhaust_the_reader_is_refused() {
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..12 {
        let before = level - 1;
        let items = vec![format!("*a{before}"); 10].join(",");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert_eq!(problems(&bomb).len(), 1);
    assert_eq!(problems(&"[".repeat(20_000)).len(), 1);
    let large = problems(&"# much\n".repeat(50_000));
    assert!(large[0].message.contains("256 KiB"), "{large:?}");
}

#[test]
fn an_empty_file_is_nothing_and_two_documents_are_refused() {
    assert!(from_yaml("").is_ok_and(|node| matches!(node.content, Content::Null)));
    assert_eq!(problems("a: 1\n---\nb: 2\n").len(), 1);
}

#[test]
fn a_problem_is_shown_with_file_line_and_key() {
    let problem = Problem { key: "stages.prod".into(), line: Some(7), message: "no".into() };
    assert_eq!(problem.located("app.yml"), "app.yml:7: stages.prod: no");
    assert_eq!(problem.to_string(), "line 7: stages.prod: no");
    let whole = Problem { key: String::new(), line: None, message: "no".into() };
    assert_eq!(whole.located("app.yml"), "app.yml: no");
    assert_eq!(whole.to_string(), "no");
}

/// Pieces of the files we read, so that some of the texts get past the first check.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "(app|profiles|stages|rules|services|parameters|secret|path|watch|preview|base|dev)",
        "[:\\-\\[\\]{},&*#!|>'\"% \n]",
        Just(": ".to_owned()),
        Just("\n  ".to_owned()),
        Just("\n- ".to_owned()),
        "\\PC{0,3}",
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_ends_in_a_file_or_in_problems(text in texts()) {
        if let Err(problems) = app::parse_yaml(&text) {
            prop_assert!(!problems.is_empty());
        }
        if let Err(problems) = pipeline::parse(&text) {
            prop_assert!(!problems.is_empty());
        }
    }
}

#[test]
fn what_the_library_says_to_programmers_is_said_to_users() {
    let two = problems("a: 1\n---\nb: 1\n");
    assert!(two[0].message.contains("more than one YAML document"), "{two:?}");
    let closed = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
    let aliases: String =
        (1..100).map(|level| format!("a{level}: &a{level} [*a{}]\n", level - 1)).collect();
    for deep in [closed, format!("a0: &a0 [x]\n{aliases}"), "- ".repeat(100)] {
        let deep = problems(&deep);
        assert!(deep[0].message.contains("nested deeper"), "{deep:?}");
    }
    let alias = problems("a: *nope\n");
    assert!(alias[0].message.ends_with("check the YAML around this place"), "{alias:?}");
}
