//! Where messages must not go.

use fakes::receiver::{Answers, Hook};
use notify::{Destination, SLACK, Unsent};

use crate::support::{LOOPBACK, Told, app, failed, now, sender};

async fn refused(allowed: &[&str], url: &str) -> String {
    let to = Destination::SlackIncoming { url: url.to_owned().into() };
    let sender = sender(allowed, SLACK, None);
    match sender.send(&to, &Told::first(failed()).parcel(&app()), now()).await {
        Err(Unsent::Never { why }) => why,
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test]
async fn what_only_this_machine_can_reach_is_not_reached() {
    let hook = Hook::start().await.unwrap();
    let port = hook.url().rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433"] {
        for scheme in ["http", "https"] {
            let why = refused(&[], &format!("{scheme}://{host}:{port}")).await;
            assert!(why.contains("notify.allow"), "{host}: {why}");
            assert!(!why.contains(&port), "the address may be secret: {why}");
        }
    }
    assert!(hook.posted().is_empty());
}

#[tokio::test]
async fn nothing_opens_the_way_to_a_clouds_credentials() {
    let all = &["0.0.0.0/0", "::/0"];
    for host in ["169.254.169.254", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "[fe80::1]"] {
        refused(all, &format!("http://{host}/latest/meta-data")).await;
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (hook, other) = (Hook::start().await.unwrap(), Hook::start().await.unwrap());
    hook.answer(Answers::Redirect(other.url().to_owned()));
    refused(LOOPBACK, hook.url()).await;
    assert_eq!((hook.posted().len(), other.posted().len()), (1, 0));
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_it() {
    let hook = Hook::start().await.unwrap();
    hook.answer(Answers::Endless);
    let to = Destination::SlackIncoming { url: hook.url().to_owned().into() };
    let sender = sender(LOOPBACK, SLACK, None);
    let sent = sender.send(&to, &Told::first(failed()).parcel(&app()), now()).await;
    assert!(matches!(sent, Err(Unsent::Later { .. })), "{sent:?}");
}

#[tokio::test]
async fn an_address_that_fails_is_not_repeated() {
    let hook = Hook::start().await.unwrap();
    let url = format!("{}/T0/B0/secret-of-the-hook", hook.url());
    drop(hook);
    let to = Destination::SlackIncoming { url: url.into() };
    let sender = sender(LOOPBACK, SLACK, None);
    let sent = sender.send(&to, &Told::first(failed()).parcel(&app()), now()).await;
    let error = sent.unwrap_err().to_string();
    assert!(error.contains("cannot be reached") && !error.contains("secret-of"), "{error}");
}
