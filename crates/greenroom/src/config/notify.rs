//! `[notify]` and `[smtp]`: how notifications leave this server.

use ::notify::{Smtp, Tls};
use anyhow::{Context, bail};
use model::notification::Network;
use secrecy::SecretString;
use serde::Deserialize;

use super::Environment;

pub(crate) use ::notify::Config as Notify;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Section {
    allow: Vec<String>,
    slack_url: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SmtpSection {
    host: Option<String>,
    port: Option<u16>,
    tls: Option<String>,
    username: Option<String>,
    password: Option<String>,
    from: Option<String>,
}

/// The password is no part of it.
impl std::fmt::Debug for SmtpSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmtpSection").field("host", &self.host).finish_non_exhaustive()
    }
}

pub(super) fn resolve(
    file: Section,
    smtp: SmtpSection,
    environment: &Environment,
) -> anyhow::Result<Notify> {
    let allow = match environment.get("GREENROOM_NOTIFY_ALLOW") {
        Some(list) => list.split(',').map(str::to_owned).collect(),
        None => file.allow,
    };
    let allowed: anyhow::Result<Vec<Network>> = allow
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
        .map(|text| text.parse().context("notify.allow (GREENROOM_NOTIFY_ALLOW)"))
        .collect();
    let slack_url = environment.get("GREENROOM_NOTIFY_SLACK_URL").or(file.slack_url);
    let slack_url = slack_url.unwrap_or_else(|| ::notify::SLACK.to_owned());
    if !slack_url.starts_with("https://") && !slack_url.starts_with("http://") {
        bail!(
            "notify.slack_url (GREENROOM_NOTIFY_SLACK_URL) is {slack_url:?}; begin it with https://"
        );
    }
    Ok(Notify { allowed: allowed?, slack_url, smtp: server(smtp, environment)? })
}

fn server(file: SmtpSection, environment: &Environment) -> anyhow::Result<Option<Smtp>> {
    let host = environment.get("GREENROOM_SMTP_HOST").or(file.host);
    let from = environment.get("GREENROOM_SMTP_FROM").or(file.from);
    let (host, from) = match (host, from) {
        (Some(host), Some(from)) => (host, from),
        (None, None) => return Ok(None),
        (Some(_), None) | (None, Some(_)) => bail!(
            "smtp.host (GREENROOM_SMTP_HOST) and smtp.from (GREENROOM_SMTP_FROM) belong together; \
             one is missing"
        ),
    };
    let tls = environment.get("GREENROOM_SMTP_TLS").or(file.tls);
    let (tls, usual) = match tls.as_deref() {
        None | Some("starttls") => (Tls::StartTls, 587),
        Some("tls") => (Tls::Implicit, 465),
        Some("none") => (Tls::None, 25),
        Some(other) => {
            bail!(
                "smtp.tls (GREENROOM_SMTP_TLS) is {other:?}; take \"starttls\", \"tls\" or \"none\""
            )
        }
    };
    let name = environment.get("GREENROOM_SMTP_USERNAME").or(file.username);
    let password = environment.get("GREENROOM_SMTP_PASSWORD").or(file.password);
    let login = match (name, password) {
        (Some(name), Some(password)) => Some((name, SecretString::from(password))),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => bail!(
            "smtp.username (GREENROOM_SMTP_USERNAME) and smtp.password (GREENROOM_SMTP_PASSWORD) \
             belong together; one is missing"
        ),
    };
    let port = environment.number("GREENROOM_SMTP_PORT")?.or(file.port).unwrap_or(usual);
    let smtp = Smtp { host, port, tls, login, from };
    // a sender is made of it, so that a mistake is told at the start
    ::notify::check(&smtp).context("[smtp]")?;
    Ok(Some(smtp))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(smtp: &str, variables: &[(&str, &str)]) -> anyhow::Result<Notify> {
        resolve(Section::default(), toml::from_str(smtp)?, &Environment::of(variables))
    }

    #[test]
    fn nothing_given_sends_no_mail_and_reaches_public_addresses_alone() {
        let config = load("", &[]).unwrap();
        assert!(config.smtp.is_none() && config.allowed.is_empty());
        assert_eq!(config.slack_url, "https://slack.com/api");
    }

    #[test]
    fn a_mail_server_is_spoken_to_with_tls_unless_told_otherwise() {
        let smtp = load("host = 'mail.example.com'\nfrom = 'ci@example.com'", &[]).unwrap();
        let smtp = smtp.smtp.unwrap();
        assert_eq!((smtp.tls, smtp.port), (Tls::StartTls, 587));
        let variables = [("GREENROOM_SMTP_TLS", "none"), ("GREENROOM_SMTP_PORT", "2525")];
        let smtp = load("host = 'localhost'\nfrom = 'Greenroom <ci@example.com>'", &variables);
        let smtp = smtp.unwrap().smtp.unwrap();
        assert_eq!((smtp.tls, smtp.port), (Tls::None, 2525));
    }

    #[test]
    fn what_cannot_be_is_named_by_its_key() {
        for (text, key) in [
            ("host = 'x'", "smtp.from"),
            ("host = 'x'\nfrom = 'nobody'", "smtp.from"),
            ("host = 'x'\nfrom = 'a@b.c'\ntls = 'ssl'", "smtp.tls"),
            ("host = 'x'\nfrom = 'a@b.c'\nusername = 'x'", "smtp.password"),
        ] {
            let error = format!("{:#}", load(text, &[]).unwrap_err());
            assert!(error.contains(key), "{error}");
        }
        let error = load("", &[("GREENROOM_NOTIFY_ALLOW", "10.0.0.0/40")]).unwrap_err();
        assert!(format!("{error:#}").contains("notify.allow"), "{error:#}");
    }
}
