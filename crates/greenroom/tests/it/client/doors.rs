//! What the commands that speak of a server rather than of an app say when they cannot: a login where
//! nobody answers, a logout with nothing stored or where the server is gone, a page of an app that
//! is not there.

use std::os::unix::fs::PermissionsExt;

use super::Ground;

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9";

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_come_in_go_out_or_open_a_page_is_told_why() {
    let ground = Ground::new().await;
    let laptop = &ground.laptop;
    let mut all = String::new();

    // nobody signed in here yet
    for arguments in [
        &["login"][..],
        &["login", NOWHERE],
        &["login", "ftp://ci.example.com"],
        &["login", NOWHERE, "--with-token"],
        &["login", "--role", "owner", NOWHERE],
        &["logout"],
        &["logout", NOWHERE],
        &["logout", "ftp://ci.example.com"],
        &["open", "--app", "workshop"],
    ] {
        let ran = laptop.ran(laptop.bare(arguments)).await;
        assert_ne!(ran.code, 0, "{arguments:?}: {}", ran.out);
        all.push_str(&ran.text(arguments));
    }

    // a page of what is not there
    let viewer = ground.world.server.token("reader", "viewer").await;
    for (name, ran) in [
        ("an app that is not there", laptop.run(&["open", "--app", "nothing"]).await),
        ("a clone of no app", laptop.ran(laptop.elsewhere(&["open"])).await),
        ("a wrong token", laptop.ran(laptop.with("grn-of-nobody", &["open"])).await),
        ("two things at once", laptop.run(&["open", "1", "--stage", "dev"]).await),
        ("who only reads", laptop.ran(laptop.with(&viewer, &["open", "--print"])).await),
    ] {
        all.push_str(&format!("# {name}\n{}", ran.text(&["open"])));
    }
    let mut down = laptop.command(&["open"]);
    let ran = laptop.ran_by(down.env("GREENROOM_URL", NOWHERE)).await;
    all.push_str(&format!("# the server is down\n{}", ran.text(&["open"])));
    insta::assert_snapshot!("doors", all);

    stored(&ground).await;
    ground.world.ends().await;
}

/// A token that was made here, of a server that is gone: it is kept, unless it is to be forgotten.
async fn stored(ground: &Ground) {
    let laptop = &ground.laptop;
    let directory = laptop.home().join(".config/greenroom");
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("logins.toml");
    let text = format!(
        "default = \"{NOWHERE}\"\n\n[servers.\"{NOWHERE}\"]\ntoken = \"grn_stored\"\nname = \
         \"ann\"\nmade = \"here\"\n"
    );
    std::fs::write(&file, &text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut all = String::new();
    for arguments in [&["logout"][..], &["whoami"], &["logout", "--forget"], &["logout"]] {
        let ran = laptop.ran(laptop.bare(arguments)).await;
        all.push_str(&ran.text(arguments));
    }
    insta::assert_snapshot!("stored", all);
    assert!(!std::fs::read_to_string(&file).unwrap().contains("grn_stored"));
    std::fs::write(&file, "servers = 7\n").unwrap();
    let ran = laptop.ran(laptop.bare(&["whoami"])).await;
    insta::assert_snapshot!("stored_broken", ran.text(&["whoami"]));
}
