//! `exec` and `env`: a stage of one's own from the laptop, and every reason why not.

use serde_json::Value;

use super::Ground;

const AT: [&str; 4] = ["--stage", "admins", "--service", "note"];

fn exec<'a>(command: &[&'a str]) -> Vec<&'a str> {
    [&["exec"][..], &AT, &["--"], command].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn exec_and_env_say_what_they_do_and_why_they_do_not() {
    let ground = Ground::new().await;
    ground.pushes("one").await;
    let laptop = &ground.laptop;
    laptop.pulls(&ground.world.repository.clone_url_with(crate::world::TOKEN));
    let words = "echo \"$GREENROOM_SERVICE of $GREENROOM_STAGE, $GREENROOM_STAGE_KIND\"";
    let ran = laptop.run(&exec(&["sh", "-c", words])).await;
    assert_eq!((ran.out.as_str(), ran.code), ("note of admins, personal\n", 0), "{}", ran.said);
    assert_eq!(laptop.run(&exec(&["sh", "-c", "exit 9"])).await.code, 9);
    let env = laptop.run(&[&["env", "--json"][..], &AT].concat()).await;
    let all: Value = serde_json::from_str(&env.out).unwrap();
    assert_eq!((&all["GREENROOM_STAGE"], &all["AWS_PROFILE"]), (&"admins".into(), &Value::Null));
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
    for (ran, code, part) in [
        (down, 1, "does not answer"),
        (laptop.ran(laptop.with("grn-of-nobody", &mine)).await, 6, "not known"),
        (laptop.ran(laptop.with(&viewer, &mine)).await, 6, "not allowed"),
        (laptop.ran(laptop.with(&other, &mine)).await, 5, "personal stage of admin"),
        (laptop.run(&unknown).await, 5, "there is no app"),
        (laptop.run(&long_lived).await, 5, "long-lived stage"),
        (laptop.run(&otherwise).await, 2, "--stage dev"),
        (laptop.run(&nowhere).await, 2, "note (note)"),
    ] {
        assert_eq!(ran.code, code, "{}", ran.said);
        assert!(ran.said.contains(part), "{part}: {}", ran.said);
    }
    let removed = laptop.run(&["remove", "admins", "--yes", "--wait"]).await;
    assert_eq!(removed.code, 0, "{}", removed.said);
    ground.world.ends().await;
}
