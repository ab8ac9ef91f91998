//! Credentials that renew themselves while a command runs: the SDKs of AWS fetch them from this
//! program, as containers do from theirs.
//!
//! The protocol is that of `AWS_CONTAINER_CREDENTIALS_FULL_URI` ("Container credential provider" in the
//! AWS SDKs and Tools Reference Guide): HTTP on loopback, with a token in `Authorization`.
//!
//! What always holds: only who shows the token, which is random and in the command's environment alone,
//! is answered; credentials are kept in memory. It ends with the command.

use std::convert::Infallible;
use std::fs::File;
use std::io::Read;
use std::net::Ipv4Addr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use model::worker_api::AwsCredentials;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Session, Variables};
use crate::error::{Error, Result};

const HEAD_MAX_BYTES: usize = 16 * 1024;
/// A request that does not come to its end holds nobody up.
const PATIENCE: Duration = Duration::from_secs(10);
/// SDKs ask again some minutes before the end.
const AHEAD: TimeDelta = TimeDelta::minutes(15);
const PATH: &str = "/credentials";

pub(crate) struct Renewal {
    listener: TcpListener,
    port: u16,
    token: String,
}

impl Renewal {
    pub(crate) async fn open() -> Result<Self> {
        let failed = |error: std::io::Error| Error::Local(format!("no port on loopback: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, port, token: random()? })
    }

    /// In the place of keys, which every SDK would take first.
    pub(crate) fn replace_keys(&self, variables: &mut Variables) {
        for name in [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_CREDENTIAL_EXPIRATION",
        ] {
            variables.set.remove(name);
            variables.unset.push(name.to_owned());
        }
        let url = format!("http://127.0.0.1:{}{PATH}", self.port);
        for (name, value) in [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", self.token.clone()),
        ] {
            variables.unset.retain(|other| other != name);
            variables.set.insert(name.to_owned(), value);
        }
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self, session: &Session, now: fn() -> DateTime<Utc>) -> Infallible {
        let mut held = session.begun.credentials.clone();
        loop {
            let Ok((mut stream, _)) = self.listener.accept().await else { continue };
            let head = tokio::time::timeout(PATIENCE, head(&mut stream)).await;
            let answer = match head {
                Ok(Some(head)) if is_ours(&head, &self.token) => {
                    if held.expires_at - now() < AHEAD {
                        match session.renew().await {
                            Ok(fresh) => held = fresh,
                            // those at hand may still be good
                            Err(error) if held.expires_at <= now() => {
                                reply(&mut stream, "503 Service Unavailable", &failure(&error))
                                    .await;
                                continue;
                            }
                            Err(_) => {}
                        }
                    }
                    ("200 OK", told(&held))
                }
                Ok(Some(_)) => ("401 Unauthorized", "{}".to_owned()),
                Ok(None) | Err(_) => ("400 Bad Request", "{}".to_owned()),
            };
            reply(&mut stream, answer.0, &answer.1).await;
        }
    }
}

fn told(credentials: &AwsCredentials) -> String {
    json!({
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token,
        "Expiration": credentials.expires_at,
    })
    .to_string()
}

fn failure(error: &Error) -> String {
    json!({ "code": "Unavailable", "message": error.to_string() }).to_string()
}

/// The request up to its empty line.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut part = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut part).await.ok().filter(|read| *read > 0)?;
        head.extend_from_slice(&part[..read]);
        if head.len() > HEAD_MAX_BYTES {
            return None;
        }
    }
    String::from_utf8(head).ok()
}

fn is_ours(head: &str, token: &str) -> bool {
    let mut lines = head.lines();
    let asks = lines.next().is_some_and(|line| {
        let mut words = line.split(' ');
        words.next() == Some("GET") && words.next() == Some(PATH)
    });
    let shows = lines.any(|line| {
        line.split_once(':').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("authorization") && value.trim() == token
        })
    });
    asks && shows
}

async fn reply(stream: &mut TcpStream, status: &str, body: &str) {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncache-control: no-store\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    // whoever hung up asks again
    if stream.write_all(text.as_bytes()).await.is_ok() {
        let _ = stream.shutdown().await;
    }
}

/// 32 bytes from the system, in hexadecimal.
fn random() -> Result<String> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| Error::Local(format!("/dev/urandom: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_shows_the_token_is_answered() {
        let asked = |line: &str, header: &str| {
            is_ours(&format!("{line}\r\nhost: x\r\n{header}\r\n\r\n"), "s3cret")
        };
        assert!(asked("GET /credentials HTTP/1.1", "Authorization: s3cret"));
        assert!(asked("GET /credentials HTTP/1.1", "authorization:s3cret"));
        for (line, header) in [
            ("GET /credentials HTTP/1.1", "authorization: other"),
            ("GET /credentials HTTP/1.1", "x-authorization: s3cret"),
            ("GET / HTTP/1.1", "authorization: s3cret"),
            ("POST /credentials HTTP/1.1", "authorization: s3cret"),
        ] {
            assert!(!asked(line, header), "{line} {header}");
        }
    }

    #[test]
    fn a_token_is_long_and_another_each_time() {
        let (one, other) = (random().unwrap(), random().unwrap());
        assert!(one.len() == 64 && one != other);
    }

    #[test]
    fn the_keys_give_way_to_the_address() {
        let mut variables = Variables {
            set: [("AWS_ACCESS_KEY_ID".to_owned(), "ASIA".to_owned())].into(),
            unset: vec!["AWS_CONTAINER_AUTHORIZATION_TOKEN".into()],
        };
        let renewal = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(Renewal::open())
            .unwrap();
        renewal.replace_keys(&mut variables);
        assert!(!variables.set.contains_key("AWS_ACCESS_KEY_ID"));
        assert!(variables.unset.contains(&"AWS_SESSION_TOKEN".to_owned()));
        assert_eq!(variables.set["AWS_CONTAINER_AUTHORIZATION_TOKEN"], renewal.token);
        assert!(!variables.unset.contains(&"AWS_CONTAINER_AUTHORIZATION_TOKEN".to_owned()));
    }
}
