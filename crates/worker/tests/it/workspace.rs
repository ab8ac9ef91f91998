//! Reading from a workspace that a step may have filled with traps.

use std::os::unix::fs::symlink;

use rstest::rstest;
use worker::git::{Workspace, WorkspaceError};

use crate::support::directory;

#[rstest]
#[case("../secret")]
#[case("/etc/passwd")]
#[case("a/../../secret")]
#[case("absolute-link")]
#[case("relative-link")]
#[case("directory-link/secret")]
#[case("magic-link")]
fn no_path_leads_out_of_the_workspace(#[case] path: &str) {
    let directory = directory();
    let root = directory.path().join("workspace");
    std::fs::create_dir_all(root.join("a")).unwrap();
    std::fs::write(directory.path().join("secret"), "secret").unwrap();
    symlink("/etc/passwd", root.join("absolute-link")).unwrap();
    symlink("../secret", root.join("relative-link")).unwrap();
    symlink("..", root.join("directory-link")).unwrap();
    symlink("/proc/self/environ", root.join("magic-link")).unwrap();
    let workspace = Workspace::new(root);
    let error = workspace.read(path, 1000).unwrap_err();
    assert!(matches!(error, WorkspaceError::Outside(_)), "{error}");
    assert!(workspace.directory(path).is_err());
}

#[test]
fn links_inside_the_workspace_are_followed() {
    let directory = directory();
    std::fs::create_dir(directory.path().join("real")).unwrap();
    std::fs::write(directory.path().join("real/file"), "content").unwrap();
    symlink("real", directory.path().join("link")).unwrap();
    let workspace = Workspace::new(directory.path().canonicalize().unwrap());
    assert_eq!(workspace.read("link/file", 100).unwrap(), b"content");
    assert_eq!(workspace.directory("link").unwrap(), workspace.root().join("real"));
}

#[test]
fn what_is_no_file_or_too_large_is_refused_without_waiting() {
    let directory = directory();
    let pipe = directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::fs::write(directory.path().join("big"), "x".repeat(100)).unwrap();
    let workspace = Workspace::new(directory.path().to_owned());
    assert!(matches!(workspace.read("pipe", 10).unwrap_err(), WorkspaceError::WrongKind { .. }));
    assert!(matches!(workspace.read(".", 10).unwrap_err(), WorkspaceError::WrongKind { .. }));
    assert!(matches!(workspace.read("big", 99).unwrap_err(), WorkspaceError::TooLarge { .. }));
    assert!(matches!(workspace.read("none", 99).unwrap_err(), WorkspaceError::Missing(_)));
    assert!(matches!(workspace.directory("big").unwrap_err(), WorkspaceError::WrongKind { .. }));
}
