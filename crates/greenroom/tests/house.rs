//! House rules that no compiler knows: how long a file may be, and how it begins.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::path::{Path, PathBuf};

const MAX_LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every tracked-to-be file below the given directories with one of the extensions.
fn files(directories: &[&str], extensions: &[&str]) -> Vec<PathBuf> {
    let mut open: Vec<PathBuf> = directories.iter().map(|name| root().join(name)).collect();
    let mut found = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("node_modules") && !path.ends_with("target") {
                    open.push(path);
                }
            } else if extensions.iter().any(|e| path.extension().is_some_and(|x| x == *e)) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty());
    found
}

#[test]
fn no_file_of_ours_is_longer_than_six_hundred_lines() {
    let all = files(
        &["crates", "plugins", "migrations", "templates", "static", "docs", "script"],
        &["rs", "sql", "html", "css", "js", "md", "sh"],
    );
    let long: Vec<String> = all
        .iter()
        .filter_map(|path| {
            let lines = std::fs::read_to_string(path).unwrap().lines().count();
            (lines > MAX_LINES).then(|| format!("{} has {lines} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "which rooms are in these?\n{}", long.join("\n"));
}

#[test]
fn every_module_says_first_what_it_is_for() {
    let silent: Vec<String> = files(&["crates"], &["rs"])
        .iter()
        .filter(|path| {
            !path.ends_with("build.rs") || path.parent().is_some_and(|p| p.ends_with("src"))
        })
        .filter(|path| !std::fs::read_to_string(path).unwrap().starts_with("//!"))
        .map(|path| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "these begin without `//!`:\n{}", silent.join("\n"));
}

#[test]
fn the_image_is_built_with_every_directory_that_sources_include_files_of() {
    let dockerfile = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
    let ignored = std::fs::read_to_string(root().join(".dockerignore")).unwrap();
    let mut missing = Vec::new();
    for path in files(&["crates"], &["rs"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        for name in text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next())
        {
            let Ok(included) = path.with_file_name(name).canonicalize() else { continue };
            let Ok(within) = included.strip_prefix(root()) else { continue };
            let top = within.iter().next().unwrap().to_string_lossy().into_owned();
            let copied = dockerfile.contains(&format!("\nCOPY {top} {top}\n"))
                && ignored.lines().any(|line| line == format!("!{top}"));
            if !copied {
                missing.push(format!("{} includes {}", path.display(), within.display()));
            }
        }
    }
    assert!(missing.is_empty(), "Dockerfile or .dockerignore leave these out:\n{missing:#?}");
}
