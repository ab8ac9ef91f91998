//! A mail server that takes mail and delivers none (RFC 5321, RFC 4954 for the login).

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::{Running, listen};
use crate::Error;

/// A mail that it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// Headers and body as they came, lines ended by a single line feed.
    pub text: String,
}

impl Mail {
    /// A header's value, its folded lines joined.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.text.split("\n\n").next().unwrap_or_default().replace("\n ", " ");
        let line = head
            .lines()
            .find(|line| line.split(':').next().is_some_and(|it| it.eq_ignore_ascii_case(name)))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    }
}

/// How it takes mail from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Fine,
    /// 451 to each mail.
    Later,
    /// 550 to each address.
    Never,
}

struct Shared {
    login: Option<(String, String)>,
    mood: Mutex<Mood>,
    mails: Mutex<Vec<Mail>>,
    /// Mails that were offered, taken or not.
    offered: watch::Sender<usize>,
}

pub struct Smtp {
    port: u16,
    shared: Arc<Shared>,
    _running: Running,
}

impl Smtp {
    /// `login`: a name and a password without which nothing is taken.
    pub async fn start(login: Option<(&str, &str)>) -> Result<Self, Error> {
        let (listener, address) = listen().await?;
        let shared = Arc::new(Shared {
            login: login.map(|(name, password)| (name.to_owned(), password.to_owned())),
            mood: Mutex::default(),
            mails: Mutex::default(),
            offered: watch::Sender::new(0),
        });
        let talks = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&talks);
                // a client that leaves in the middle ends its own talk
                tokio::spawn(async move { Talk::new(stream, shared).run().await.is_ok() });
            }
        });
        Ok(Self { port: address.port(), shared, _running: Running(task.abort_handle()) })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn set(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.shared.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many mails were offered.
    pub async fn wait_for(&self, mails: usize) {
        let mut offered = self.shared.offered.subscribe();
        // the sender lives as long as this server does
        let _ = offered.wait_for(|count| *count >= mails).await;
    }
}

struct Talk {
    stream: BufReader<TcpStream>,
    shared: Arc<Shared>,
    /// Nothing is taken before the login, where one is wanted.
    let_in: bool,
    from: String,
    to: Vec<String>,
}

impl Talk {
    fn new(stream: TcpStream, shared: Arc<Shared>) -> Self {
        let let_in = shared.login.is_none();
        Self { stream: BufReader::new(stream), shared, let_in, from: String::new(), to: Vec::new() }
    }

    async fn run(mut self) -> std::io::Result<()> {
        self.say("220 mail.example.com ESMTP").await?;
        while let Some(line) = self.line().await? {
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => {
                    self.say("250-mail.example.com").await?;
                    if self.shared.login.is_some() {
                        self.say("250-AUTH PLAIN").await?;
                    }
                    self.say("250 8BITMIME").await?;
                }
                "AUTH" => self.log_in(rest).await?,
                "MAIL" if !self.let_in => self.say("530 5.7.0 Authentication required").await?,
                "MAIL" => self.mail(rest).await?,
                "RCPT" if self.mood() == Mood::Never => self.say("550 5.1.1 No such user").await?,
                "RCPT" => {
                    self.to.push(address(rest));
                    self.say("250 2.1.5 Ok").await?;
                }
                "DATA" => self.data().await?,
                "NOOP" | "RSET" => self.say("250 Ok").await?,
                "QUIT" => return self.say("221 Bye").await,
                _other => self.say("502 5.5.1 What?").await?,
            }
        }
        Ok(())
    }

    fn mood(&self) -> Mood {
        *self.shared.mood.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn log_in(&mut self, rest: &str) -> std::io::Result<()> {
        let given = rest.strip_prefix("PLAIN ").and_then(|text| STANDARD.decode(text).ok());
        let wanted = self.shared.login.as_ref();
        let wanted = wanted.map(|(name, password)| format!("\0{name}\0{password}").into_bytes());
        self.let_in = given.is_some() && given == wanted;
        match self.let_in {
            true => self.say("235 2.7.0 Welcome").await,
            false => self.say("535 5.7.8 Bad credentials").await,
        }
    }

    async fn mail(&mut self, rest: &str) -> std::io::Result<()> {
        self.from = address(rest);
        self.to.clear();
        match self.mood() {
            Mood::Fine => self.say("250 2.1.0 Ok").await,
            Mood::Later => {
                self.shared.offered.send_modify(|count| *count += 1);
                self.say("451 4.3.0 Come back later").await
            }
            Mood::Never => {
                self.shared.offered.send_modify(|count| *count += 1);
                self.say("250 2.1.0 Ok").await
            }
        }
    }

    async fn data(&mut self) -> std::io::Result<()> {
        self.say("354 Go on").await?;
        let mut lines = Vec::new();
        while let Some(line) = self.line().await? {
            if line == "." {
                let text = lines.join("\n");
                let mail = Mail { from: self.from.clone(), to: self.to.clone(), text };
                self.shared.mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                self.say("250 2.0.0 Ok").await?;
                self.shared.offered.send_modify(|count| *count += 1);
                return Ok(());
            }
            lines.push(line.strip_prefix('.').unwrap_or(&line).to_owned());
        }
        Ok(())
    }

    async fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).await?;
        Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
    }

    async fn say(&mut self, line: &str) -> std::io::Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await
    }
}

/// `FROM:<ann@example.com> BODY=8BITMIME`
fn address(rest: &str) -> String {
    let inner = rest.split_once('<').and_then(|(_, inner)| inner.split_once('>'));
    inner.map(|(address, _)| address.to_owned()).unwrap_or_default()
}
