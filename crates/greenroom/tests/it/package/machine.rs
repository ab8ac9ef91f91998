//! A machine of its own for a test: the Debian that `script/test` made, booted with its systemd, with
//! namespaces of its own for files, processes and the network, so that ports, mounts and services
//! meet nobody else's.
//!
//! What always holds: the Debian itself is only read; what is written lies in memory over it. Nothing
//! outlives the test, however that ends: the machine ends with the pipe that the test holds, the
//! kernel ends all its processes with the first, and with the last the mounts are gone.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

use tempfile::TempDir;
use tokio::process::Command;

use crate::server::until;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Around the machine. `$1` is the Debian, `$2` an empty directory, `$3` what boots. The machine gets a
/// cgroup to itself, by a mount of the hierarchy that nobody else sees, and lives until the input
/// ends.
const AROUND: &str = r#"
set -e
mount -t tmpfs -o mode=755 machine "$2"
cd "$2"
mkdir cgroup upper work root
mount -t cgroup2 cgroup2 cgroup
own=$PWD/cgroup/greenroom-machine-$$
mkdir "$own"
sh -c 'echo $$ >"$0/cgroup.procs"
  exec unshare --mount --pid --ipc --uts --net --cgroup --fork --kill-child \
    sh -c "$1" machine "$2" "$3"' "$own" "$3" "$1" "$PWD" </dev/null &
machine=$!
cat >/dev/null
kill -KILL "$machine" 2>/dev/null || true
wait "$machine" 2>/dev/null || true
turns=100
while [ "$turns" -gt 0 ] && ! find "$own" -depth -type d -exec rmdir {} + 2>/dev/null; do
  turns=$((turns - 1))
  sleep 0.05
done
"#;

/// Builds the file system and becomes systemd. `$1` is the Debian, `$2` a directory in memory. A root of
/// its own by pivot_root, not by chroot: in a chroot the kernel makes no user namespaces, which
/// sandboxes are made of. What the Debian would start besides is left out.
const BOOT: &str = r#"
set -e
read -r pid rest </proc/self/stat
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" machine "$2/root"
cd "$2/root"
rm -f etc/systemd/system/multi-user.target.wants/nginx.service
rm -f etc/systemd/system/multi-user.target.wants/postgresql.service
tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
echo machine >etc/hostname
echo 127.0.0.1 localhost machine >etc/hosts
mount -t tmpfs -o mode=755 dev dev
mkdir dev/pts dev/shm
for name in null zero full random urandom tty; do
  : >"dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=1777 shm dev/shm
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
pivot_root . .
umount -l .
cd /
ip link set lo up
echo "$pid"
exec env -i container=greenroom PATH="/usr/sbin:/usr/bin" /lib/systemd/systemd --system \
  --log-target=null --show-status=0 >/dev/null 2>&1
"#;

pub(crate) struct Machine {
    /// Its first process, by its number outside.
    pid: String,
    /// Holds the pipe.
    around: Child,
    _directory: TempDir,
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.around.stdin.take());
        // how it ends is nobody's matter, only that it does
        let _ = self.around.wait();
    }
}

impl Machine {
    pub(crate) async fn start() -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "only root can make a machine: run the tests by script/test, which leaves these out"
        );
        let debian = given("GREENROOM_TEST_DEBIAN");
        let directory = TempDir::with_prefix("greenroom-machine-").unwrap();
        let mut around = std::process::Command::new("unshare")
            .args(["--mount", "sh", "-c", AROUND, "around"])
            .arg(debian)
            .arg(directory.path())
            .arg(BOOT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pid = String::new();
        BufReader::new(around.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        let pid = pid.trim().to_owned();
        let machine = Self { pid, around, _directory: directory };
        assert!(!machine.pid.is_empty(), "no machine could be made; the reason stands above");
        until("the machine to be up", async || {
            let state = said(&machine.tries("systemctl", &["is-system-running"]).await);
            ["running", "degraded"].contains(&state.trim()).then_some(())
        })
        .await;
        machine
    }

    /// A file of the machine, as we find it.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        Path::new("/proc").join(&self.pid).join("root").join(path.trim_start_matches('/'))
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        std::fs::write(self.path(path), text).unwrap();
    }

    /// A program of the machine, run there as root, with a clean environment.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.pid, "--mount", "--pid", "--ipc", "--uts", "--net"])
            .args(["--cgroup", "--", program])
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", "/root")
            .env("LANG", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .current_dir("/")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs it to its end, whatever that is.
    pub(crate) async fn tries(&self, program: &str, arguments: &[&str]) -> Output {
        self.command(program, arguments).output().await.unwrap()
    }

    /// Runs it, well, and answers what it printed.
    pub(crate) async fn runs(&self, program: &str, arguments: &[&str]) -> String {
        let done = self.tries(program, arguments).await;
        assert!(done.status.success(), "{program} {arguments:?}: {}\n{}", done.status, said(&done));
        String::from_utf8(done.stdout).unwrap()
    }

    /// Runs a line of shell, well.
    pub(crate) async fn shell(&self, line: &str) -> String {
        self.runs("sh", &["-ec", line]).await
    }

    /// Starts, stops … a service; it has done so afterwards.
    pub(crate) async fn service(&self, verb: &str, unit: &str) {
        let done = self.tries("systemctl", &[verb, unit]).await;
        assert!(done.status.success(), "{verb} {unit}: {}\n{}", said(&done), self.log(unit).await);
    }

    /// What the service wrote.
    pub(crate) async fn log(&self, unit: &str) -> String {
        self.runs("journalctl", &["--no-pager", "--output=cat", "--unit", unit]).await
    }

    /// `active`, `inactive`, `failed` …
    pub(crate) async fn state(&self, unit: &str) -> String {
        said(&self.tries("systemctl", &["is-active", unit]).await).trim().to_owned()
    }

    /// A property of a unit.
    pub(crate) async fn property(&self, unit: &str, name: &str) -> String {
        let shown = self.runs("systemctl", &["show", "--value", "--property", name, unit]).await;
        shown.trim().to_owned()
    }
}

/// What was printed, on either side.
pub(crate) fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}

/// What `script/test` made for these tests.
pub(crate) fn given(variable: &str) -> PathBuf {
    std::env::var_os(variable)
        .unwrap_or_else(|| panic!("{variable}: run the tests by script/test, as root"))
        .into()
}
