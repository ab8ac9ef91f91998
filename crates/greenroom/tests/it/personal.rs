//! The first step of the workflow, before any commit: a developer deploys to a stage of their own, from
//! their own clone and without a key, and nothing that is built later touches it.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::aws::{DEVELOPMENT, LocalAws};
use crate::server::until;
use crate::world::{TOKEN, World, app};

/// Tests run side by side and share the accounts: these stages are nobody else's.
const COMMON: &str = "commons";
const MINE: &str = "skierkowski";
const STACK: &str = "fullstack-restapi-skierkowski";

/// The developer's machine.
struct Laptop<'w> {
    world: &'w World,
    directory: TempDir,
    token: String,
}

impl<'w> Laptop<'w> {
    async fn of(world: &'w World, who: &str) -> Self {
        let directory = TempDir::with_prefix("laptop-").unwrap();
        let token = world.server.token(who, "deployer").await;
        Self { world, directory, token }
    }

    fn clone(&self) -> PathBuf {
        self.directory.path().join("clone")
    }

    fn restapi(&self) -> PathBuf {
        self.clone().join("backend-restapi")
    }

    /// With the developer's environment, in which there is a profile and no key.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>, directory: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            .env("TMPDIR", self.directory.path().join("tmp"))
            .env("AWS_PROFILE", "of-the-developer")
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn runs(&self, program: &str, arguments: &[&str], directory: &Path) -> String {
        let done = self.command(program, directory).args(arguments).output().await.unwrap();
        assert!(done.status.success(), "{program} {arguments:?}: {}", said(&done));
        String::from_utf8(done.stdout).unwrap()
    }

    async fn greenroom(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(env!("CARGO_BIN_EXE_greenroom"), &self.restapi());
        command
            .env("GREENROOM_URL", &self.world.server.url)
            .env("GREENROOM_TOKEN", &self.token)
            .args(arguments);
        command.output().await.unwrap()
    }

    async fn exec(&self, command: &[&str]) -> Output {
        self.greenroom(&[&["exec", "--stage", MINE, "--"], command].concat()).await
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Every file below a directory that holds this text.
fn files_with(directory: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_symlink() || path.ends_with("node_modules") || path.ends_with(".npm") {
            continue;
        }
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if std::fs::read(&path)
            .is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
        {
            found.push(path);
        }
    }
    found
}

fn settings() -> Value {
    let mut app = app();
    app["stages"] = json!({ COMMON: { "profile": "development" } });
    app["profiles"]["development"]["parameters"]["env"] = json!(COMMON);
    app["rules"] = json!([
        { "branch": "develop", "stage": COMMON, "services": ["database"] },
        { "preview": { "base": ["develop"], "services": ["database"] } },
    ]);
    app["personal"] = json!({ "expires_after": "14d" });
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn a_developer_deploys_to_a_stage_of_their_own_without_a_key_and_builds_leave_it_alone() {
    let world = World::new().await;
    world.apply(&settings()).await;
    let repository = &world.repository;
    let first = repository.commit_dir("develop", &fakes::sample_workshop(), "First").await.unwrap();
    world.succeeds(&format!("commit={first}&stage={COMMON}")).await;

    let laptop = Laptop::of(&world, "ann").await;
    std::fs::create_dir(laptop.directory.path().join("tmp")).unwrap();
    let (home, url) = (laptop.directory.path(), repository.clone_url_with(TOKEN));
    laptop.runs("git", &["clone", "-q", "-b", "develop", &url, "clone"], home).await;
    laptop.runs("npm", &["ci", "--no-audit", "--no-fund"], &laptop.restapi()).await;
    let before = laptop.runs("env", &[], home).await;
    assert!(!before.contains("AWS_ACCESS_KEY_ID"), "{before}");

    // changed and not committed: it is deployed as it lies there
    let handler = laptop.restapi().join("src/hello.js");
    let text = std::fs::read_to_string(&handler).unwrap();
    std::fs::write(&handler, format!("{text}\n// mine\n")).unwrap();
    let deployed = laptop.exec(&["npx", "serverless", "deploy", "--stage", MINE]).await;
    assert!(deployed.status.success(), "{}", said(&deployed));
    assert_eq!(LocalAws::accounts_with(STACK).await, [DEVELOPMENT].into());
    let function = format!("{STACK}-hello");
    let environment = LocalAws::environment(DEVELOPMENT, &function).await;
    assert_eq!(environment["TABLE_NAME"], format!("submissions-{COMMON}"), "{environment}");
    assert_eq!(environment["STAGE"], MINE);
    assert_eq!(environment["ENDPOINT"], "https://dev.example.com");
    let answer = LocalAws::invoke(DEVELOPMENT, &function).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let tags = LocalAws::stacks(DEVELOPMENT).look(STACK).await.unwrap().unwrap().tags;
    assert_eq!(tags["greenroom:stage"], MINE);

    what_the_command_sees_is_its_own(&laptop).await;
    what_the_server_knows(&world, &first).await;
    what_is_refused(&laptop).await;

    // the same name as a branch, and a push to the stage that it reads from
    let stack = || async { LocalAws::stacks(DEVELOPMENT).look(STACK).await.unwrap().unwrap() };
    let standing = stack().await;
    let change = [("backend-database/NOTE", Some("hi"))];
    let pushed = repository.commit_on("develop", None, &change, "Second").await.unwrap();
    world.succeeds(&format!("commit={pushed}&stage={COMMON}")).await;
    let change = [("backend-database/NOTE", Some("mine"))];
    let head = repository.commit_on(MINE, Some("develop"), &change, "Mine").await.unwrap();
    repository.open_pr(MINE, "develop", "Mine").await.unwrap();
    let build = world.succeeds(&format!("commit={head}")).await;
    let preview = build["stage"].as_str().unwrap().to_owned();
    assert!(preview.starts_with("skierkowski-"), "{build:#}");
    repository.delete_branch(MINE).await.unwrap();
    until("the preview of the same name to be gone", async || {
        let stage = world.get(&format!("/apps/workshop/stages/{preview}")).await;
        (stage["state"] == "closed").then_some(())
    })
    .await;
    assert_eq!(stack().await, standing, "builds leave it alone");
    let stage = world.get(&format!("/apps/workshop/stages/{MINE}")).await;
    assert_eq!((&stage["state"], &stage["kind"]), (&json!("active"), &json!("personal")));

    let removed = laptop.greenroom(&["remove", MINE, "--yes", "--wait"]).await;
    assert!(removed.status.success(), "{}", said(&removed));
    assert!(LocalAws::accounts_with(STACK).await.is_empty());
    let stage = world.get(&format!("/apps/workshop/stages/{MINE}")).await;
    assert_eq!(stage["state"], "closed");
    world.ends().await;
}

/// Exactly its own credentials, and nobody has them afterwards.
async fn what_the_command_sees_is_its_own(laptop: &Laptop<'_>) {
    let seen = laptop.exec(&["env"]).await;
    assert!(seen.status.success(), "{}", said(&seen));
    let seen = String::from_utf8(seen.stdout).unwrap();
    let value = |name: &str| {
        let start = format!("{name}=");
        seen.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
    };
    let key = value("AWS_SECRET_ACCESS_KEY").unwrap();
    assert!(!key.is_empty() && value("AWS_SESSION_TOKEN").is_some());
    assert_eq!((value("AWS_PROFILE"), value("GREENROOM_TOKEN"), value("CI")), (None, None, None));
    assert_eq!(value("GREENROOM_STAGE_KIND").as_deref(), Some("personal"));
    assert_eq!(value("endpoint").as_deref(), Some("https://dev.example.com"));
    assert_eq!(files_with(laptop.directory.path(), &key), Vec::<PathBuf>::new());
    assert_eq!(files_with(laptop.directory.path(), "key-of-dev-7f3a9c"), Vec::<PathBuf>::new());
    let left: Vec<_> =
        std::fs::read_dir(laptop.directory.path().join("tmp")).unwrap().flatten().collect();
    assert!(
        left.iter().all(|entry| !entry.file_name().to_string_lossy().starts_with("greenroom-")),
        "{left:?}"
    );
    let after = laptop.runs("env", &[], laptop.directory.path()).await;
    assert!(!after.contains("AWS_ACCESS_KEY_ID"), "{after}");

    // for long ones: the SDK fetches them from the program, which asks for others in time
    let renewing = laptop.greenroom(&[
        "exec",
        "--stage",
        MINE,
        "--renew",
        "--",
        "node",
        "-e",
        "fetch(process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI, { headers: { authorization: \
         process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN } }).then((a) => a.json()).then((c) => \
         process.exit(c.SecretAccessKey && c.Token && !process.env.AWS_ACCESS_KEY_ID ? 7 : 1))",
    ]);
    let renewing = renewing.await;
    assert_eq!(renewing.status.code(), Some(7), "its end is ours: {}", said(&renewing));

    // a shell takes the same from `greenroom env`
    let env = laptop.greenroom(&["env", "--stage", MINE, "--shell", "sh"]).await;
    assert!(env.status.success(), "{}", said(&env));
    let script = format!(
        "{}\ntest -z \"$AWS_PROFILE\" && test -r \"$GREENROOM_OUTPUTS_FILE\" && printf %s \"$SERVERLESS_STAGE\"",
        String::from_utf8(env.stdout).unwrap()
    );
    assert_eq!(laptop.runs("sh", &["-c", &script], laptop.directory.path()).await, MINE);
}

async fn what_the_server_knows(world: &World, commit: &str) {
    let stage = world.get(&format!("/apps/workshop/stages/{MINE}")).await;
    assert_eq!((&stage["kind"], &stage["personal"]["owner"]), (&json!("personal"), &json!("ann")));
    assert!(stage["expires_at"].is_string(), "{stage:#}");
    let instance = &stage["instances"][0];
    assert_eq!(
        (&instance["service"], &instance["state"], &instance["stack"], &instance["commit"]),
        (&json!("restapi"), &json!("deployed"), &json!(STACK), &json!(commit)),
        "{instance:#}"
    );
    assert!(!instance["endpoints"].as_array().unwrap().is_empty(), "{instance:#}");
    let path = format!("/apps/workshop/stages/{MINE}/laptop");
    let sessions = world.get(&path).await["sessions"].as_array().unwrap().clone();
    let deploy = sessions.last().unwrap();
    assert_eq!(deploy["command"], format!("npx serverless deploy --stage {MINE}"));
    assert_eq!((&deploy["exit_code"], &deploy["dirty"]), (&json!(0), &json!(true)), "{deploy:#}");
    assert!(!json!(sessions).to_string().contains("7f3a9c"));
    let page = world.page(&format!("/apps/workshop/stages/{MINE}")).await;
    for words in ["ann", "npx serverless deploy", "with changed files", "ended with 0"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let board = world.page("/").await;
    assert!(board.contains("Personal stages") && board.contains("of ann"), "{board}");
    let audit = world.get("/audit?app=workshop").await;
    assert!(audit.to_string().contains("\"exec\""), "{audit:#}");
}

async fn what_is_refused(laptop: &Laptop<'_>) {
    let cases: [(&[&str], &str); 4] = [
        (
            &["exec", "--stage", MINE, "--", "npx", "serverless", "deploy", "-s", COMMON],
            "--stage commons",
        ),
        (&["exec", "--stage", COMMON, "--", "true"], "long-lived stage"),
        (&["exec", "--stage", MINE, "--service", "nothing", "--", "true"], "no service nothing"),
        // what the words do not say, the plugin sees
        (
            &["exec", "--stage", MINE, "--", "sh", "-c", "npx serverless package --stage commons"],
            "runs for skierkowski",
        ),
    ];
    for (arguments, words) in cases {
        let refused = laptop.greenroom(arguments).await;
        assert!(!refused.status.success() && said(&refused).contains(words), "{}", said(&refused));
    }
    let other =
        Laptop { token: laptop.world.server.token("bob", "deployer").await, ..another(laptop) };
    let mut command = other.command(env!("CARGO_BIN_EXE_greenroom"), &laptop.restapi());
    command.env("GREENROOM_URL", &laptop.world.server.url).env("GREENROOM_TOKEN", &other.token);
    let refused = command.args(["exec", "--stage", MINE, "--", "true"]).output().await.unwrap();
    assert_eq!(refused.status.code(), Some(5), "{}", said(&refused));
    assert!(said(&refused).contains("personal stage of ann"), "{}", said(&refused));
}

fn another<'w>(laptop: &Laptop<'w>) -> Laptop<'w> {
    let directory = TempDir::with_prefix("laptop-").unwrap();
    Laptop { world: laptop.world, directory, token: String::new() }
}
