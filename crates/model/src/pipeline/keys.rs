//! Every key of `greenroom.yml`, with what it is for and what may stand there: the one table from
//! which the file is read and the schema for editors is made.

/// One key of a map.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// Shown by editors.
    pub(super) about: &'static str,
    pub(super) shape: Shape,
}

/// What may stand behind a key.
pub(super) enum Shape {
    Services,
    Path,
    Framework,
    ServiceNames,
    Globs,
    File,
    StackName,
    Parameters,
    Command,
    CommandLine,
    Timeout,
}

const fn key(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, about, shape }
}

pub(super) const ROOT: [Key; 2] = [
    key(
        "services",
        Shape::Services,
        "The services of this repository, each under the name that pages, statuses and `${output:…}` use. Left out: every directory that holds a framework's file is a service.",
    ),
    key(
        "post_deploy",
        Shape::Command,
        "Runs once for the stage, from the repository's root, when all deploys of a build are through and at least one of them did something. A failed one fails the build and is not repeated by itself.",
    ),
];

pub(super) const SERVICE: [Key; 15] = [
    key(
        "path",
        Shape::Path,
        "The service's directory, relative to the repository's root; `.` is the root itself.",
    ),
    key(
        "framework",
        Shape::Framework,
        "How it is packaged and deployed. Left out: told by the files in its directory. `custom`: by the commands of this file alone.",
    ),
    key(
        "depends_on",
        Shape::ServiceNames,
        "Services of this file that are deployed before it and removed after it. Those it reads from by `${output:…}` need not be written here.",
    ),
    key(
        "watch",
        Shape::Globs,
        "Files outside its directory that belong to it too: when one of them changes, the service is deployed. Relative to the repository's root.",
    ),
    key(
        "template",
        Shape::File,
        "The template of a `cloudformation` or `sam` service, relative to `path`. Left out: `template.yaml`, `template.yml` or `template.json`.",
    ),
    key(
        "stack",
        Shape::StackName,
        "The stack's name for `cloudformation` and `sam`; `${stage}` must stand in it and `${service}` may. Left out: `${service}-${stage}`.",
    ),
    key(
        "parameters",
        Shape::Parameters,
        "Values for the template's parameters and for the steps' environment. `${param:…}` and `${output:…}` are replaced in them.",
    ),
    key(
        "install",
        Shape::Command,
        "Instead of the install that the lock file asks for. Runs without credentials.",
    ),
    key("lint", Shape::Command, "Instead of the script `lint` of package.json."),
    key("test", Shape::Command, "Instead of the script `test` of package.json."),
    key(
        "package",
        Shape::Command,
        "Instead of the framework's packaging; leaves its result in `$GREENROOM_PACKAGE_DIR`.",
    ),
    key("deploy", Shape::Command, "Instead of the framework's deploy."),
    key("remove", Shape::Command, "Instead of the framework's remove."),
    key("after_deploy", Shape::Command, "Runs after a deploy of this service that succeeded."),
    key("before_remove", Shape::Command, "Runs before this service is removed."),
];

pub(super) const STEP: [Key; 2] = [
    key("run", Shape::CommandLine, "A line for bash, run in the service's directory."),
    key(
        "timeout",
        Shape::Timeout,
        "How long it may take, from 1s to 12h: `90s`, `20m`, `2h`. Left out: the worker's own limit.",
    ),
];

/// The names of a table, as a file may have them.
pub(super) fn names(keys: &[Key]) -> Vec<&'static str> {
    keys.iter().map(|key| key.name).collect()
}
