//! `docs/requirements.md` names only tests that there are, and some for every line.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::path::{Path, PathBuf};

/// Stands before a test that is still to be written.
const MISSING: &str = "missing: ";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A cell of a table's second column.
#[derive(Debug, PartialEq)]
struct Cell<'a> {
    line: usize,
    text: &'a str,
}

fn shown_by(text: &str) -> impl Iterator<Item = Cell<'_>> {
    text.lines().enumerate().filter_map(|(at, line)| {
        let text = line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit(" | ").next()?;
        (text != "shown by").then_some(Cell { line: at + 1, text })
    })
}

/// What stands in backticks as `crate::test`, and whether it is told to be missing.
fn named(cell: &str) -> Vec<(bool, &str, &str)> {
    let parts: Vec<&str> = cell.split('`').collect();
    let tests = parts.chunks_exact(2).filter_map(|pair| {
        let (room, test) = pair[1].split_once("::")?;
        Some((pair[0].ends_with(MISSING), room, test))
    });
    tests.collect()
}

/// The text of every Rust file of a crate.
fn source(room: &str) -> String {
    let mut open = vec![root().join("crates").join(room)];
    let mut all = String::new();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                all.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    all
}

#[test]
fn every_requirement_names_tests_and_every_test_it_names_is_there() {
    let text = std::fs::read_to_string(root().join("docs/requirements.md")).unwrap();
    let mut wrong = Vec::new();
    let mut sources = std::collections::BTreeMap::new();
    for Cell { line, text } in shown_by(&text) {
        let tests = named(text);
        if tests.is_empty() {
            wrong.push(format!("line {line} names no test: {text}"));
        }
        for (missing, room, test) in tests {
            let source = sources.entry(room).or_insert_with(|| source(room));
            match (missing, source.contains(&format!("fn {test}("))) {
                (false, true) => {}
                (true, false) => wrong.push(format!("line {line}: {room}::{test} is missing")),
                (false, false) => wrong.push(format!("line {line}: there is no {room}::{test}")),
                (true, true) => {
                    wrong.push(format!("line {line}: {room}::{test} is there, not missing"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "docs/requirements.md:\n{}", wrong.join("\n"));
}

#[test]
fn a_cell_is_read_as_it_is_written() {
    let text =
        "## Some\n| what is asked | shown by |\n|---|---|\n| `x` | `a::one` missing: `b::two` |\n";
    let cells: Vec<_> = shown_by(text).collect();
    let text = "`a::one` missing: `b::two`";
    assert_eq!(cells, [Cell { line: 4, text }]);
    assert_eq!(named(text), [(false, "a", "one"), (true, "b", "two")]);
}
