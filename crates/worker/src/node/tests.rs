//! What a lock file and a `package.json` make of a service.

use rstest::rstest;

use super::*;

fn files(paths: &[&str]) -> BTreeSet<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

fn package(text: &str) -> PackageJson {
    PackageJson::parse("api/package.json", text.as_bytes()).expect("a package.json")
}

fn filled(paths: &[&str], text: &str, written: &Commands) -> (Commands, String) {
    let install = install("api", &files(paths));
    let package = package(text);
    let (commands, notes) =
        fill_in("api", Framework::Serverless, written, Some(&package), install.as_ref());
    (commands, notes.join("\n"))
}

fn line(step: Option<&Step>) -> Option<&str> {
    step.map(|step| step.run.as_str())
}

const SCRIPTS: &str = r#"{"scripts":{"lint":"eslint .","test":"vitest"}}"#;

#[rstest]
#[case(&["package-lock.json"], "npm ci", "npm run lint", "npm test")]
#[case(&["npm-shrinkwrap.json"], "npm ci", "npm run lint", "npm test")]
#[case(&["yarn.lock"], "yarn install --frozen-lockfile", "yarn run lint", "yarn run test")]
#[case(&["yarn.lock", ".yarnrc.yml"], "yarn install --immutable", "yarn run lint", "yarn run test")]
#[case(&["pnpm-lock.yaml"], "pnpm install --frozen-lockfile", "pnpm run lint", "pnpm run test")]
#[case(&["package-lock.json", "yarn.lock"], "npm ci", "npm run lint", "npm test")]
fn the_lock_file_decides_what_installs_and_runs_scripts(
    #[case] locks: &[&str],
    #[case] installs: &str,
    #[case] lints: &str,
    #[case] tests: &str,
) {
    let locks: Vec<String> = locks.iter().map(|lock| format!("api/{lock}")).collect();
    let paths: Vec<&str> = locks.iter().map(String::as_str).chain(["api/package.json"]).collect();
    let (commands, notes) = filled(&paths, SCRIPTS, &Commands::default());
    assert_eq!(line(commands.install.as_ref()), Some(installs));
    assert_eq!(line(commands.lint.as_ref()), Some(lints));
    assert_eq!(line(commands.test.as_ref()), Some(tests));
    assert!(notes.contains(&locks[0]), "{notes}");
}

#[rstest]
#[case(Framework::Cloudformation)]
#[case(Framework::Sam)]
#[case(Framework::Custom)]
fn a_framework_that_is_no_package_installs_only_for_the_service_s_own_scripts(
    #[case] framework: Framework,
) {
    let above = install("infra", &files(&["package.json", "package-lock.json"]));
    assert!(above.is_some());
    let (commands, notes) = fill_in("infra", framework, &Commands::default(), None, above.as_ref());
    assert_eq!(commands, Commands::default());
    assert!(notes[0].contains("needs none"), "{notes:?}");
    let own = package(SCRIPTS);
    let (commands, _) =
        fill_in("infra", framework, &Commands::default(), Some(&own), above.as_ref());
    assert_eq!(line(commands.install.as_ref()), Some("cd .. && npm ci"));
}

#[test]
fn without_a_lock_file_npm_installs_and_the_note_says_to_commit_one() {
    let (commands, notes) = filled(&["api/package.json"], "{}", &Commands::default());
    assert_eq!(line(commands.install.as_ref()), Some("npm install"));
    assert!(notes.contains("commit one"), "{notes}");
}

#[test]
fn a_workspace_installs_where_its_lock_file_is() {
    let install =
        install("apps/api", &files(&["apps/api/package.json", "package.json", "yarn.lock"]));
    let (commands, _) =
        fill_in("apps/api", Framework::Serverless, &Commands::default(), None, install.as_ref());
    assert_eq!(line(commands.install.as_ref()), Some("cd ../.. && yarn install --frozen-lockfile"));
}

#[test]
fn a_service_without_package_json_installs_nothing() {
    assert_eq!(install("api", &files(&["api/serverless.yml"])), None);
    let (commands, notes) = fill_in("api", Framework::Serverless, &Commands::default(), None, None);
    assert_eq!(commands, Commands::default());
    assert_eq!(notes.len(), 3);
}

#[test]
fn scripts_become_steps_and_the_placeholder_does_not() {
    let placeholder =
        r#"{"scripts":{"lint":"eslint .","test":"echo \"Error: no test specified\" && exit 1"}}"#;
    let (commands, notes) = filled(&[], placeholder, &Commands::default());
    assert_eq!(line(commands.lint.as_ref()), Some("npm run lint"));
    assert_eq!(commands.test, None);
    assert!(notes.contains("placeholder"), "{notes}");
    let (commands, _) = filled(&[], r#"{"scripts":{"test":"vitest"}}"#, &Commands::default());
    assert_eq!(line(commands.test.as_ref()), Some("npm test"));
}

#[test]
fn what_greenroom_yml_says_wins() {
    let written = Commands {
        install: Some(Step::new("make deps")),
        test: Some(Step::new("make test")),
        ..Commands::default()
    };
    let (commands, _) =
        filled(&["api/package.json", "api/yarn.lock"], r#"{"scripts":{"test":"x"}}"#, &written);
    assert_eq!(commands, written);
}

#[test]
fn a_broken_package_json_is_named() {
    let failure = PackageJson::parse("api/package.json", b"{").expect_err("cut off");
    assert!(failure.message.starts_with("api/package.json"), "{}", failure.message);
}
