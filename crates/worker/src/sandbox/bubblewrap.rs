//! Steps in bubblewrap: namespaces of their own, an unprivileged user, limits.
//!
//! The chain is `sh` (joins the cgroup) → `setpriv` (drops root) → `bwrap` → `prlimit` → the
//! command, each becoming the next. What always holds: bubblewrap never runs as root, where it
//! would keep root's capabilities inside; the step's environment reaches bubblewrap on its
//! standard input, so it is in no process list and cannot act on the programs before it.

use std::collections::BTreeMap;
use std::io::PipeWriter;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use async_trait::async_trait;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::cgroup::{Cgroup, Memory};
use super::spawner::Spawner;
use super::tools::{SYSTEM_PATH, SearchPath};
use super::{
    Ending, Executor, Invocation, Room, Running, SandboxError, StepUser, base_environment,
};

const WORKSPACE: &str = "/workspace";
const HOME: &str = "/home/step";

/// A symbolic link to `/usr/…` on most systems, a directory on old ones.
const MERGED: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What programs read of `/etc`. Nothing with a secret in it.
const ETC: [&str; 17] = [
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "host.conf",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "nsswitch.conf",
    "pki",
    "protocols",
    "resolv.conf",
    "services",
    "ssl",
    "mime.types",
];

/// The files of `/etc` that are ours.
const OWN_ETC: [&str; 3] = ["passwd", "group", "gitconfig"];

/// The first link of the chain. A cgroup that cannot be joined ends it: no step without limits.
const JOIN_CGROUP: &str = r#"echo 0 > "$1/cgroup.procs" || exit 125; shift; exec "$@""#;

/// Runs steps in bubblewrap.
#[derive(Debug)]
pub struct Bubblewrap {
    pub(super) memory: Memory,
    /// The first uid of the slots, when the worker is root.
    pub(super) first_uid: Option<u32>,
    /// Where the slots' own `/etc` files lie.
    pub(super) slots: PathBuf,
    pub(super) readable: Vec<PathBuf>,
    /// Where steps find programs.
    pub(super) path: SearchPath,
    pub(super) inherited: BTreeMap<String, String>,
    pub(super) spawner: Spawner,
}

impl Bubblewrap {
    /// Writes the `/etc` files of a slot.
    pub(super) fn furnish(&self, slot: u16) -> Result<(), SandboxError> {
        let directory = self.slot(slot);
        std::fs::create_dir_all(&directory)
            .map_err(SandboxError::io(format!("creating {}", directory.display())))?;
        let StepUser { uid, gid } = self.user(slot).unwrap_or(StepUser {
            uid: nix::unistd::getuid().as_raw(),
            gid: nix::unistd::getgid().as_raw(),
        });
        let contents = [
            format!(
                "step:x:{uid}:{gid}:step:{HOME}:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
            ),
            format!("step:x:{gid}:\nnogroup:x:65534:\n"),
            // The mirror behind the workspace belongs to the worker.
            "[safe]\n\tdirectory = *\n".to_owned(),
        ];
        for (name, content) in OWN_ETC.into_iter().zip(contents) {
            let path = directory.join(name);
            std::fs::write(&path, content)
                .and_then(|()| {
                    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
                    std::fs::set_permissions(&path, mode)
                })
                .map_err(SandboxError::io(format!("writing {}", path.display())))?;
        }
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        std::fs::set_permissions(&directory, mode)
            .map_err(SandboxError::io(format!("opening {}", directory.display())))
    }

    fn slot(&self, slot: u16) -> PathBuf {
        self.slots.join(slot.to_string())
    }

    /// Bubblewrap's options. They hold the environment.
    fn options(&self, room: &Room, invocation: &Invocation) -> Options {
        let mut options = Options::default();
        for flag in [
            "--unshare-user",
            "--unshare-pid",
            "--unshare-ipc",
            "--unshare-uts",
            "--unshare-cgroup-try",
            "--die-with-parent",
            "--new-session",
            "--clearenv",
        ] {
            options.add([flag]);
        }
        options.add(["--ro-bind", "/usr", "/usr"]);
        for path in MERGED {
            match std::fs::read_link(path) {
                Ok(target) => options.add(["--symlink", &target.to_string_lossy(), path]),
                Err(_) => options.add(["--ro-bind-try", path, path]),
            }
        }
        for name in ETC {
            let path = format!("/etc/{name}");
            options.add(["--ro-bind-try", &path, &path]);
        }
        for name in OWN_ETC {
            let source = self.slot(room.slot()).join(name);
            options.add(["--ro-bind", &source.to_string_lossy(), &format!("/etc/{name}")]);
        }
        options.add(["--proc", "/proc", "--dev", "/dev"]);
        options.add(["--perms", "1777", "--size", &invocation.limits.tmp_bytes.to_string()]);
        options.add(["--tmpfs", "/tmp"]);
        for path in self
            .readable
            .iter()
            .map(PathBuf::as_path)
            .chain(room.readable().iter().map(PathBuf::as_path))
        {
            let path = path.to_string_lossy();
            options.add(["--ro-bind", &path, &path]);
        }
        options.add(["--bind", &room.home().to_string_lossy(), HOME]);
        options.add(["--bind", &room.workspace().to_string_lossy(), WORKSPACE]);
        options.add(["--chdir", &Path::new(WORKSPACE).join(&invocation.cwd).to_string_lossy()]);
        let mut env = base_environment(Path::new(HOME), &self.path.variable());
        // Some builds of git look for it elsewhere.
        env.insert("GIT_CONFIG_SYSTEM".to_owned(), "/etc/gitconfig".to_owned());
        env.extend(self.inherited.clone());
        env.extend(invocation.env.clone());
        for (name, value) in &env {
            options.add(["--setenv", name, value]);
        }
        // The root file system itself, after everything is mounted in it.
        options.add(["--remount-ro", "/"]);
        options
    }

    fn command(&self, room: &Room, invocation: &Invocation, cgroup: Option<&Cgroup>) -> Command {
        let mut chain: Vec<String> = Vec::new();
        let mut link = |arguments: &[&str]| chain.extend(arguments.iter().map(|&a| a.to_owned()));
        if let Some(cgroup) = cgroup {
            link(&["/bin/sh", "-c", JOIN_CGROUP, "greenroom", &cgroup.path().to_string_lossy()]);
        }
        if let Some(StepUser { uid, gid }) = self.user(room.slot()) {
            let (uid, gid) = (format!("--reuid={uid}"), format!("--regid={gid}"));
            link(&["setpriv", &uid, &gid, "--clear-groups", "--no-new-privs", "--"]);
        }
        link(&["bwrap", "--args", "0", "--"]);
        let limits = &invocation.limits;
        link(&["prlimit", "--core=0", &format!("--nproc={}", limits.processes)]);
        link(&[&format!("--fsize={}", limits.file_bytes)]);
        if cgroup.is_none() {
            link(&[&format!("--data={}", limits.memory_bytes)]);
        }
        link(&["--"]);
        chain.extend(invocation.argv.iter().cloned());
        let mut command = Command::new(&chain[0]);
        command
            .args(&chain[1..])
            .env_clear()
            .env("PATH", SYSTEM_PATH)
            .current_dir("/")
            .stdin(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

#[async_trait]
impl Executor for Bubblewrap {
    fn describe(&self) -> String {
        let user = match self.first_uid {
            Some(first) => format!("users from {first}"),
            None => "the worker's own user".to_owned(),
        };
        format!("bubblewrap, {user}, memory limit {}, network shared", self.memory.describe())
    }

    fn user(&self, slot: u16) -> Option<StepUser> {
        self.first_uid.map(|first| {
            let id = first + u32::from(slot);
            StepUser { uid: id, gid: id }
        })
    }

    fn finds(&self, program: &str) -> bool {
        self.path.finds(program)
    }

    fn inside(&self, room: &Room, path: &Path) -> Option<PathBuf> {
        let below = |outside: PathBuf, inside: &str| {
            path.strip_prefix(outside).ok().map(|rest| match rest.as_os_str().is_empty() {
                true => PathBuf::from(inside),
                false => Path::new(inside).join(rest),
            })
        };
        let shown = || {
            let visible =
                room.readable().iter().chain(&self.readable).any(|shown| path.starts_with(shown));
            visible.then(|| path.to_owned())
        };
        below(room.workspace(), WORKSPACE).or_else(|| below(room.home(), HOME)).or_else(shown)
    }

    async fn start(
        &self,
        room: &Room,
        invocation: &Invocation,
        stdout: PipeWriter,
        stderr: PipeWriter,
    ) -> Result<Box<dyn Running>, SandboxError> {
        invocation.check()?;
        let cgroup = self
            .memory
            .create(invocation.limits.memory_bytes)
            .map_err(SandboxError::io("making the cgroup of a step"))?;
        let mut command = self.command(room, invocation, cgroup.as_ref());
        command.stdout(stdout).stderr(stderr);
        let mut child =
            self.spawner.spawn(command).await.map_err(SandboxError::io("starting bubblewrap"))?;
        let stdin = child.stdin.take();
        let running = Contained { child, cgroup, ending: None };
        if let Some(mut stdin) = stdin {
            // Should bubblewrap have ended already, its message and exit status tell why.
            let _ = stdin.write_all(&self.options(room, invocation).0).await;
        }
        Ok(Box::new(running))
    }
}

/// NUL-terminated, as `bwrap --args` reads them.
#[derive(Default)]
struct Options(Vec<u8>);

impl Options {
    fn add<const N: usize>(&mut self, arguments: [&str; N]) {
        for argument in arguments {
            self.0.extend_from_slice(argument.as_bytes());
            self.0.push(0);
        }
    }
}

/// Dropped early, `kill_on_drop` ends bubblewrap and `--die-with-parent` the sandbox with it.
#[derive(Debug)]
struct Contained {
    child: Child,
    cgroup: Option<Cgroup>,
    ending: Option<Ending>,
}

impl Contained {
    /// The first process of the sandbox, by its number outside. Once it ends, the kernel ends
    /// every other, daemons included.
    fn first_process(&self) -> Option<Pid> {
        let outer = self.child.id()?;
        let children =
            std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok().map(Pid::from_raw)
    }
}

#[async_trait]
impl Running for Contained {
    async fn wait(&mut self) -> Result<Ending, SandboxError> {
        if let Some(ending) = self.ending {
            return Ok(ending);
        }
        let status = self.child.wait().await.map_err(SandboxError::io("waiting for a step"))?;
        let out_of_memory = self.cgroup.as_ref().is_some_and(Cgroup::out_of_memory);
        let ending = match (status.code(), status.signal()) {
            (Some(0), _) => Ending::Exited(0),
            _ if out_of_memory => Ending::MemoryLimit,
            // A shell's and bubblewrap's way to say that a signal ended the command.
            (Some(code @ 129..=192), _) => Ending::Signaled(code - 128),
            (Some(code), _) => Ending::Exited(code),
            (None, signal) => Ending::Signaled(signal.unwrap_or(Signal::SIGKILL as i32)),
        };
        self.ending = Some(ending);
        Ok(ending)
    }

    fn terminate(&mut self) {
        if let Some(first) = self.first_process() {
            // The sandbox's session is one process group; its first process ignores the signal.
            let _ = killpg(first, Signal::SIGTERM);
        }
    }

    async fn end(&mut self) -> Result<(), SandboxError> {
        if self.ending.is_none() {
            match self.first_process() {
                // bubblewrap then ends by itself, after the last process inside.
                Some(first) => drop(kill(first, Signal::SIGKILL)),
                None => drop(self.child.start_kill()),
            }
            self.child.wait().await.map_err(SandboxError::io("ending a step"))?;
        }
        if let Some(cgroup) = self.cgroup.take() {
            cgroup.remove();
        }
        Ok(())
    }
}
