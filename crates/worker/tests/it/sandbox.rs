//! What a step can and cannot do.

use std::collections::BTreeMap;

use rstest::rstest;
use worker::sandbox::{ExecutorKind, Limits, SandboxError, WorkDirectory};
use worker::step::StepOutcome;

use crate::support::{Bench, bash, runs, until};

#[tokio::test]
async fn a_step_has_its_workspace_a_home_and_a_name() {
    let bench = Bench::new().await;
    let room = bench.room(0);
    let line = "pwd; echo $HOME; whoami; touch file ~/file /tmp/file; \
                node -e 'console.log(os.userInfo().username, os.homedir())'";
    let (end, text) = bench.bash(&room, line).await;
    assert!(end.outcome.succeeded(), "{text}");
    assert!(text.ends_with("/workspace\n/home/step\nstep\nstep /home/step\n"), "{text}");
    assert!(room.workspace().join("file").exists());
    let file = room.home().join("file");
    assert_eq!(bench.executor.inside(&room, &file).unwrap().to_str(), Some("/home/step/file"));
}

#[rstest]
#[case("cat $WORK/secret")]
#[case("ls $WORK")]
#[case("ls $WORK/rooms")]
#[case("cat $OTHER/file")]
#[case("touch $OTHER/file")]
#[case("ls /root")]
#[case("ls /root/.aws")]
#[case("ls /var/lib")]
#[case("cat /etc/shadow")]
#[case("touch /usr/file")]
#[case("touch /file")]
#[case("touch /etc/file")]
#[case("mount -t tmpfs none /usr")]
#[case("mknod disk b 254 0")]
#[case("cat /proc/*/environ | tr '\\0' '\\n' | grep -e CARGO_MANIFEST_DIR -e RUST")]
#[case("kill -0 $WORKER")]
#[case("test -e /proc/$WORKER")]
#[tokio::test]
async fn a_step_cannot_reach(#[case] line: &str) {
    let bench = Bench::new().await;
    let (room, other) = (bench.room(0), bench.room(0));
    std::fs::write(bench.work.root().join("secret"), "secret").unwrap();
    std::fs::write(other.workspace().join("file"), "x").unwrap();
    let mut step = bash(line);
    step.env = BTreeMap::from([
        ("WORK".to_owned(), bench.work.root().display().to_string()),
        ("OTHER".to_owned(), other.workspace().display().to_string()),
        ("WORKER".to_owned(), std::process::id().to_string()),
    ]);
    let (end, text) = bench.step(&room, &step).await;
    assert!(matches!(end.outcome, StepOutcome::Exited(1..)), "{text}");
    assert!(!text.contains("secret\n"), "{text}");
}

#[tokio::test]
async fn a_step_has_no_privileges() {
    let bench = Bench::new().await;
    let line = "grep -E '^(CapEff|CapBnd|CapPrm|NoNewPrivs|Uid)' /proc/self/status; id -u; id -G";
    let (end, text) = bench.bash(&bench.room(1), line).await;
    assert!(end.outcome.succeeded(), "{text}");
    assert!(text.contains("CapEff:\t0000000000000000"), "{text}");
    assert!(text.contains("NoNewPrivs:\t1"), "{text}");
    if let Some(user) = bench.executor.user(1) {
        assert!(text.ends_with(&format!("\n{}\n{}\n", user.uid, user.gid)), "{text}");
    }
}

#[tokio::test]
async fn a_steps_environment_is_what_it_was_given() {
    let bench = Bench::new().await;
    let mut step = bash("env | cut -d= -f1 | sort | tr '\\n' ' '");
    step.env.insert("GIVEN".to_owned(), "a\nb".to_owned());
    let (_, text) = bench.step(&bench.room(0), &step).await;
    assert!(text.contains("GIVEN "), "{text}");
    assert!(!text.contains("CARGO"), "{text}");
    step.env.insert("LD PRELOAD=x".to_owned(), String::new());
    let (log, _task, _) = crate::support::log();
    let room = bench.room(0);
    let cancel = tokio_util::sync::CancellationToken::new();
    let run = worker::step::run(&step, &room, &*bench.executor, &log, &cancel);
    assert!(run.await.unwrap_err().to_string().contains("no name of an environment variable"));
}

#[tokio::test]
async fn a_given_variable_is_not_in_any_process_outside() {
    let bench = Bench::new().await;
    let room = bench.room(0);
    let mut step = bash("touch running; while ! test -e go; do sleep 0.01; done");
    step.env.insert("LD_PRELOAD_LIKE".to_owned(), "value-to-look-for".to_owned());
    let seen = async {
        until("the step runs", || room.workspace().join("running").exists()).await;
        let outside = std::fs::read_dir("/proc").unwrap().flatten().any(|process| {
            let read = |name: &str| std::fs::read(process.path().join(name)).unwrap_or_default();
            let cmdline = String::from_utf8_lossy(&read("cmdline")).into_owned();
            let environ = String::from_utf8_lossy(&read("environ")).into_owned();
            cmdline.contains("value-to-look-for")
                || (cmdline.starts_with("bwrap") && environ.contains("value-to-look-for"))
        });
        std::fs::write(room.workspace().join("go"), "").unwrap();
        outside
    };
    let ((end, text), seen) = tokio::join!(bench.step(&room, &step), seen);
    assert!(end.outcome.succeeded(), "{text}");
    assert!(!seen);
}

#[rstest]
#[case(ExecutorKind::Bubblewrap, "86399.25")]
#[case(ExecutorKind::Host, "86399.75")]
#[tokio::test]
async fn a_daemon_does_not_outlive_its_step(#[case] executor: ExecutorKind, #[case] marker: &str) {
    let bench = Bench::with(executor).await;
    let line = format!(
        "(setsid sh -c 'setsid sleep {marker} & exec setsid sleep {marker}' &) ; sleep 0.2; pgrep -f 'sleep {marker}' | wc -l"
    );
    let (end, text) = bench.bash(&bench.room(0), &line).await;
    assert!(end.outcome.succeeded(), "{text}");
    assert!(!runs(&format!("sleep\0{marker}")));
}

#[tokio::test]
async fn memory_is_limited_for_the_whole_tree() {
    let bench = Bench::new().await;
    let mut step = bash("node -e 'a = []; for (;;) a.push(Buffer.alloc(1 << 22, 1))'");
    step.limits = Limits { memory_bytes: 200 * 1024 * 1024, ..step.limits };
    let (end, text) = bench.step(&bench.room(0), &step).await;
    if bench.executor.describe().contains("cgroup v") {
        assert_eq!(end.outcome, StepOutcome::MemoryLimit, "{text}");
        assert!(text.contains("needed more than 200 MiB of memory"), "{text}");
    } else {
        assert!(!end.outcome.succeeded(), "{text}");
    }
}

#[tokio::test]
async fn processes_and_file_sizes_are_limited() {
    let bench = Bench::new().await;
    let mut step =
        bash("perl -e 'for (1..200) { defined(my $p = fork) or exit 7; $p or sleep 60 }'");
    step.limits = Limits { processes: 50, ..step.limits };
    let (end, text) = bench.step(&bench.room(0), &step).await;
    assert_eq!(end.outcome, StepOutcome::Exited(7), "{text}");

    let mut step = bash("head -c 3000000 /dev/zero > file");
    step.limits = Limits { file_bytes: 1_000_000, ..step.limits };
    let (end, text) = bench.step(&bench.room(0), &step).await;
    assert!(!end.outcome.succeeded(), "{text}");

    let mut step = bash("head -c 3000000 /dev/zero > /tmp/file");
    step.limits = Limits { tmp_bytes: 1_000_000, ..step.limits };
    let (end, text) = bench.step(&bench.room(0), &step).await;
    assert!(!end.outcome.succeeded(), "{text}");
}

#[tokio::test]
async fn a_worker_directory_has_one_worker_and_begins_empty() {
    let bench = Bench::new().await;
    let room = bench.room(0);
    let (end, _) = bench.bash(&room, "mkdir -p a/b; touch a/b/c; chmod 500 a/b; chmod 0 a").await;
    assert!(end.outcome.succeeded());
    let path = bench.work.root().to_owned();
    let second = WorkDirectory::open(&path).unwrap_err();
    assert!(matches!(second, SandboxError::DirectoryInUse(_)), "{second}");
    let Bench { directory: _directory, work, .. } = bench;
    drop(work);
    WorkDirectory::open(&path).unwrap();
    assert!(!room.workspace().exists());
}

#[tokio::test]
async fn a_command_outside_the_workspace_is_refused() {
    let bench = Bench::new().await;
    let mut step = bash("pwd");
    step.cwd = "../..".into();
    let (log, _task, _) = crate::support::log();
    let room = bench.room(0);
    let cancel = tokio_util::sync::CancellationToken::new();
    let run = worker::step::run(&step, &room, &*bench.executor, &log, &cancel);
    assert!(run.await.unwrap_err().to_string().contains("leads out of the repository"));
}
