//! What each command says when the server is down, the token is wrong, the right is missing, and
//! when there is no such app.

use super::Ground;
use super::laptop::Ran;

/// Each command, as somebody would write it.
const COMMANDS: [&[&str]; 17] = [
    &["whoami"],
    &["apps"],
    &["builds"],
    &["builds", "1"],
    &["build", "--branch", "develop"],
    &["logs", "1"],
    &["logs", "-f", "1"],
    &["cancel", "1"],
    &["rerun", "1"],
    &["approve", "1", "--yes"],
    &["promote", "prod"],
    &["rollback", "dev", "--build", "1"],
    &["remove", "dev", "--yes"],
    &["freeze", "dev", "--reason", "sales"],
    &["unfreeze", "dev"],
    &["stages"],
    &["reject", "1"],
];

/// Nothing of them speaks of apps.
fn is_of_an_app(arguments: &[&str]) -> bool {
    !matches!(arguments[0], "whoami" | "apps")
}

fn told(arguments: &[&str], ran: &Ran) -> String {
    assert_eq!(ran.out, "", "{arguments:?} answers all the same");
    ran.text(arguments)
}

pub(super) async fn each_command(ground: &Ground) {
    let laptop = &ground.laptop;
    let viewer = ground.world.server.token("viewer", "viewer").await;
    let (mut down, mut unknown, mut refused, mut nothing) = Default::default();
    for arguments in COMMANDS {
        let add = |all: &mut String, ran: &Ran| all.push_str(&told(arguments, ran));
        let mut command = laptop.command(arguments);
        let ran = laptop.ran_by(command.env("GREENROOM_URL", "http://127.0.0.1:9")).await;
        assert_eq!(ran.code, 1, "{arguments:?}: {}", ran.said);
        add(&mut down, &ran);
        let ran = laptop.ran(laptop.with("grn-of-nobody", arguments)).await;
        assert_eq!(ran.code, 6, "{arguments:?}: {}", ran.said);
        add(&mut unknown, &ran);
        let ran = laptop.ran(laptop.with(&viewer, arguments)).await;
        if ran.code != 0 {
            add(&mut refused, &ran);
        }
        if is_of_an_app(arguments) {
            let arguments = [arguments, &["--app", "nothing"]].concat();
            let ran = laptop.run(&arguments).await;
            assert_eq!(ran.code, 5, "{arguments:?}: {}", ran.said);
            nothing = format!("{nothing}{}", told(&arguments, &ran));
        }
    }
    insta::assert_snapshot!("the_server_is_down", down);
    insta::assert_snapshot!("the_token_is_wrong", unknown);
    insta::assert_snapshot!("the_right_is_missing", refused);
    insta::assert_snapshot!("there_is_no_such_app", nothing);
    others(ground).await;
}

async fn others(ground: &Ground) {
    let laptop = &ground.laptop;
    let mut all = String::new();
    for (arguments, command) in [
        (&["builds"][..], laptop.bare(&["builds"])),
        (&["builds"], laptop.elsewhere(&["builds"])),
        (&["builds", "999"], laptop.command(&["builds", "999"])),
        (&["stages", "nowhere"], laptop.command(&["stages", "nowhere"])),
        (&["rollback", "dev"], laptop.command(&["rollback", "dev"])),
        (&["logout"], laptop.bare(&["logout"])),
        (&["whoami", "--server", "ftp://x"], laptop.command(&["whoami", "--server", "ftp://x"])),
        (&["man", "nothing"], laptop.bare(&["man", "nothing"])),
    ] {
        let ran = laptop.ran(command).await;
        all.push_str(&told(arguments, &ran));
    }
    insta::assert_snapshot!("other_mistakes", all);
}
