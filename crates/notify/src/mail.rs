//! A message as a mail: plain text, and the same as simple HTML.
//!
//! What always holds: a version has one `Message-ID`, however often it is sent; later ones about the
//! same thing, and its sequels, answer the first. A mail says that a program wrote it (RFC 3834), so
//! that no absence note comes back.

mod text;

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Mailboxes, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls as Wire, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor};
use model::notification::{Handle, Volume};
use secrecy::ExposeSecret;

use crate::error::Unsent;
use crate::{Parcel, Sent, SetupError, Smtp, Tls, mailbox};

/// For the whole talk with the server.
const LONGEST: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(crate) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    pub(crate) fn new(smtp: &Smtp) -> Result<Self, SetupError> {
        let tls = |host: &str| {
            TlsParameters::new(host.to_owned()).map_err(|error| SetupError::Tls {
                host: host.to_owned(),
                problem: error.to_string(),
            })
        };
        let wire = match smtp.tls {
            Tls::Implicit => Wire::Wrapper(tls(&smtp.host)?),
            Tls::StartTls => Wire::Required(tls(&smtp.host)?),
            Tls::None => Wire::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)
            .port(smtp.port)
            .tls(wire)
            .timeout(Some(LONGEST));
        if let Some((name, password)) = &smtp.login {
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(name.clone(), password));
        }
        Ok(Self { transport: builder.build(), from: mailbox(&smtp.from)? })
    }

    pub(crate) async fn send(
        &self,
        to: &[String],
        parcel: &Parcel<'_>,
        now: DateTime<Utc>,
    ) -> Result<Sent, Unsent> {
        match parcel.volume {
            Volume::Loud => {}
            Volume::Quiet => return Ok(Sent::Spared),
        }
        let id = format!("<{}.{}@{}>", parcel.id, parcel.version, self.from.email.domain());
        let mail = self.write(to, parcel, &id, now)?;
        let sending = tokio::time::timeout(LONGEST, self.transport.send(mail));
        match sending.await {
            Ok(Ok(_)) => Ok(Sent::Taken(parcel.handle.is_none().then_some(Handle::Mail { id }))),
            Ok(Err(error)) => Err(unsent(&error)),
            Err(_) => Err(Unsent::later(format!(
                "the mail server did not take it within {} seconds",
                LONGEST.as_secs()
            ))),
        }
    }

    fn write(
        &self,
        to: &[String],
        parcel: &Parcel<'_>,
        id: &str,
        now: DateTime<Utc>,
    ) -> Result<Mail, Unsent> {
        let to: Result<Mailboxes, _> =
            to.iter().map(|address| address.parse::<Mailbox>()).collect();
        let to = to.map_err(|_| Unsent::never("one of its addresses is none"))?;
        let mut mail = Mail::builder()
            .from(self.from.clone())
            .mailbox(lettre::message::header::To::from(to))
            .subject(text::subject(parcel.message))
            .date(SystemTime::from(now))
            .message_id(Some(id.to_owned()))
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        let answered: Vec<&String> = [parcel.answers, parcel.handle]
            .into_iter()
            .filter_map(|handle| match handle {
                Some(Handle::Mail { id }) => Some(id),
                Some(Handle::Slack { .. }) | None => None,
            })
            .collect();
        if let Some(last) = answered.last() {
            let all: Vec<&str> = answered.iter().map(|id| id.as_str()).collect();
            mail = mail.in_reply_to((*last).clone()).references(all.join(" "));
        }
        mail.multipart(MultiPart::alternative_plain_html(
            text::plain(parcel.message),
            text::html(parcel.message),
        ))
        .map_err(|error| Unsent::never(format!("the mail cannot be written: {error}")))
    }
}

/// A refusal is for ever where the server says so, but for a login: that one is the operator's to
/// mend, and mail is to go out when it is.
fn unsent(error: &lettre::transport::smtp::Error) -> Unsent {
    let code = error.status().map(u16::from);
    let why = model::notification::plain(&error.to_string());
    match code {
        Some(530 | 534 | 535) => Unsent::later(format!(
            "the mail server refuses the login ({}): {why}",
            code.unwrap_or(0)
        )),
        Some(500..) => Unsent::never(format!("the mail server refuses it: {why}")),
        Some(_) => Unsent::later(format!("the mail server does not take it now: {why}")),
        None => Unsent::later(format!("the mail server cannot be reached: {why}")),
    }
}
