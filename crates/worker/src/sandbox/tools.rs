//! Where steps find programs: the `PATH` they get, made from the worker's own.
//!
//! What always holds: of each tool that steps commonly call, they get the one that the worker's
//! `PATH` has first, unless steps cannot reach it there; directories keep the order they have in
//! that `PATH`, so that none hides another's programs; the system's directories are always in it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Programs that steps commonly call and that may be installed outside the system's directories.
const TOOLS: [&str; 8] = ["node", "npm", "yarn", "pnpm", "git", "python3", "bash", "sam"];

/// What steps have in any case.
pub(super) const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The directories that steps search, in order.
#[derive(Debug)]
pub(super) struct SearchPath {
    directories: Vec<PathBuf>,
    system: Vec<PathBuf>,
}

impl SearchPath {
    /// From the worker's own `PATH`. `root`: steps run as other users than the worker.
    pub(super) fn of_worker(root: bool) -> Self {
        let path: Vec<PathBuf> = worker_path().collect();
        let system: Vec<PathBuf> = SYSTEM_PATH.split(':').map(PathBuf::from).collect();
        Self::new(&path, system, &|place| !is_shims(place) && (!root || open_to_all(place)))
    }

    fn new(path: &[PathBuf], system: Vec<PathBuf>, reachable: &dyn Fn(&Path) -> bool) -> Self {
        let is_system = |place: &PathBuf| system.contains(place);
        let mut chosen: Vec<&PathBuf> = Vec::new();
        for tool in TOOLS {
            let places = || path.iter().filter(|place| place.join(tool).is_file());
            let first = places().find(|place| is_system(place) || reachable(place));
            if first != places().next() {
                tracing::warn!(
                    tool,
                    place = ?places().next(),
                    instead = ?first,
                    "steps cannot reach this tool: install it below /usr or /opt"
                );
            }
            chosen.extend(first);
        }
        let mut directories: Vec<PathBuf> = Vec::new();
        let in_order = path.iter().filter(|place| is_system(place) || chosen.contains(place));
        for place in in_order.chain(&system) {
            if !directories.contains(place) {
                directories.push(place.clone());
            }
        }
        Self { directories, system }
    }

    pub(super) fn finds(&self, program: &str) -> bool {
        self.directories.iter().any(|place| place.join(program).is_file())
    }

    /// The directories that are not the system's.
    pub(super) fn added(&self) -> impl Iterator<Item = &Path> {
        let added = self.directories.iter().filter(|place| !self.system.contains(place));
        added.map(PathBuf::as_path)
    }

    /// As the variable `PATH` has it.
    pub(super) fn variable(&self) -> String {
        let places: Vec<_> = self.directories.iter().map(|place| place.to_string_lossy()).collect();
        places.join(":")
    }
}

/// Whether the worker itself finds the program.
pub(super) fn is_installed(program: &str) -> bool {
    worker_path().any(|directory| directory.join(program).is_file())
}

fn worker_path() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = std::env::split_paths(&path).filter(|p| p.is_absolute()).collect();
    places.into_iter()
}

/// A version manager's stand-ins look for the real programs in a home that steps do not have.
fn is_shims(directory: &Path) -> bool {
    directory.ends_with("shims")
}

/// Whether every user may enter the directory.
fn open_to_all(directory: &Path) -> bool {
    let Ok(real) = directory.canonicalize() else { return false };
    real.ancestors().all(|path| path.metadata().is_ok_and(|m| m.permissions().mode() & 0o001 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Directories with these programs, below one that is gone with the value.
    fn machine(places: &[(&str, &[&str])]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        for (place, tools) in places {
            let place = root.path().join(place);
            std::fs::create_dir_all(&place).expect("a place");
            for tool in *tools {
                std::fs::write(place.join(tool), "").expect("a program");
            }
        }
        root
    }

    /// The search path for a worker's `PATH` on a machine whose system has `bin` and `sbin`.
    fn search(root: &tempfile::TempDir, path: &[&str], unreachable: &[&str]) -> String {
        let places = |names: &[&str]| -> Vec<PathBuf> {
            names.iter().map(|name| root.path().join(name)).collect()
        };
        let closed = places(unreachable);
        let found = SearchPath::new(&places(path), places(&["bin", "sbin"]), &|place| {
            !is_shims(place) && !closed.iter().any(|closed| closed == place)
        });
        let prefix = format!("{}/", root.path().display());
        found.variable().replace(&prefix, "")
    }

    #[test]
    fn a_newer_tool_that_is_first_in_path_comes_before_the_systems() {
        let machine = machine(&[("bin", &["node", "git"]), ("node-22/bin", &["node"])]);
        assert_eq!(search(&machine, &["node-22/bin", "bin"], &[]), "node-22/bin:bin:sbin");
    }

    #[test]
    fn a_tool_that_the_system_has_first_stays_the_systems() {
        let machine = machine(&[("bin", &["node"]), ("old/bin", &["node"])]);
        assert_eq!(search(&machine, &["bin", "old/bin"], &[]), "bin:sbin");
    }

    #[test]
    fn a_directory_behind_the_systems_hides_none_of_its_programs() {
        let machine = machine(&[("bin", &["node"]), ("extra/bin", &["node", "yarn"])]);
        assert_eq!(search(&machine, &["sbin", "bin", "extra/bin"], &[]), "sbin:bin:extra/bin");
    }

    #[test]
    fn directories_keep_their_order_and_those_without_a_tool_are_left_out() {
        let machine = machine(&[("a/bin", &["git"]), ("b/bin", &["git", "node"]), ("c", &[])]);
        assert_eq!(
            search(&machine, &["c", "a/bin", "b/bin", "a/bin"], &[]),
            "a/bin:b/bin:bin:sbin"
        );
    }

    #[test]
    fn a_tool_that_steps_cannot_reach_is_taken_from_where_they_can() {
        let machine = machine(&[
            ("bin", &["python3"]),
            ("home/bin", &["node"]),
            ("opt/bin", &["node"]),
            ("shims", &["python3"]),
        ]);
        let path = ["home/bin", "shims", "opt/bin", "bin"];
        assert_eq!(search(&machine, &path, &["home/bin"]), "opt/bin:bin:sbin");
    }
}
