//! Greenroom's own Serverless plugin, for services that do not name it: what is written into a
//! job's room, or beside a command on somebody's machine, and how the framework comes to load it.
//! Pure.
//!
//! `NODE_OPTIONS` makes node load `preload.js` before anything else, and that adds the plugin to
//! the list which the framework has read from its configuration. So it is there whatever language
//! the configuration is written in (`serverless.yml`, `.json`, `.js`, `.ts`), whether `plugins:`
//! is absent, a list, an object or a variable, and in commands of the user's own (`npm run
//! package`) as well; a service that names the plugin itself keeps its own.
//!
//! What always holds: no file of the workspace is written or read for it.

use std::path::Path;

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        [$((
            $name,
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../plugins/serverless-greenroom/",
                $name
            )),
        )),+]
    };
}

/// What the plugin leaves beside a package: the service's `outputs:`.
pub const OUTPUTS_FILE: &str = "greenroom-outputs.json";

/// The plugin's files, to be written below one directory that steps can read and not write: name
/// and contents.
pub const FILES: [(&str, &str); 10] = shipped![
    "package.json",
    "preload.js",
    "index.js",
    "lib/command.js",
    "lib/deploy.js",
    "lib/looking.js",
    "lib/parameters.js",
    "lib/publish.js",
    "lib/reference.js",
    "lib/scope.js",
];

/// The variable `NODE_OPTIONS` of a step that may run the framework. `directory` holds [`FILES`],
/// as the step knows it; `theirs` is what the variable holds for the step already. The plugin
/// itself reads `GREENROOM_OUTPUTS_FILE`.
pub fn node_options(directory: &Path, theirs: Option<&str>) -> String {
    let preload = directory.join("preload.js");
    let ours = format!("--require {}", quoted(&preload.to_string_lossy()));
    match theirs.map(str::trim) {
        Some(theirs) if !theirs.is_empty() => format!("{theirs} {ours}"),
        Some(_) | None => ours,
    }
}

/// As node wants a value with spaces in `NODE_OPTIONS` (its documentation of that variable).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_loads_the_plugin_whatever_the_directory_is_called() {
        let options = |directory: &str| node_options(Path::new(directory), None);
        assert_eq!(options("/r/plugin"), r#"--require "/r/plugin/preload.js""#);
        assert_eq!(options(r#"/a b\"c"#), r#"--require "/a b\\\"c/preload.js""#);
    }

    #[test]
    fn node_options_that_a_step_has_already_are_kept() {
        let value = node_options(Path::new("/r"), Some("--max-old-space-size=4096"));
        assert_eq!(value, r#"--max-old-space-size=4096 --require "/r/preload.js""#);
        assert_eq!(node_options(Path::new("/r"), Some(" ")), r#"--require "/r/preload.js""#);
    }

    #[test]
    fn every_file_that_the_plugin_requires_is_shipped_and_nothing_else() {
        let mut required: Vec<String> = vec!["package.json".into(), "preload.js".into()];
        for (name, contents) in FILES {
            for rest in contents.split("require('./").skip(1) {
                let wanted = rest.split('\'').next().expect("a path").trim_end_matches(".js");
                assert!(!name.starts_with("lib/"), "{name} requires a file beside it");
                required.push(format!("{wanted}.js"));
            }
        }
        required.sort();
        required.dedup();
        let mut shipped: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        shipped.sort_unstable();
        assert_eq!(shipped, required);
    }
}
