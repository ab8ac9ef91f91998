//! People elsewhere hear of what happens: a program, a chat and a mailbox, each of every thing once
//! and in order, whatever is away meanwhile.

use fakes::receiver::{Answers, Hook, Slack, Smtp};
use serde_json::{Value, json};

use crate::sample::Sample;
use crate::server::{client, until};
use crate::world::{World, app};

const BOT: &str = "xoxb-of-the-bot";

async fn world(slack: &Slack, smtp: &Smtp) -> World {
    let port = smtp.port().to_string();
    World::with(&[
        ("GREENROOM_NOTIFY_ALLOW", "127.0.0.0/8"),
        ("GREENROOM_NOTIFY_SLACK_URL", slack.url()),
        ("GREENROOM_SMTP_HOST", "127.0.0.1"),
        ("GREENROOM_SMTP_PORT", &port),
        ("GREENROOM_SMTP_TLS", "none"),
        ("GREENROOM_SMTP_FROM", "Greenroom <ci@example.com>"),
    ])
    .await
}

/// The workshop, of which three are told.
fn file(hook: &Hook) -> Value {
    let mut file = app();
    file["notifications"] = json!({
        "bot": { "webhook": {
            "url": hook.url(),
            "secret": { "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" },
        } },
        "chat": { "slack": { "token": { "secret": BOT }, "channel": "#deploys" } },
        "mail": { "email": { "to": ["team@example.com"] }, "stages": ["d*"] },
    });
    file
}

async fn push(world: &World, deploy: &str) -> String {
    let sample = Sample::of(&format!(
        "services: {{ one: {{ path: one, framework: custom, deploy: '{deploy}', remove: 'true' }} }}\n"
    ));
    world.repository.commit("develop", &sample.files(), "Say <hello>").await.unwrap()
}

fn body(posted: &fakes::receiver::Posted) -> Value {
    serde_json::from_str(&posted.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_receivers_hear_of_each_thing_once_and_in_order() {
    let (hook, slack) = (Hook::start().await.unwrap(), Slack::start(BOT).await.unwrap());
    let smtp = Smtp::start(None).await.unwrap();
    let mut world = world(&slack, &smtp).await;
    let mut file = file(&hook);
    world.apply(&file).await;

    // the program is away, the chat wants to be left alone for a second
    hook.answer(Answers::Status(503, None));
    slack.limit(1);
    let failing = push(&world, "echo no; exit 3").await;
    let failed = world.fails(&format!("commit={failing}")).await;
    smtp.wait_for(1).await;
    slack.wait_for(2).await;
    hook.wait_for(2).await;
    let mending = push(&world, "true").await;
    let fixed = world.succeeds(&format!("commit={mending}")).await;
    // written down as sent, so that the plug can be pulled without sending it twice
    sent(&world, &["chat", "mail"], 2).await;

    // the plug is pulled while it is still away
    world.server.kill().await;
    assert!(hook.taken().is_empty());
    hook.answer(Answers::Fine);
    world.server.start_again().await;
    file["stages"]["dev"]["approvers"] = json!(["ann"]);
    world.apply(&file).await;
    let waiting = push(&world, "echo again").await;
    let waiting = world.build(&format!("commit={waiting}")).await;
    sent(&world, &["bot", "chat", "mail"], 3).await;

    let numbers = [&failed["number"], &fixed["number"], &waiting["number"]];
    let thing = |number: &Value| json!(format!("workshop/build/{number}"));
    let told: Vec<(Value, Value)> = hook
        .taken()
        .iter()
        .map(|posted| (body(posted)["type"].clone(), body(posted)["data"]["thing"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (json!("build.failed"), thing(numbers[0])),
            (json!("build.fixed"), thing(numbers[1])),
            (json!("build.waiting"), thing(numbers[2])),
        ]
    );
    let first = body(&hook.taken()[0])["data"].clone();
    let page = format!("{}/apps/workshop/builds/{}", world.server.url, numbers[0]);
    assert_eq!(first["url"], page);
    assert!(first["detail"].as_str().unwrap().starts_with("deploy one: "), "{first}");
    assert_eq!(body(&hook.taken()[1])["data"]["answers"], thing(numbers[0]));

    let said = slack.messages();
    assert_eq!(said.len(), 3, "{said:#?}");
    assert!(
        said[0].text.contains(&page) && said[0].text.contains("Say &lt;hello&gt;"),
        "{said:#?}"
    );
    assert_eq!(said[1].thread_ts.as_ref(), Some(&said[0].ts));
    assert!(said[1].reply_broadcast && said[2].thread_ts.is_none(), "{said:#?}");

    let mails = smtp.mails();
    let subjects: Vec<String> = mails.iter().map(|mail| mail.header("Subject").unwrap()).collect();
    assert_eq!(
        subjects,
        [
            format!("[workshop] Build {} failed on dev", numbers[0]),
            format!(
                "[workshop] Build {} succeeded on dev, which had failed since build {}",
                numbers[1], numbers[0]
            ),
            format!("[workshop] Build {} waits for an approval on dev", numbers[2]),
        ]
    );
    assert_eq!(mails[1].header("In-Reply-To"), mails[0].header("Message-ID"));

    let shown = world.page("/system").await;
    assert!(shown.contains("waits for an approval on dev"), "{shown}");
    send_again(&world, &hook).await;
    world.stops().await;
}

/// Waits until each of these receivers was told of so many things.
async fn sent(world: &World, receivers: &[&str], things: usize) {
    until(&format!("{receivers:?} to be told of {things} things"), async || {
        let listed = world.get("/system/notifications").await;
        let listed = listed["notifications"].as_array().unwrap();
        let told = |receiver: &&str| {
            let sent =
                listed.iter().filter(|one| one["receiver"] == **receiver && one["state"] == "sent");
            sent.count() == things
        };
        receivers.iter().all(told).then_some(())
    })
    .await;
}

/// Somebody presses "Send again" for what the program was told last: it comes under the same id.
async fn send_again(world: &World, hook: &Hook) {
    let listed = world.get("/system/notifications").await;
    let listed = listed["notifications"].as_array().unwrap();
    assert!(listed.iter().all(|one| one["state"] == "sent"), "{listed:#?}");
    let last = listed.iter().find(|one| one["receiver"] == "bot").unwrap();
    let path = format!("/system/notifications/{}/replay", last["id"].as_str().unwrap());
    let url = format!("{}{path}", world.server.url);
    let answer = client().post(url).header("origin", &world.server.url).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    until("it to come again", async || (hook.taken().len() >= 4).then_some(())).await;
    let taken = hook.taken();
    let id = |at: usize| taken[at].headers["webhook-id"].clone();
    assert_eq!(id(2), id(3));
}
