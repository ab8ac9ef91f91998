//! `exec` and `env`: a stage of one's own from the laptop, and every reason why not.

use serde_json::{Map, Value};

use super::Ground;
use super::laptop::Ran;

const AT: [&str; 4] = ["--stage", "admins", "--service", "note"];

fn exec<'a>(command: &[&'a str]) -> Vec<&'a str> {
    [&["exec"][..], &AT, &["--"], command].concat()
}

/// Whatever is another in each session has its name alone: credentials, and files beside the command.
fn names_and_words(out: &str) -> String {
    let all: Map<String, Value> = serde_json::from_str(out).unwrap();
    let line = |(name, value): (&String, &Value)| match value.as_str() {
        None => format!("{name} is unset\n"),
        Some(value) if name.starts_with("AWS_") || value.contains('/') => format!("{name}=[…]\n"),
        Some(value) => format!("{name}={value}\n"),
    };
    all.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn exec_and_env_say_what_they_do_and_why_they_do_not() {
    let ground = Ground::new().await;
    ground.pushes("one").await;
    let laptop = &ground.laptop;
    laptop.pulls(&ground.world.repository.clone_url_with(crate::world::TOKEN));
    let words = "echo \"$GREENROOM_SERVICE of $GREENROOM_STAGE, $GREENROOM_STAGE_KIND\"";
    laptop.shows("exec", &exec(&["sh", "-c", words])).await;
    laptop.shows("exec_of_a_command_that_fails", &exec(&["sh", "-c", "exit 9"])).await;
    let asked = [&["env", "--json"][..], &AT].concat();
    let env = laptop.run(&asked).await;
    let shown = Ran { out: names_and_words(&env.out), ..env };
    insta::assert_snapshot!("env_json", shown.text(&asked));
    let asked = [&["env", "--shell", "fish"][..], &AT].concat();
    let env = laptop.run(&asked).await;
    let names = |line: &str| line.split_whitespace().take(3).collect::<Vec<_>>().join(" ") + "\n";
    let shown = Ran { out: env.out.lines().map(names).collect(), ..env };
    insta::assert_snapshot!("env_for_fish", shown.text(&asked));
    let stages = laptop.run(&["stages", "admins"]).await;
    assert!(stages.out.contains("of admin, last used"), "{}", stages.out);

    let viewer = ground.world.server.token("viewer", "viewer").await;
    let other = ground.world.server.token("another", "deployer").await;
    let mine = exec(&["true"]);
    let mut down = laptop.command(&mine);
    let down = laptop.ran_by(down.env("GREENROOM_URL", "http://127.0.0.1:9")).await;
    let long_lived = ["exec", "--stage", "dev", "--service", "note", "--", "true"];
    let unknown = [&["exec", "--app", "nothing"][..], &AT, &["--", "true"]].concat();
    let otherwise = exec(&["sls", "deploy", "--stage", "dev"]);
    let nowhere = ["exec", "--stage", "admins", "--", "true"];
    let in_json = [&["exec", "--json"][..], &AT, &["--", "true"]].concat();
    let env = [&["env"][..], &AT].concat();
    let env_of_unknown = [&["env", "--app", "nothing"][..], &AT].concat();
    let mut no_env = laptop.command(&env);
    let no_env = laptop.ran_by(no_env.env("GREENROOM_URL", "http://127.0.0.1:9")).await;
    let reasons = [
        down.text(&mine),
        laptop.ran(laptop.with("grn-of-nobody", &mine)).await.text(&mine),
        laptop.ran(laptop.with(&viewer, &mine)).await.text(&mine),
        laptop.ran(laptop.with(&other, &mine)).await.text(&mine),
        laptop.run(&unknown).await.text(&unknown),
        laptop.run(&long_lived).await.text(&long_lived),
        laptop.run(&otherwise).await.text(&otherwise),
        laptop.run(&nowhere).await.text(&nowhere),
        laptop.run(&in_json).await.text(&in_json),
        no_env.text(&env),
        laptop.ran(laptop.with("grn-of-nobody", &env)).await.text(&env),
        laptop.ran(laptop.with(&viewer, &env)).await.text(&env),
        laptop.run(&env_of_unknown).await.text(&env_of_unknown),
    ];
    insta::assert_snapshot!("exec_refused", reasons.join("\n"));
    let removed = laptop.run(&["remove", "admins", "--yes", "--wait"]).await;
    assert_eq!(removed.code, 0, "{}", removed.said);
    ground.world.ends().await;
}
