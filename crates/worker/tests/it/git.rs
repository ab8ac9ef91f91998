//! Mirrors and worktrees.

use std::time::Duration;

use model::{BranchName, BuildId, CommitSha};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use worker::git::{EntryKind, Fetch, Fetched, Git, GitError, Mirror, Mirrors, Reference};

use crate::support::{Bench, Origin, directory, id};

fn mirrors(directory: &tempfile::TempDir, protocols: &'static [&'static str]) -> Mirrors {
    let home = directory.path().join("git-home");
    std::fs::create_dir_all(&home).unwrap();
    let git = Git::new(home, protocols, Duration::from_secs(30));
    Mirrors::open(directory.path().join("mirrors"), git).unwrap()
}

fn build() -> BuildId {
    BuildId(id())
}

async fn fetch(mirror: &Mirror, url: &str, commit: &CommitSha) -> Result<Fetched, GitError> {
    let fetch = Fetch { url, token: None, commit, fallback: None, build: build() };
    mirror.fetch(&fetch).await
}

#[tokio::test]
async fn a_commit_is_fetched_once_and_checked_out_beside_the_mirror() {
    let (directory, origin) = (directory(), Origin::new());
    origin.write("a/b.txt", "first");
    let first = origin.commit();
    origin.write("a/b.txt", "second");
    let second = origin.commit();
    let mirrors = mirrors(&directory, &["file"]);
    let mirror = mirrors.of(&origin.url());

    assert_eq!(fetch(&mirror, &origin.url(), &second).await.unwrap(), Fetched::Transferred);
    assert_eq!(fetch(&mirror, &origin.url(), &first).await.unwrap(), Fetched::AlreadyKnown);

    let place = directory.path().join("workspace");
    let worktree = mirror.checkout(&first, &place).await.unwrap();
    assert_eq!(worktree.workspace.read("a/b.txt", 100).unwrap(), b"first");
    std::fs::remove_dir_all(&place).unwrap();
    worktree.forget().unwrap();
    assert_eq!(std::fs::read_dir(mirror.path().join("worktrees")).unwrap().count(), 0);
}

#[tokio::test]
async fn two_slots_may_fetch_and_check_out_at_once() {
    let (directory, origin) = (directory(), Origin::new());
    origin.write("file", "x");
    let commit = origin.commit();
    let mirror = mirrors(&directory, &["file"]).of(&origin.url());
    let url = origin.url();
    let jobs = (0..6).map(|slot| {
        let place = directory.path().join(format!("workspace-{slot}"));
        let (mirror, url, commit) = (&mirror, &url, &commit);
        async move {
            fetch(mirror, url, commit).await.unwrap();
            mirror.checkout(commit, &place).await.unwrap().workspace.read("file", 10).unwrap()
        }
    });
    for content in futures_util::future::join_all(jobs).await {
        assert_eq!(content, b"x");
    }
}

#[tokio::test]
async fn names_that_look_like_options_stay_names() {
    let (directory, origin) = (directory(), Origin::new());
    origin.write("--output=pwned", "a");
    let first = origin.commit();
    origin.write("--output=pwned", "b");
    let commit = origin.commit();
    origin.git(&[
        "update-ref",
        "refs/heads/--upload-pack=touch pwned;".split(' ').next().unwrap(),
        "HEAD",
    ]);
    assert!("--upload-pack=touch".parse::<BranchName>().is_err());

    let mirror = mirrors(&directory, &["file"]).of(&origin.url());
    fetch(&mirror, &origin.url(), &commit).await.unwrap();
    assert_eq!(mirror.changed_files(&first, &commit).await.unwrap(), ["--output=pwned"]);
    let tree = mirror.tree(&commit).await.unwrap();
    let read = mirror.read(&tree, &["--output=pwned"], 100).await.unwrap();
    assert_eq!(read["--output=pwned"], b"b");
    // A URL that looks like an option is a repository that cannot be read.
    let option = "--upload-pack=touch";
    let error = fetch(&mirror, option, &"a".repeat(40).parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, GitError::Failed { .. } | GitError::Refused { .. }), "{error}");
    assert!(!mirror.path().join("pwned").exists());
}

#[tokio::test]
async fn a_commit_that_a_forced_push_replaced_is_named_as_gone() {
    let (directory, origin) = (directory(), Origin::new());
    origin.commit();
    let mirror = mirrors(&directory, &["file"]).of(&origin.url());
    let gone: CommitSha = "1".repeat(40).parse().unwrap();
    let branch = Reference::Branch("master".parse().unwrap());
    let url = origin.url();
    let fetch =
        Fetch { url: &url, token: None, commit: &gone, fallback: Some(&branch), build: build() };
    let error = mirror.fetch(&fetch).await.unwrap_err();
    assert!(matches!(error, GitError::CommitGone { .. }), "{error}");
    assert!(error.to_string().contains("forced push"), "{error}");
    let missing = mirror.checkout(&gone, &directory.path().join("workspace")).await.unwrap_err();
    assert!(matches!(missing, GitError::NotInMirror(_)), "{missing}");
    assert!(matches!(mirror.tree(&gone).await.unwrap_err(), GitError::NotInMirror(_)));
    let real = origin.commit();
    let changed = mirror.changed_files(&gone, &real).await.unwrap_err();
    assert!(matches!(changed, GitError::NotInMirror(_)), "{changed}");
}

#[tokio::test]
async fn only_the_given_transports_are_used() {
    let (directory, origin) = (directory(), Origin::new());
    let commit = origin.commit();
    let mirror = mirrors(&directory, &["https"]).of(&origin.url());
    let error = fetch(&mirror, &origin.url(), &commit).await.unwrap_err();
    assert!(error.to_string().contains("'file' not allowed"), "{error}");
}

#[tokio::test]
async fn a_tree_tells_links_from_files_and_reads_only_files() {
    let (directory, origin) = (directory(), Origin::new());
    origin.write("services/api/serverless.yml", "service: api");
    origin.write("big", &"x".repeat(2000));
    std::os::unix::fs::symlink("/etc/passwd", origin.path().join("link")).unwrap();
    let commit = origin.commit();
    let mirror = mirrors(&directory, &["file"]).of(&origin.url());
    fetch(&mirror, &origin.url(), &commit).await.unwrap();

    let tree = mirror.tree(&commit).await.unwrap();
    assert_eq!(tree.get("link").unwrap().kind, EntryKind::Symlink);
    assert!(tree.has_directory("services/api") && !tree.has_directory("services/ap"));
    let wanted = ["services/api/serverless.yml", "link", "absent"];
    let read = mirror.read(&tree, &wanted, 1000).await.unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(read["services/api/serverless.yml"], b"service: api");
    let error = mirror.read(&tree, &["big"], 1000).await.unwrap_err();
    assert!(matches!(error, GitError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_token_reaches_the_server_and_no_file() {
    let directory = directory();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/acme/workshop.git", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(refusal.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let mirror = mirrors(&directory, &["http"]).of(&url);
    let token = SecretString::from("ghs_abcdefgh");
    let commit = "2".repeat(40).parse().unwrap();
    let fetch =
        Fetch { url: &url, token: Some(&token), commit: &commit, fallback: None, build: build() };
    let error = mirror.fetch(&fetch).await.unwrap_err();

    assert!(matches!(error, GitError::Refused { .. }), "{error}");
    let request = server.await.unwrap();
    // base64 of x-access-token:ghs_abcdefgh
    assert!(request.contains("Basic eC1hY2Nlc3MtdG9rZW46Z2hzX2FiY2RlZmdo"), "{request}");
    let kept = std::process::Command::new("grep")
        .args(["--recursive", "--count", "-e", "ghs_", "-e", "Z2hzX2"])
        .arg(directory.path())
        .output()
        .unwrap();
    let kept = String::from_utf8(kept.stdout).unwrap();
    assert!(kept.lines().all(|line| line.ends_with(":0")), "{kept}");
}

#[tokio::test]
async fn a_silent_server_does_not_hold_a_fetch_for_ever() {
    let directory = directory();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/acme/workshop.git", listener.local_addr().unwrap());
    let home = directory.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let git = Git::new(home, &["http"], Duration::from_millis(500));
    let mirror = Mirrors::open(directory.path().join("mirrors"), git).unwrap().of(&url);
    let error = fetch(&mirror, &url, &"3".repeat(40).parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, GitError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_fetch_that_is_given_up_leaves_no_process() {
    let directory = directory();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/acme/workshop.git", listener.local_addr().unwrap());
    let mirror = mirrors(&directory, &["http"]).of(&url);
    let commit = "3".repeat(40).parse().unwrap();
    // Dropped with the select, when git's helper has connected.
    let mut connection = tokio::select! {
        accepted = listener.accept() => accepted.unwrap().0,
        fetched = fetch(&mirror, &url, &commit) => panic!("nothing answered: {fetched:?}"),
    };
    let mut said = Vec::new();
    let end = connection.read_to_end(&mut said);
    tokio::time::timeout(Duration::from_secs(10), end).await.expect("it is gone").unwrap();
}

#[tokio::test]
async fn worktrees_of_a_crashed_worker_are_forgotten_and_live_ones_kept() {
    let (directory, origin) = (directory(), Origin::new());
    let commit = origin.commit();
    let mirrors = mirrors(&directory, &["file"]);
    let mirror = mirrors.of(&origin.url());
    fetch(&mirror, &origin.url(), &commit).await.unwrap();
    mirror.checkout(&commit, &directory.path().join("dead")).await.unwrap();
    mirror.checkout(&commit, &directory.path().join("live")).await.unwrap();
    std::fs::remove_dir_all(directory.path().join("dead")).unwrap();
    mirrors.reap().unwrap();
    let left: Vec<_> = std::fs::read_dir(mirror.path().join("worktrees")).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[tokio::test]
async fn slots_check_out_and_forget_side_by_side() {
    let (directory, origin) = (directory(), Origin::new());
    origin.write("file", "x");
    let commit = origin.commit();
    let mirror = mirrors(&directory, &["file"]).of(&origin.url());
    fetch(&mirror, &origin.url(), &commit).await.unwrap();
    let slot = async |slot: usize| {
        for turn in 0..10 {
            let place = directory.path().join(format!("{slot}-{turn}"));
            let worktree = mirror.checkout(&commit, &place).await.unwrap();
            assert_eq!(worktree.workspace.read("file", 100).unwrap(), b"x");
            worktree.forget().unwrap();
        }
    };
    futures_util::future::join_all((0..8).map(slot)).await;
    assert_eq!(std::fs::read_dir(mirror.path().join("worktrees")).unwrap().count(), 0);
}

#[tokio::test]
async fn tidying_drops_old_pins_only() {
    let (directory, origin) = (directory(), Origin::new());
    let commit = origin.commit();
    let mirrors = mirrors(&directory, &["file"]);
    let mirror = mirrors.of(&origin.url());
    fetch(&mirror, &origin.url(), &commit).await.unwrap();
    let now = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    mirrors.tidy(now).await.unwrap();
    assert_eq!(mirror.tree(&commit).await.unwrap().paths().count(), 0);
    let pins = || std::fs::read_to_string(mirror.path().join("packed-refs")).unwrap();
    assert!(pins().contains("refs/greenroom/"));
    mirrors.tidy(now + chrono::Duration::days(60)).await.unwrap();
    assert!(!pins().contains("refs/greenroom/"));
}

#[tokio::test]
async fn a_mirror_is_tidied_once_a_day() {
    let (directory, origin) = (directory(), Origin::new());
    let mirrors = mirrors(&directory, &["file"]);
    let mirror = mirrors.of(&origin.url());
    let packed = || mirror.path().join("packed-refs").exists();
    let now = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    mirrors.tidy(now).await.unwrap();
    fetch(&mirror, &origin.url(), &origin.commit()).await.unwrap();
    mirrors.tidy(now).await.unwrap();
    assert!(packed());
    std::fs::remove_file(mirror.path().join("packed-refs")).unwrap();
    fetch(&mirror, &origin.url(), &origin.commit()).await.unwrap();
    mirrors.tidy(now + chrono::Duration::hours(23)).await.unwrap();
    assert!(!packed());
    mirrors.tidy(now + chrono::Duration::hours(24)).await.unwrap();
    assert!(packed());
}

#[tokio::test]
async fn steps_may_use_git_and_cannot_change_the_mirror() {
    let bench = Bench::new().await;
    let origin = Origin::new();
    origin.write("file", "x");
    let commit = origin.commit();
    let git = Git::new(bench.work.git_home(), &["file"], Duration::from_secs(30));
    let mirror = Mirrors::open(bench.work.mirrors(), git).unwrap().of(&origin.url());
    fetch(&mirror, &origin.url(), &commit).await.unwrap();
    let mut room = bench.bare_room(0);
    mirror.checkout(&commit, &room.workspace()).await.unwrap();
    room.give(bench.executor.user(0), &room.workspace()).unwrap();
    room.show(mirror.path().to_owned());

    let (end, text) = bench
        .bash(
            &room,
            "git rev-parse HEAD; git status --porcelain; ! git update-ref refs/heads/x HEAD",
        )
        .await;
    assert!(end.outcome.succeeded(), "{text}");
    assert!(text.contains(commit.as_str()), "{text}");
}
