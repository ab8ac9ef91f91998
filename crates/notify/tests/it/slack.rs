//! Messages to a chat.

use std::time::Duration;

use fakes::receiver::{Answers, Hook, Slack};
use model::notification::{Event, Handle, Message, Volume};
use notify::{Destination, SLACK, Sent, Unsent};

use crate::support::{LOOPBACK, Told, app, failed, message, now, sender};

const TOKEN: &str = "xoxb-of-the-bot";

async fn say(slack: &Slack, told: &Told<'_>) -> Result<Sent, Unsent> {
    let to = Destination::SlackBot { token: TOKEN.to_owned().into(), channel: "#deploys".into() };
    sender(LOOPBACK, slack.url(), None).send(&to, &told.parcel(&app()), now()).await
}

/// What the chat made of a message that it took.
async fn said(slack: &Slack, told: &Told<'_>) -> Handle {
    match say(slack, told).await {
        Ok(Sent::Taken(Some(handle))) => handle,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_others_wrote_mentions_nobody() {
    let hook = Hook::start().await.unwrap();
    let to = Destination::SlackIncoming { url: hook.url().to_owned().into() };
    let sender = sender(LOOPBACK, SLACK, None);
    sender.send(&to, &Told::first(failed()).parcel(&app()), now()).await.unwrap();
    let body: serde_json::Value = serde_json::from_str(&hook.posted()[0].body).unwrap();
    let lines: Vec<&str> = body["text"].as_str().unwrap().lines().collect();
    assert_eq!(
        lines,
        [
            ":x: <https://ci.example.com/apps/workshop/builds/12|workshop: Build 12 failed on prod>",
            "deploy restapi: exit 1",
            "&lt;!channel&gt; &amp; &lt;b onclick=x()&gt;fix&lt;/b&gt; (feature&lt;x&gt;, aaaaaaa) by ann",
        ]
    );
}

#[tokio::test]
async fn an_incoming_webhook_is_only_told_what_was_asked_for() {
    let hook = Hook::start().await.unwrap();
    let to = Destination::SlackIncoming { url: hook.url().to_owned().into() };
    let sender = sender(LOOPBACK, SLACK, None);
    let quiet = Told { version: 2, volume: Volume::Quiet, ..Told::first(failed()) };
    assert_eq!(sender.send(&to, &quiet.parcel(&app()), now()).await, Ok(Sent::Spared));
    for (status, for_ever) in [(404, true), (403, true), (429, false), (500, false)] {
        hook.answer(Answers::Status(status, None));
        let sent = sender.send(&to, &Told::first(failed()).parcel(&app()), now()).await;
        let never = matches!(sent, Err(Unsent::Never { .. }));
        assert_eq!(never, for_ever, "{status}: {sent:?}");
    }
}

#[tokio::test]
async fn a_bot_changes_its_message_when_the_thing_changes() {
    let slack = Slack::start(TOKEN).await.unwrap();
    let waiting = Told::first(message(Event::BuildWaiting, "Build 12 waits for an approval"));
    let handle = said(&slack, &waiting).await;
    let resumed = Told {
        version: 2,
        volume: Volume::Quiet,
        handle: Some(handle.clone()),
        ..Told::first(message(Event::BuildResumed, "Build 12 goes on"))
    };
    assert_eq!(say(&slack, &resumed).await, Ok(Sent::Taken(None)));
    let [only] = &slack.messages()[..] else { panic!("one message: {:?}", slack.messages()) };
    assert!(only.text.contains("Build 12 goes on") && only.edits == 1, "{only:?}");
    // nobody is told of a change, so what was asked for comes as an answer too
    let failed = Told { version: 3, handle: Some(handle), ..Told::first(failed()) };
    say(&slack, &failed).await.unwrap();
    let [first, second] = &slack.messages()[..] else { panic!("{:?}", slack.messages()) };
    assert!(first.text.contains("failed"), "{first:?}");
    assert_eq!(second.thread_ts.as_deref(), Some(first.ts.as_str()));
}

#[tokio::test]
async fn what_mends_a_failure_answers_it_and_is_seen_in_the_channel() {
    let slack = Slack::start(TOKEN).await.unwrap();
    let root = said(&slack, &Told::first(failed())).await;
    let sequel = |event, headline: &str, answers: &Handle| {
        let message: Message = message(event, headline);
        Told { thing: "build/13", answers: Some(answers.clone()), ..Told::first(message) }
    };
    let again = said(&slack, &sequel(Event::BuildFailed, "Build 13 failed", &root)).await;
    said(&slack, &sequel(Event::BuildFixed, "Build 14 succeeded", &again)).await;
    let [first, second, third] = &slack.messages()[..] else { panic!("three messages") };
    assert_eq!(second.thread_ts.as_ref(), Some(&first.ts));
    assert_eq!(third.thread_ts.as_ref(), Some(&first.ts), "a thread has one root");
    assert_eq!((second.reply_broadcast, third.reply_broadcast), (false, true));
}

#[tokio::test]
async fn a_message_that_somebody_deleted_is_posted_anew_or_left() {
    let slack = Slack::start(TOKEN).await.unwrap();
    let handle = said(&slack, &Told::first(failed())).await;
    slack.clear();
    let change =
        |volume| Told { version: 2, volume, handle: Some(handle.clone()), ..Told::first(failed()) };
    assert_eq!(say(&slack, &change(Volume::Quiet)).await, Ok(Sent::Spared));
    assert!(slack.messages().is_empty());
    said(&slack, &change(Volume::Loud)).await;
    assert_eq!(slack.messages().len(), 1);
}

#[tokio::test]
async fn slack_says_when_to_come_back_and_what_is_wrong_for_good() {
    let slack = Slack::start(TOKEN).await.unwrap();
    slack.limit(1);
    let limited = say(&slack, &Told::first(failed())).await.unwrap_err();
    let after = match limited {
        Unsent::Later { after, .. } => after,
        Unsent::Never { why } => panic!("{why}"),
    };
    assert_eq!(after, Some(Duration::from_secs(1)));
    for (code, for_ever) in [
        ("channel_not_found", true),
        ("not_in_channel", true),
        ("invalid_auth", true),
        ("internal_error", false),
    ] {
        slack.fail(Some(code));
        let error = say(&slack, &Told::first(failed())).await.unwrap_err();
        assert_eq!(matches!(error, Unsent::Never { .. }), for_ever, "{error}");
        assert!(error.to_string().contains(code), "{error}");
        assert!(!error.to_string().contains(TOKEN), "{error}");
    }
}
