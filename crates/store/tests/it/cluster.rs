//! The private PostgreSQL: started, found again after crashes, refused with reasons.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use store::Database;
use store::cluster::{Cluster, ClusterError};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(60);
/// Tells the test binary, run once more, to hold a cluster in this directory until it is killed.
const HOLD: &str = "GREENROOM_TEST_HOLD_CLUSTER";

/// A directory that every user may enter, as the user postgres must.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < SOON, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn postmaster(data_dir: &Path) -> Pid {
    let text = fs::read_to_string(data_dir.join("postgres/data/postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().trim().parse().unwrap())
}

fn is_alive(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

async fn count(url: &str, statement: &'static str) -> i64 {
    let database = Database::connect(url, 1).await.unwrap();
    let mut conn = database.acquire().await.unwrap();
    sqlx::query_scalar(statement).fetch_one(&mut *conn).await.unwrap()
}

async fn prepare(url: &str) {
    let database = Database::connect(url, 1).await.unwrap();
    database.migrate().await.unwrap();
    sqlx::query("insert into worker values (gen_random_uuid(), 'w', gen_random_uuid(), 1, '', '', now(), now())")
        .execute(database.pool())
        .await
        .unwrap();
    database.pool().close().await;
}

#[tokio::test]
async fn a_cluster_keeps_its_data_over_a_stop_and_a_kill_of_the_postmaster() {
    let directory = directory();
    let cluster = Cluster::start(directory.path()).unwrap();
    let url = cluster.url();
    prepare(&url).await;
    assert_eq!(count(&url, "select (current_setting('fsync') = 'on')::int::bigint").await, 1);
    assert_eq!(Cluster::attach(directory.path()), Some(url.clone()));
    let second = Cluster::start(directory.path());
    assert!(matches!(second, Err(ClusterError::Taken { .. })), "one owner at a time");

    // a postmaster that dies under its owner is started again
    let killed = postmaster(directory.path());
    kill(killed, Signal::SIGKILL).unwrap();
    until("a new postmaster", || {
        Cluster::attach(directory.path()).is_some() && postmaster(directory.path()) != killed
    });
    assert_eq!(count(&url, "select count(*) from worker").await, 1);

    let pid = postmaster(directory.path());
    cluster.stop();
    assert!(!is_alive(pid));
    assert_eq!(Cluster::attach(directory.path()), None);
    let again = Cluster::start(directory.path()).unwrap();
    assert_eq!(count(&again.url(), "select count(*) from worker").await, 1);
}

/// Not a test of its own: what the next one kills.
#[test]
fn holds_a_cluster_when_told_to() {
    let Some(path) = std::env::var_os(HOLD) else { return };
    let _cluster = Cluster::start(Path::new(&path)).unwrap();
    loop {
        std::thread::park();
    }
}

fn hold(data_dir: &Path) -> Child {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "cluster::holds_a_cluster_when_told_to", "--nocapture"])
        .env(HOLD, data_dir)
        .spawn()
        .unwrap();
    until("a cluster in another process", || Cluster::attach(data_dir).is_some());
    child
}

#[tokio::test]
async fn a_cluster_does_not_outlive_its_killed_owner_and_starts_again_at_once() {
    let directory = directory();
    let mut owner = hold(directory.path());
    prepare(&Cluster::attach(directory.path()).unwrap()).await;
    let orphan = postmaster(directory.path());
    owner.kill().unwrap();
    owner.wait().unwrap();
    // at once: the old postmaster may still be shutting down
    let cluster = Cluster::start(directory.path()).unwrap();
    assert_eq!(count(&cluster.url(), "select count(*) from worker").await, 1);
    assert!(!is_alive(orphan));
    cluster.stop();

    // the owner and the postmaster are killed together
    let mut owner = hold(directory.path());
    kill(postmaster(directory.path()), Signal::SIGKILL).unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    let cluster = Cluster::start(directory.path()).unwrap();
    assert_eq!(count(&cluster.url(), "select count(*) from worker").await, 1);
}

#[test]
fn an_initialisation_that_was_cut_short_begins_anew() {
    let directory = directory();
    let half = directory.path().join("postgres/data.new");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("PG_VERSION"), "15").unwrap();
    let cluster = Cluster::start(directory.path()).unwrap();
    assert!(!half.exists());
    drop(cluster);
}

#[test]
fn a_stale_pid_file_that_names_another_process_is_no_obstacle() {
    let directory = directory();
    Cluster::start(directory.path()).unwrap().stop();
    let path = directory.path().join("postgres/data/postmaster.pid");
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    fs::write(&path, format!("{}\n", other.id())).unwrap();
    Cluster::start(directory.path()).unwrap().stop();
    assert!(other.try_wait().unwrap().is_none(), "it was not ours to stop");
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn a_directory_that_cannot_work_is_refused_with_the_reason() {
    let directory = directory();
    let long = directory.path().join("d".repeat(90));
    let error = Cluster::start(&long).unwrap_err();
    assert!(matches!(error, ClusterError::SocketPath { .. }), "{error}");
    if geteuid().is_root() {
        let closed = directory.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        let error = Cluster::start(&closed.join("data")).unwrap_err();
        let ClusterError::Unreachable { blocked, mode, .. } = &error else { panic!("{error}") };
        assert_eq!((blocked, *mode), (&closed.canonicalize().unwrap(), 0o700));
        assert!(error.to_string().contains("set data_dir"), "{error}");
    }
}

#[test]
fn a_database_of_a_postgresql_that_is_gone_names_its_package() {
    let directory = directory();
    let data = directory.path().join("postgres/data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("PG_VERSION"), "7\n").unwrap();
    let error = Cluster::start(directory.path()).unwrap_err().to_string();
    assert!(error.contains("apt-get install postgresql-7"), "{error}");
}
