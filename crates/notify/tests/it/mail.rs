//! Messages to mailboxes, by a mail server that speaks SMTP.

use fakes::receiver::{Mail, Mood, Smtp as Server};
use model::notification::{Event, Handle, Volume};
use notify::{Destination, SLACK, Sent, Smtp, Tls, Unsent};

use crate::support::{Told, app, failed, message, now, sender};

fn smtp(server: &Server, login: Option<(&str, &str)>) -> Smtp {
    Smtp {
        host: "127.0.0.1".into(),
        port: server.port(),
        tls: Tls::None,
        login: login.map(|(name, password)| (name.to_owned(), password.to_owned().into())),
        from: "Greenroom <ci@example.com>".into(),
    }
}

async fn write(smtp: Smtp, told: &Told<'_>) -> Result<Sent, Unsent> {
    let to = vec!["ann@example.com".to_owned(), "bob@example.com".to_owned()];
    let sender = sender(&[], SLACK, Some(smtp));
    sender.send(&Destination::Mail { to }, &told.parcel(&app()), now()).await
}

/// What a quoted-printable part says.
fn decoded(mail: &Mail) -> String {
    mail.text.replace("=\n", "").replace("=3D", "=")
}

#[tokio::test]
async fn a_mail_says_the_same_as_text_and_as_html() {
    let server = Server::start(None).await.unwrap();
    let sent = write(smtp(&server, None), &Told::first(failed())).await.unwrap();
    assert_eq!(sent, Sent::Taken(Some(Handle::Mail { id: "<12.1@example.com>".into() })));
    let [mail] = &server.mails()[..] else { panic!("one mail") };
    assert_eq!((mail.from.as_str(), mail.to.len()), ("ci@example.com", 2));
    for (name, value) in [
        ("Subject", "[workshop] Build 12 failed on prod"),
        ("From", "Greenroom <ci@example.com>"),
        ("Message-ID", "<12.1@example.com>"),
        ("Auto-Submitted", "auto-generated"),
        ("Date", "Fri, 04 Oct 2024 00:00:00 +0000"),
    ] {
        assert_eq!(mail.header(name).as_deref(), Some(value), "{name}");
    }
    let text = decoded(mail);
    assert!(text.contains("<!channel> & <b onclick"), "as text it is what it is: {text}");
    assert!(text.contains("&lt;!channel&gt; &amp; &lt;b onclick"), "as HTML it is escaped: {text}");
    assert!(text.contains("https://ci.example.com/apps/workshop/builds/12"), "{text}");
}

#[tokio::test]
async fn later_mails_about_a_thing_and_its_sequels_answer_the_first() {
    let server = Server::start(None).await.unwrap();
    let first = Told::first(message(Event::BuildWaiting, "Build 12 waits"));
    let Ok(Sent::Taken(Some(handle))) = write(smtp(&server, None), &first).await else {
        panic!("it is taken")
    };
    let quiet = Told {
        version: 2,
        volume: Volume::Quiet,
        handle: Some(handle.clone()),
        ..Told::first(failed())
    };
    assert_eq!(write(smtp(&server, None), &quiet).await, Ok(Sent::Spared));
    let again = Told { version: 3, handle: Some(handle.clone()), ..Told::first(failed()) };
    assert_eq!(write(smtp(&server, None), &again).await, Ok(Sent::Taken(None)));
    let sequel = Told { thing: "build/13", answers: Some(handle), ..Told::first(failed()) };
    write(smtp(&server, None), &sequel).await.unwrap();
    let mails = server.mails();
    let answers: Vec<_> = mails
        .iter()
        .map(|mail| (mail.header("Message-ID").unwrap(), mail.header("In-Reply-To")))
        .collect();
    let root = Some("<12.1@example.com>".to_owned());
    assert_eq!(
        answers,
        [
            ("<12.1@example.com>".to_owned(), None),
            ("<12.3@example.com>".to_owned(), root.clone()),
            ("<13.1@example.com>".to_owned(), root.clone()),
        ]
    );
    assert_eq!(mails[2].header("References"), root);
}

#[tokio::test]
async fn a_server_that_wants_a_login_gets_it() {
    let server = Server::start(Some(("greenroom", "s3cret"))).await.unwrap();
    write(smtp(&server, Some(("greenroom", "s3cret"))), &Told::first(failed())).await.unwrap();
    assert_eq!(server.mails().len(), 1);
    // whoever runs the server can mend it, and then the mail goes out
    let wrong = smtp(&server, Some(("greenroom", "wrong-one")));
    let error = write(wrong, &Told::first(failed())).await.unwrap_err();
    assert!(matches!(error, Unsent::Later { .. }), "{error}");
    assert!(error.to_string().contains("login") && !error.to_string().contains("wrong-one"));
    let none = write(smtp(&server, None), &Told::first(failed())).await.unwrap_err();
    assert!(matches!(none, Unsent::Later { .. }), "{none}");
}

#[tokio::test]
async fn what_a_server_refuses_for_now_is_told_from_what_it_refuses_for_good() {
    let server = Server::start(None).await.unwrap();
    server.set(Mood::Later);
    let later = write(smtp(&server, None), &Told::first(failed())).await.unwrap_err();
    assert!(matches!(later, Unsent::Later { .. }), "{later}");
    server.set(Mood::Never);
    let never = write(smtp(&server, None), &Told::first(failed())).await.unwrap_err();
    assert!(matches!(never, Unsent::Never { .. }), "{never}");
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn a_server_that_cannot_encrypt_gets_no_mail_where_that_is_asked_for() {
    let server = Server::start(None).await.unwrap();
    let smtp = Smtp { tls: Tls::StartTls, ..smtp(&server, None) };
    let error = write(smtp, &Told::first(failed())).await.unwrap_err();
    assert!(matches!(error, Unsent::Later { .. } | Unsent::Never { .. }), "{error}");
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn without_a_mail_server_it_is_said_which_settings_are_missing() {
    let to = Destination::Mail { to: vec!["ann@example.com".into()] };
    let sender = sender(&[], SLACK, None);
    let sent = sender.send(&to, &Told::first(failed()).parcel(&app()), now()).await;
    assert!(sent.unwrap_err().to_string().contains("smtp.host"));
}
