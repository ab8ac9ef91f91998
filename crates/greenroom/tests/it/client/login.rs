//! Signing in from a terminal, with a person at the page.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use reqwest::StatusCode;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::Ground;
use crate::server::client;

/// The terminal that waits, and what it said so far.
struct Waiting {
    child: Child,
    said: String,
}

impl Waiting {
    /// Until it shows the page's address.
    async fn of(mut command: Command) -> (Self, String) {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let page = loop {
            let line = lines.next_line().await.unwrap().unwrap_or_else(|| panic!("{said}"));
            said.push_str(&format!("{line}\n"));
            if let Some((_, code)) = line.split_once("/device?code=") {
                break code.to_owned();
            }
        };
        child.stderr = Some(lines.into_inner().into_inner());
        (Self { child, said }, page)
    }

    async fn ends(self) -> (String, Output) {
        (self.said, self.child.wait_with_output().await.unwrap())
    }
}

/// What somebody at the page does with the code.
async fn decides(ground: &Ground, code: &str, decision: &str) {
    let url = format!("{}/device", ground.world.server.url);
    let page = client().get(&url).query(&[("code", code)]).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let page = crate::page::text(&page.text().await.unwrap());
    assert!(page.contains(code) && page.contains("laptop"), "{page}");
    let form = [("code", code), ("decision", decision), ("role", "deployer"), ("days", "7")];
    let done = client().post(&url).header("sec-fetch-site", "same-origin").form(&form);
    assert_eq!(done.send().await.unwrap().status(), StatusCode::OK, "after the redirect");
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

pub(super) async fn the_whole_way(ground: &Ground) {
    let (laptop, url) = (&ground.laptop, ground.world.server.url.as_str());
    let (terminal, code) = Waiting::of(laptop.bare(&["login", url, "--machine", "laptop"])).await;
    decides(ground, &code, "confirm").await;
    let (said, ended) = terminal.ends().await;
    let ran = laptop.ended(ended);
    let all = format!("{}{}--- {}\n", laptop.redacted(&said), ran.out, ran.code);
    insta::assert_snapshot!("login", all);

    let directory = laptop.home().join(".config/greenroom");
    let file = directory.join("logins.toml");
    assert_eq!((mode(&directory), mode(&file)), (0o700, 0o600));
    let token =
        |text: &str| text.split('"').find(|part| part.starts_with("grn_")).map(str::to_owned);
    let first = token(&std::fs::read_to_string(&file).unwrap()).unwrap();
    // no variable names the server or the token
    let who = laptop.ran(laptop.bare(&["whoami"])).await;
    insta::assert_snapshot!("login_whoami", who.text(&["whoami"]));
    let builds = laptop.ran(laptop.bare(&["builds", "--limit", "1"])).await;
    assert_eq!(builds.code, 0, "{}", builds.said);
    let admin = laptop.ran(laptop.bare(&["freeze", "dev", "--reason", "sales"])).await;
    assert_eq!(admin.code, 0, "a deployer may: {}", admin.said);
    laptop.ran(laptop.bare(&["unfreeze", "dev"])).await;

    let out = laptop.ran(laptop.bare(&["logout"])).await;
    insta::assert_snapshot!("logout", out.text(&["logout"]));
    assert_eq!(token(&std::fs::read_to_string(&file).unwrap()), None);
    let ended = laptop.ran(laptop.with(&first, &["whoami"])).await;
    assert_eq!(ended.code, 6, "it is revoked on the server: {}", ended.out);
}

pub(super) async fn refused(ground: &Ground) {
    let (laptop, url) = (&ground.laptop, ground.world.server.url.as_str());
    let (terminal, code) = Waiting::of(laptop.bare(&["login", url, "--machine", "laptop"])).await;
    decides(ground, &code, "refuse").await;
    let (_, ended) = terminal.ends().await;
    let ran = laptop.ended(ended);
    assert_eq!(ran.code, 6);
    insta::assert_snapshot!("login_refused", ran.said.trim_start());
}

/// Where people do not sign in with GitHub, an admin gives out tokens.
pub(super) async fn with_a_token(ground: &Ground) {
    let (laptop, url) = (&ground.laptop, ground.world.server.url.as_str());
    let given = ground.world.server.token("for ann", "viewer").await;
    let arguments = ["login", url, "--with-token"];
    let shown = ["login", "URL", "--with-token"];
    let enters = async |text: &str| {
        let mut command = laptop.bare(&arguments);
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut input, text.as_bytes()).await.unwrap();
        drop(input);
        laptop.ended(child.wait_with_output().await.unwrap())
    };
    let wrong = enters("grn-of-nobody\n").await;
    insta::assert_snapshot!("login_with_wrong_token", wrong.text(&shown));
    let right = enters(&format!("{given}\n")).await;
    insta::assert_snapshot!("login_with_token", right.text(&shown));
    let out = laptop.ran(laptop.bare(&["logout", url])).await;
    insta::assert_snapshot!("logout_of_given", out.text(&["logout", "URL"]));
    let still = laptop.ran(laptop.with(&given, &["whoami"])).await;
    assert_eq!(still.code, 0, "others may use it too: {}", still.said);
}
