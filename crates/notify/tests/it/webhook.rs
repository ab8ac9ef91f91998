//! Messages to a program: signed, numbered, with an id that stays.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fakes::receiver::{Answers, Hook, Posted};
use model::notification::{Event, Volume};
use notify::{Destination, SLACK, Sent, Unsent};

use crate::support::{LOOPBACK, TITLE, Told, app, failed, message, now, sender};

const KEY: &[u8] = b"32 bytes that nobody else knows.";

async fn post(hook: &Hook, told: &Told<'_>) -> Result<Sent, Unsent> {
    let secret = format!("whsec_{}", STANDARD.encode(KEY));
    let to = Destination::Webhook { url: hook.url().to_owned().into(), secret: secret.into() };
    sender(LOOPBACK, SLACK, None).send(&to, &told.parcel(&app()), now()).await
}

/// As a receiver checks it.
fn is_ours(posted: &Posted) -> bool {
    let header = |name: &str| posted.headers[name].as_str();
    let signed =
        format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), posted.body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY);
    let given = header("webhook-signature").strip_prefix("v1,").unwrap();
    hmac::verify(&key, signed.as_bytes(), &STANDARD.decode(given).unwrap()).is_ok()
}

#[tokio::test]
async fn a_message_is_signed_and_says_what_it_is_about() {
    let hook = Hook::start().await.unwrap();
    let answers = Some("build/10".to_owned());
    let told = Told::first(model::notification::Message { answers, ..failed() });
    assert_eq!(post(&hook, &told).await, Ok(Sent::Taken(None)));
    let [posted] = &hook.posted()[..] else { panic!("one message") };
    assert!(is_ours(posted));
    assert_eq!(posted.headers["webhook-id"], "msg_12_1");
    assert_eq!(posted.headers["webhook-timestamp"], now().timestamp().to_string());
    let body: serde_json::Value = serde_json::from_str(&posted.body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({
            "type": "build.failed",
            "timestamp": "2024-10-04T00:00:00.000Z",
            "data": {
                "thing": "workshop/build/12",
                "sequence": 1,
                "answers": "workshop/build/10",
                "app": "workshop",
                "repository": "acme/workshop",
                "stage": "prod",
                "build": {
                    "number": 12,
                    "commit": "a".repeat(40),
                    "branch": "feature<x>",
                    "tag": null,
                    "title": TITLE,
                    "author": "ann",
                },
                "headline": "Build 12 failed on prod",
                "detail": "deploy restapi: exit 1",
                "url": "https://ci.example.com/apps/workshop/builds/12",
            },
        })
    );
}

#[tokio::test]
async fn a_version_has_one_id_however_often_it_is_sent() {
    let hook = Hook::start().await.unwrap();
    let first = Told::first(failed());
    hook.answer(Answers::Status(503, Some(7)));
    let why = "it answers 503 Service Unavailable".to_owned();
    let after = Some(Duration::from_secs(7));
    assert_eq!(post(&hook, &first).await, Err(Unsent::Later { why, after }));
    hook.answer(Answers::Fine);
    post(&hook, &first).await.unwrap();
    let resumed = message(Event::BuildResumed, "Build 12 goes on");
    let second = Told { version: 2, volume: Volume::Quiet, ..Told::first(resumed) };
    post(&hook, &second).await.unwrap();
    let ids: Vec<String> =
        hook.posted().iter().map(|posted| posted.headers["webhook-id"].clone()).collect();
    assert_eq!(ids, ["msg_12_1", "msg_12_1", "msg_12_2"]);
}

#[tokio::test]
async fn a_program_that_is_gone_for_good_is_left_alone() {
    let hook = Hook::start().await.unwrap();
    for (status, gone) in [(410, true), (404, false), (401, false), (500, false)] {
        hook.answer(Answers::Status(status, None));
        let sent = post(&hook, &Told::first(failed())).await.unwrap_err();
        assert_eq!(matches!(sent, Unsent::Never { .. }), gone, "{status}: {sent}");
    }
}

#[tokio::test]
async fn what_was_never_told_is_not_taken_back() {
    let hook = Hook::start().await.unwrap();
    let quiet = Told { volume: Volume::Quiet, ..Told::first(failed()) };
    assert_eq!(post(&hook, &quiet).await, Ok(Sent::Spared));
    assert!(hook.posted().is_empty());
}
