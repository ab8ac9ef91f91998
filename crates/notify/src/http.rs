//! One POST to a receiver: bounded in time and size, to an allowed address, and nowhere else.

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use model::notification::{Network, Way};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};

use crate::error::Unsent;
use crate::guard::{Guard, Refused};
use crate::{LONGEST_CALL, SetupError};

/// Of an answer. What is longer is no answer to a message.
const LONGEST_ANSWER: usize = 64 * 1024;
const LONGEST_CONNECT: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) struct Http {
    encrypted: (Client, Guard),
    plain: (Client, Guard),
}

/// What a receiver answered, of whatever status.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

impl Http {
    pub(crate) fn new(allowed: &[Network]) -> Result<Self, SetupError> {
        let allowed: Arc<[Network]> = allowed.into();
        let of = |way| {
            let guard = Guard { allowed: Arc::clone(&allowed), way };
            let client = Client::builder()
                .dns_resolver(Arc::new(guard.clone()))
                .redirect(reqwest::redirect::Policy::none())
                // behind a proxy nobody here would know which address is connected to
                .no_proxy()
                .connect_timeout(LONGEST_CONNECT)
                .timeout(LONGEST_CALL)
                .user_agent(concat!("Greenroom/", env!("CARGO_PKG_VERSION")))
                .build()
                .map_err(|error| SetupError::Http(error.to_string()))?;
            Ok::<_, SetupError>((client, guard))
        };
        Ok(Self { encrypted: of(Way::Encrypted)?, plain: of(Way::Plain)? })
    }

    /// Posts JSON.
    pub(crate) async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: String,
        now: DateTime<Utc>,
    ) -> Result<Answer, Unsent> {
        let url: Url = url
            .parse()
            .map_err(|_| Unsent::never("its address is none; write it like https://…"))?;
        let (client, guard) = match url.scheme() {
            "https" => &self.encrypted,
            "http" => &self.plain,
            _other => return Err(Unsent::never("its address does not begin with https://")),
        };
        if let Some(ip) = literal(&url) {
            guard.judge(ip).map_err(|why| Unsent::never(why.to_string()))?;
        }
        let mut sent = HeaderMap::new();
        sent.insert(
            reqwest::header::CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        for (name, value) in headers {
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| Unsent::never("its secret holds characters that no header may"))?;
            value.set_sensitive(true);
            sent.insert(HeaderName::from_static(name), value);
        }
        let response = client.post(url).headers(sent).body(body).send().await.map_err(unsent)?;
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = after.and_then(|text| retry_after(text, now));
        Ok(Answer { status, after, body: read(response).await? })
    }
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, Unsent> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unsent)? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The address in numbers, if the URL has one.
fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// What went wrong, without the address: it may be secret.
fn unsent(error: reqwest::Error) -> Unsent {
    let error = error.without_url();
    let mut causes = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return Unsent::never(refused.to_string());
        }
        causes.push(cause.to_string());
        source = cause.source();
    }
    if error.is_timeout() {
        return Unsent::later(format!("no answer within {} seconds", LONGEST_CALL.as_secs()));
    }
    let last = causes.pop().unwrap_or_default();
    Unsent::later(format!("it cannot be reached: {}", model::notification::plain(&last)))
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(text.trim()).ok()?;
    (date.to_utc() - now).to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_says_when_to_come_back_in_seconds_or_as_a_date() {
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(retry_after("30", now), Some(Duration::from_secs(30)));
        let date = "Thu, 01 Jan 1970 00:01:00 GMT";
        assert_eq!(retry_after(date, now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("soon", now), None);
    }
}
