//! A developer's machine: a clone, a directory for settings, and nothing else of the server's.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use tempfile::TempDir;
use tokio::process::Command;

use super::redact::redact;
use crate::world::World;

pub(super) struct Laptop {
    directory: TempDir,
    url: String,
    github: String,
    admin: String,
}

/// What a command printed and how it ended.
pub(super) struct Ran {
    pub(super) out: String,
    pub(super) said: String,
    pub(super) code: i32,
}

impl Laptop {
    pub(super) fn of(world: &World) -> Self {
        let directory = TempDir::with_prefix("laptop-").unwrap();
        let clone = directory.path().join("clone");
        let remote = format!("{}/acme/workshop.git", world.github.url());
        for arguments in
            [&["init", "-q", "-b", "develop", "clone"][..], &["init", "-q", "elsewhere"][..]]
        {
            git(directory.path().into(), arguments);
        }
        git(clone, &["remote", "add", "origin", &remote]);
        Self {
            directory,
            url: world.server.url.clone(),
            github: world.github.url().to_owned(),
            admin: world.admin.clone(),
        }
    }

    pub(super) fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// Gets what is on the branch that is checked out.
    pub(super) fn pulls(&self, url: &str) {
        let clone = self.directory.path().join("clone");
        for arguments in [
            &["fetch", "-q", url, "+develop:refs/remotes/origin/develop"][..],
            &["reset", "-q", "--hard", "origin/develop"],
        ] {
            git(clone.clone(), arguments);
        }
    }

    /// Without a word of a server.
    pub(super) fn bare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_greenroom"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .current_dir(self.directory.path().join("clone"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// As whoever has this token.
    pub(super) fn with(&self, token: &str, arguments: &[&str]) -> Command {
        let mut command = self.bare(arguments);
        command.env("GREENROOM_URL", &self.url).env("GREENROOM_TOKEN", token);
        command
    }

    /// As the admin.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        self.with(&self.admin, arguments)
    }

    /// In a directory that is no clone of an app's.
    pub(super) fn elsewhere(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.current_dir(self.directory.path().join("elsewhere"));
        command
    }

    pub(super) async fn ran(&self, mut command: Command) -> Ran {
        self.ran_by(&mut command).await
    }

    pub(super) async fn ran_by(&self, command: &mut Command) -> Ran {
        self.ended(command.output().await.unwrap())
    }

    pub(super) fn ended(&self, output: Output) -> Ran {
        let text = |bytes: Vec<u8>| self.redacted(&String::from_utf8(bytes).unwrap());
        Ran {
            out: text(output.stdout),
            said: text(output.stderr),
            code: output.status.code().unwrap(),
        }
    }

    pub(super) fn redacted(&self, text: &str) -> String {
        let known = [
            (self.url.clone(), "http://server"),
            (self.github.clone(), "http://github"),
            (self.home().display().to_string(), "[home]"),
        ];
        redact(text, &known)
    }

    pub(super) async fn run(&self, arguments: &[&str]) -> Ran {
        self.ran(self.command(arguments)).await
    }

    /// Runs it, and holds it to its snapshot.
    pub(super) async fn shows(&self, name: &str, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments).await;
        insta::assert_snapshot!(name, ran.text(arguments));
        ran
    }

    /// The same of one that waits: which states it sees on the way is luck, the end is not.
    pub(super) async fn waits(&self, name: &str, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments).await;
        let end = ran.said.lines().last().unwrap_or_default();
        let seen = Ran { out: ran.out.clone(), said: format!("{end}\n"), code: ran.code };
        insta::assert_snapshot!(name, seen.text(arguments));
        ran
    }
}

impl Ran {
    pub(super) fn text(&self, arguments: &[&str]) -> String {
        let Self { out, said, code } = self;
        format!("$ greenroom {}\n{out}--- said\n{said}--- {code}\n", arguments.join(" "))
    }
}

fn git(directory: PathBuf, arguments: &[&str]) {
    let mut git = std::process::Command::new("git");
    assert!(git.args(arguments).current_dir(directory).status().unwrap().success());
}
