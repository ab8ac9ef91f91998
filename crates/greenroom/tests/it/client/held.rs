//! No client command without its snapshots: what it prints, what it prints for scripts, and a failure.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// What does not ask a server, or is one.
const OF_NO_CLIENT: [&str; 10] = [
    "serve",
    "worker",
    "migrate",
    "check",
    "apply",
    "token",
    "setup-link",
    "completions",
    "man",
    "help",
];
/// What it prints is its command's, so it refuses `--json` in words.
const WITHOUT_JSON: &str = "exec";

fn help(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_greenroom")).args(arguments).arg("--help").output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// The client commands, as the program itself lists them.
fn commands() -> Vec<String> {
    let help = help(&[]);
    let (_, listed) = help.split_once("Commands:\n").expect("the program lists its commands");
    let (listed, _) = listed.split_once("\n\n").expect("options come after them");
    let names = listed.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| !OF_NO_CLIENT.contains(name)).map(str::to_owned).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shows {
    Done,
    Json,
    Failure,
}

/// Of every run in the snapshots: which command it was, and what it shows.
fn shown() -> BTreeSet<(String, Shows)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/client/snapshots");
    let mut found = BTreeSet::new();
    for file in std::fs::read_dir(directory).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for run in text.split("$ greenroom ").skip(1) {
            let line = run.lines().next().unwrap_or_default();
            let command = line.split_whitespace().next().unwrap_or_default().to_owned();
            let done = run.lines().any(|line| line == "--- 0");
            let shows = match (done, line.contains("--json")) {
                (true, false) => Shows::Done,
                (true, true) => Shows::Json,
                (false, _) => Shows::Failure,
            };
            found.insert((command, shows));
        }
    }
    found
}

#[test]
fn every_client_command_has_snapshots_of_its_output_its_json_and_a_failure() {
    let shown = shown();
    let commands = commands();
    assert!(commands.len() > 15, "{commands:?}");
    let mut missing = Vec::new();
    for command in commands {
        let mut wanted = vec![Shows::Done, Shows::Failure];
        if command != WITHOUT_JSON && help(&[command.as_str()]).contains("--json") {
            wanted.push(Shows::Json);
        }
        let needed = wanted.into_iter().map(|shows| (command.clone(), shows));
        missing.extend(needed.filter(|needed| !shown.contains(needed)));
    }
    assert!(missing.is_empty(), "no snapshot shows {missing:?}");
}
