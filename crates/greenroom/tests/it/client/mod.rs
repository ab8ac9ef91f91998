//! The client commands, against a real server: what each prints, as a table and as JSON, and how it
//! ends; and what each says when it cannot.
//!
//! One server for all of it. What it prints is held by snapshots, without what differs from run to
//! run ([`redact`]); columns' widths differ with that, and are tested beside the code.

mod doors;
mod exec;
mod failures;
mod held;
mod json;
mod laptop;
mod login;
mod redact;
mod walk;

use serde_json::{Value, json};

use self::laptop::Laptop;
use crate::sample::Sample;
use crate::world::{World, app};

/// Says what it does; fails where a file `broken` is, and waits for ever where there is `hang`.
fn note(text: &str) -> Sample {
    let pipeline = "services:\n  note:\n    path: note\n    framework: custom\n    test: echo \"a note\" && test ! -e broken && { test ! -e hang || tail -f /dev/null; }\n    deploy: echo \"at=$GREENROOM_STAGE\" > \"$GREENROOM_PUBLISH_FILE\"\n    remove: 'true'\n";
    Sample::of(pipeline).file("note/NOTE", text)
}

/// The server, and a laptop whose clone is of the workshop's repository.
struct Ground {
    world: World,
    laptop: Laptop,
}

impl Ground {
    async fn new() -> Self {
        let world = World::new().await;
        let mut file = app();
        file["stages"]["staging"]["approvers"] = json!(["ann"]);
        file["stages"]["prod"]["promote_from"] = json!("staging");
        world.apply(&file).await;
        let laptop = Laptop::of(&world);
        Self { world, laptop }
    }

    /// Pushes these files to develop, and waits for the build.
    async fn pushes(&self, text: &str) -> Value {
        let files = note(text);
        let pushed = self.world.repository.commit("develop", &files.files(), text).await;
        self.world.succeeds(&format!("commit={}", pushed.unwrap())).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_says_what_it_does_and_why_it_does_not() {
    let ground = Ground::new().await;
    walk::first_steps(&ground).await;
    ground.pushes("one").await;
    ground.pushes("two").await;
    walk::looks(&ground).await;
    walk::builds(&ground).await;
    walk::stages(&ground).await;
    walk::gates(&ground).await;
    walk::follows_and_cancels(&ground).await;
    failures::each_command(&ground).await;
    login::the_whole_way(&ground).await;
    login::refused(&ground).await;
    login::with_a_token(&ground).await;
    ground.world.ends().await;
}
