//! The Debian package, on a Debian with its systemd: installed, started, upgraded, removed, purged, and
//! what it has beside the program.
//!
//! `script/test` makes what these need, as root: two versions of the package, of the program that
//! the other tests run, and a Debian with what the package depends on, which each test's machine
//! reads and none changes.

mod machine;

use std::process::Stdio;

use machine::{Machine, given, said};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::server::{PATIENCE, until};

const SERVER: &str = "greenroom.service";
const WORKER: &str = "greenroom-worker.service";
const SETTINGS: &str = "/etc/greenroom/greenroom.toml";
const DATA: &str = "/var/lib/greenroom";
const API: &str = "http://127.0.0.1:8080/api/v1";
const HOST: &str = "greenroom.example.com";
/// Of the webhooks.
const SECRET: &str = "nobody else knows";

fn app(name: &str) -> String {
    format!(
        "app: {name}
repository: acme/{name}
default_profile: development
profiles:
  development:
    role_arn: arn:aws:iam::111111111111:role/greenroom-deploy
    external_id: acme-greenroom
    region: us-east-1
stages:
  dev: {{ profile: development }}
rules:
  - {{ branch: main, stage: dev }}
"
    )
}

impl Machine {
    /// A machine where the package of this variable is installed.
    async fn with_package(variable: &str) -> Self {
        let machine = Self::start().await;
        machine.apt_install(variable).await;
        machine
    }

    /// Installs the file with what the machine has: what it has not could not be fetched.
    async fn apt_install(&self, variable: &str) -> String {
        std::fs::copy(given(variable), self.path("/root/greenroom.deb")).unwrap();
        self.runs("apt-get", &["install", "--yes", "/root/greenroom.deb"]).await
    }

    /// A command of the program beside the server, as the guide says to give it.
    async fn greenroom(&self, arguments: &[&str]) -> String {
        let all = [&["-u", "greenroom", "greenroom"], arguments].concat();
        self.runs("sudo", &all).await
    }

    async fn token(&self, name: &str, role: &str) -> String {
        let made = self.greenroom(&["token", "create", "--name", name, "--role", role]).await;
        made.trim().to_owned()
    }

    async fn apply(&self, name: &str) {
        let file = format!("/tmp/{name}.yml");
        self.write(&file, &app(name));
        self.greenroom(&["apply", &file]).await;
    }

    async fn api(&self, token: &str, path: &str) -> Value {
        let token = format!("Authorization: Bearer {token}");
        let answer = self.runs("curl", &["-fsS", "-H", &token, &format!("{API}{path}")]).await;
        serde_json::from_str(&answer).unwrap()
    }

    /// Owner, group and mode of a file, as `stat` says it.
    async fn mode(&self, path: &str) -> String {
        self.runs("stat", &["-c", "%U:%G %a", path]).await.trim().to_owned()
    }

    async fn version(&self) -> String {
        self.runs("dpkg-query", &["--show", "--showformat", "${Version}", "greenroom"]).await
    }

    /// How many processes run as the service's user.
    async fn processes(&self) -> usize {
        let owners = self.shell("stat -c %U /proc/[0-9]* 2>/dev/null || true").await;
        owners.lines().filter(|owner| *owner == "greenroom").count()
    }

    /// Changes the settings as a person would, at the end of the file, and has them taken.
    async fn settings(&self, more: &str) {
        let settings = self.read(SETTINGS) + more;
        self.write(SETTINGS, &settings);
        self.service("restart", SERVER).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_package_is_installed_upgraded_removed_and_purged_and_its_data_stay() {
    let machine = Machine::with_package("GREENROOM_TEST_DEB_OLDER").await;
    let older = machine.version().await;
    assert_eq!(machine.state(SERVER).await, "active");
    assert_eq!(machine.state(WORKER).await, "inactive");
    let enabled = machine.shell("ls /etc/systemd/system/multi-user.target.wants").await;
    assert!(enabled.contains(SERVER) && !enabled.contains(WORKER), "{enabled}");
    assert_eq!(machine.mode(SETTINGS).await, "root:greenroom 640");
    assert_eq!(machine.mode("/etc/greenroom/greenroom.env").await, "root:root 600");
    assert_eq!(machine.mode("/etc/greenroom/worker.env").await, "root:root 600");
    assert_eq!(machine.mode(DATA).await, "greenroom:greenroom 700");
    // it is ready when its start is over, and sandboxes can be made under all that shuts it in
    machine.runs("curl", &["-fsS", "http://127.0.0.1:8080/readyz"]).await;
    let log = until("the worker to be there", async || {
        let log = machine.log(SERVER).await;
        log.contains("the worker takes jobs").then_some(log)
    })
    .await;
    assert!(log.contains("bubblewrap, the worker's own user"), "{log}");

    // a change of somebody's, and data
    machine.settings("\n[github]\nwebhook_secrets = [\"by somebody\"]\n").await;
    let settings = machine.read(SETTINGS);
    let token = machine.token("me", "admin").await;
    machine.apply("shop").await;
    let before = machine.api(&token, "/apps/shop").await;
    assert_eq!(before["repository"], "acme/shop");

    // what root made there the service could not read
    let by_root = ["token", "create", "--name", "x", "--role", "admin"];
    let by_root = machine.tries("greenroom", &by_root).await;
    assert!(!by_root.status.success());
    assert!(said(&by_root).contains("sudo -u greenroom greenroom"), "{}", said(&by_root));

    // upgraded, it runs again with what it had
    let process = machine.property(SERVER, "MainPID").await;
    machine.apt_install("GREENROOM_TEST_DEB").await;
    assert_ne!(machine.version().await, older);
    assert_eq!(machine.state(SERVER).await, "active");
    assert_ne!(machine.property(SERVER, "MainPID").await, process);
    assert!(machine.log(SERVER).await.contains("stopped"), "the old one had its time to end");
    assert_eq!(machine.read(SETTINGS), settings);
    assert_eq!(machine.mode(SETTINGS).await, "root:greenroom 640");
    assert_eq!(machine.api(&token, "/apps/shop").await, before);

    // removed: the program goes with all its processes, settings and data stay
    machine.runs("apt-get", &["remove", "--yes", "greenroom"]).await;
    assert_eq!(machine.processes().await, 0);
    assert!(!machine.path("/usr/bin/greenroom").exists());
    assert_eq!(machine.read(SETTINGS), settings);

    // installed again, it goes on where it was
    machine.apt_install("GREENROOM_TEST_DEB").await;
    assert_eq!(machine.api(&token, "/apps/shop").await, before);

    // purged: settings go, and what can be had again; the data stay, and that is said
    let purged = machine.tries("apt-get", &["purge", "--yes", "greenroom"]).await;
    assert!(purged.status.success(), "{}", said(&purged));
    assert!(said(&purged).contains("rm -rf /var/lib/greenroom"), "{}", said(&purged));
    for gone in ["/etc/greenroom", "/var/lib/greenroom/worker"] {
        assert!(!machine.path(gone).exists(), "{gone}");
    }
    for kept in ["secret.key", "objects", "postgres/data/PG_VERSION"] {
        assert!(machine.path(DATA).join(kept).exists(), "{kept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_package_s_units_are_what_systemd_takes_and_as_shut_in_as_the_guide_says() {
    let machine = Machine::with_package("GREENROOM_TEST_DEB").await;
    for unit in [SERVER, WORKER] {
        let path = format!("/usr/lib/systemd/system/{unit}");
        let verified = machine.tries("systemd-analyze", &["verify", "--man=no", &path]).await;
        let text = said(&verified);
        // older ones say that they do not know it, and go on
        let complaints: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("greenroom") && !line.contains("DelegateSubgroup"))
            .collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
        let score = ["security", "--offline=yes", "--threshold=30", &path];
        let score = machine.tries("systemd-analyze", &score).await;
        assert!(score.status.success(), "{}", said(&score));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_package_has_the_commands_manual_completions_and_guides() {
    let machine = Machine::with_package("GREENROOM_TEST_DEB").await;
    let version = machine.runs("greenroom", &["--version"]).await;
    assert!(version.starts_with("greenroom "), "{version}");
    let files = machine.runs("dpkg", &["--listfiles", "greenroom"]).await;
    for file in [
        "/usr/share/man/man1/greenroom.1.gz",
        "/usr/share/man/man1/greenroom-logs.1.gz",
        "/usr/share/bash-completion/completions/greenroom",
        "/usr/share/zsh/vendor-completions/_greenroom",
        "/usr/share/fish/vendor_completions.d/greenroom.fish",
        "/usr/share/doc/greenroom/copyright",
        "/usr/share/doc/greenroom/install/one-machine.md",
        "/usr/share/doc/greenroom/examples/greenroom.toml",
        "/usr/share/doc/greenroom/examples/nginx/greenroom.conf",
    ] {
        assert!(files.lines().any(|line| line == file), "{file} is not in\n{files}");
    }
    let conffiles = ["--show", "--showformat", "${Conffiles}", "greenroom"];
    let conffiles = machine.runs("dpkg-query", &conffiles).await;
    for file in ["greenroom.toml", "greenroom.env", "worker.env"] {
        assert!(conffiles.contains(&format!("/etc/greenroom/{file} ")), "{conffiles}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_package_s_worker_takes_jobs_for_a_server_by_its_unit() {
    let machine = Machine::with_package("GREENROOM_TEST_DEB").await;
    machine.settings("\n[worker]\ncount = 0\n").await;
    let (admin, token) = (machine.token("me", "admin").await, machine.token("w", "worker").await);
    let variables =
        format!("GREENROOM_URL=http://127.0.0.1:8080\nGREENROOM_TOKEN={token}\nSLOTS=3\n");
    machine.write("/etc/greenroom/worker.env", &variables);
    machine.service("start", WORKER).await;
    let worker = until("the worker to be known", async || {
        let system = machine.api(&admin, "/system").await;
        let workers = system["workers"].as_array()?;
        workers.iter().find(|worker| worker["slots"] == 3).cloned()
    })
    .await;
    let executor = worker["executor"].as_str().unwrap();
    assert!(executor.starts_with("bubblewrap, the worker's own user"), "{worker:#}");
    machine.service("stop", WORKER).await;
    assert_eq!(machine.property(WORKER, "Result").await, "success");
    machine.service("stop", SERVER).await;
    assert_eq!(machine.property(SERVER, "Result").await, "success");
    assert_eq!(machine.processes().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_package_s_nginx_passes_live_events_on_and_takes_the_largest_webhook() {
    let machine = Machine::with_package("GREENROOM_TEST_DEB").await;
    let settings =
        format!("\npublic_url = \"https://{HOST}\"\n[github]\nwebhook_secrets = [\"{SECRET}\"]\n");
    machine.settings(&settings).await;
    let token = machine.token("me", "admin").await;
    machine.apply("shop").await;
    proxy(&machine).await;

    // nobody is taken for somebody on this machine
    let nobody = format!("{} -o /dev/null -w '%{{http_code}}'", curl("/api/v1/apps"));
    assert_eq!(machine.shell(&nobody).await, "401");

    // an event is passed on when it happens, and not when the stream ends
    let stream = format!("{} -N -H 'Authorization: Bearer {token}'", curl("/live/board?seen=1"));
    let mut stream =
        machine.command("sh", &["-ec", &stream]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(stream.stdout.take().unwrap()).lines();
    let first = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("an event comes");
    assert_eq!(first.unwrap().as_deref(), Some("event: changed"));
    assert_eq!(stream.try_wait().unwrap(), None, "the stream is still open");

    // GitHub's largest payload, and one that is larger
    let largest = 25 * 1024 * 1024;
    assert_eq!(webhook(&machine, largest).await.0, "202");
    let (code, answer) = webhook(&machine, largest + 1).await;
    assert_eq!(code, "413", "{answer}");
    assert!(!answer.contains("nginx"), "the server itself says how much it takes: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_package_s_guide_brings_a_server_back_on_another_machine() {
    let machine = Machine::with_package("GREENROOM_TEST_DEB").await;
    let token = machine.token("me", "admin").await;
    machine.apply("shop").await;
    let before = machine.api(&token, "/apps/shop").await;
    guided(&machine, "Backups").await;

    let other = Machine::with_package("GREENROOM_TEST_DEB").await;
    for file in ["/root/greenroom.dump", "/root/greenroom-files.tar.gz"] {
        std::fs::copy(machine.path(file), other.path(file)).unwrap();
    }
    drop(machine);
    guided(&other, "Bringing it back").await;
    assert_eq!(other.state(SERVER).await, "active");
    assert_eq!(other.api(&token, "/apps/shop").await, before);
}

/// Runs the commands that the shipped guide has under a heading, as root in its home.
async fn guided(machine: &Machine, heading: &str) {
    let guide = machine.read("/usr/share/doc/greenroom/install/one-machine.md");
    let (_, section) = guide.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let (_, commands) = section.split_once("```sh\n").expect("commands");
    let (commands, _) = commands.split_once("```").expect("their end");
    machine.shell(&format!("cd /root\n{commands}")).await;
}

/// nginx with the shipped configuration as it is, and a certificate where that looks for one.
async fn proxy(machine: &Machine) {
    let script = format!(
        "cd /etc/nginx
        rm -f sites-enabled/default
        cp /usr/share/doc/greenroom/examples/nginx/greenroom.conf conf.d/
        place=/etc/letsencrypt/live/{HOST}
        mkdir -p $place
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={HOST} \
            -addext subjectAltName=DNS:{HOST} -keyout $place/privkey.pem -out $place/fullchain.pem \
            2>/dev/null
        systemctl start nginx"
    );
    machine.shell(&script).await;
}

/// The beginning of a call through the proxy.
fn curl(path: &str) -> String {
    format!(
        "curl -sS --resolve {HOST}:443:127.0.0.1 --cacert /etc/letsencrypt/live/{HOST}/fullchain.pem \
         https://{HOST}{path}"
    )
}

/// Sends a webhook of so many bytes through the proxy: the status and what was said.
async fn webhook(machine: &Machine, bytes: usize) -> (String, String) {
    let (before, after) = ("{\"zen\":\"", "\"}");
    let body = format!("{before}{}{after}", "z".repeat(bytes - before.len() - after.len()));
    machine.write("/tmp/body", &body);
    let script = format!(
        "signature=$(openssl dgst -sha256 -hmac '{SECRET}' -r /tmp/body | cut -d' ' -f1)
        {} -H 'Content-Type: application/json' -H \"X-Hub-Signature-256: sha256=$signature\" \
            -H 'X-GitHub-Event: ping' -H 'X-GitHub-Delivery: of-{bytes}-bytes' \
            -H 'Expect:' --data-binary @/tmp/body -o /tmp/answer -w '%{{http_code}}'",
        curl("/webhooks/github")
    );
    (machine.shell(&script).await, machine.read("/tmp/answer"))
}
