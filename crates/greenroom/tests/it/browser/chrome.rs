//! A headless Chromium, driven over WebDriver. `script/test` installs both from Debian.

use std::process::Stdio;
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::pace::Pace;
use crate::server::{client, until};

/// How long a page may take to show what it is asked for.
const PATIENCE: Duration = Duration::from_secs(300);
/// Pixels. A longer page is cut.
const TALLEST_PICTURE: u64 = 2400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    On,
    /// As somebody sees the pages who allows none.
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Phone,
    Laptop,
    Wide,
}

impl Size {
    pub(crate) fn pixels(self) -> (u32, u32) {
        match self {
            Self::Phone => (390, 844),
            Self::Laptop => (1280, 800),
            Self::Wide => (1600, 1000),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    Light,
    Dark,
}

/// The driver and the browser that it started, which share a process group.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(group) = self.0.id() {
            let _ = killpg(Pid::from_raw(group.cast_signed()), Signal::SIGKILL);
        }
    }
}

pub(crate) struct Browser {
    pub(crate) page: Client,
    pub(crate) script: Script,
    /// Where paths begin.
    home: String,
    _driver: Driver,
    _profile: TempDir,
}

impl Browser {
    /// A browser of its own on this server.
    pub(crate) async fn open(home: &str, script: Script) -> Self {
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let profile = TempDir::with_prefix("greenroom-browser-").unwrap();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is missing: run script/test, which installs it");
        let driver = Driver(driver);
        let address = format!("http://127.0.0.1:{port}");
        let http = client();
        until("chromedriver to be ready", async || {
            let answer = http.get(format!("{address}/status")).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        let allowed = match script {
            Script::On => 1,
            Script::Off => 2,
        };
        let capabilities = json!({
            "goog:chromeOptions": {
                "args": [
                    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
                    "--no-first-run", "--disable-background-networking",
                    "--disable-component-update", "--disable-sync", "--window-size=1280,800",
                    // what turns while a build runs is drawn sixty times a second, by the processor
                    "--force-prefers-reduced-motion",
                    format!("--user-data-dir={}", profile.path().display()),
                ],
                "prefs": { "profile.managed_default_content_settings.javascript": allowed },
            },
        });
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&address)
            .await
            .unwrap();
        Self { page, script, home: home.to_owned(), _driver: driver, _profile: profile }
    }

    /// From now on, on every page.
    pub(crate) async fn looks(&self, size: Size, theme: Theme) {
        let (_, height) = size.pixels();
        self.is_sized(size, height.into()).await;
        let scheme = match theme {
            Theme::Light => "light",
            Theme::Dark => "dark",
        };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            // what moves is never seen twice the same
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.tell("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    async fn is_sized(&self, size: Size, height: u64) {
        let (width, _) = size.pixels();
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == Size::Phone,
        });
        self.tell("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    async fn tell(&self, command: &'static str, parameters: Value) -> Value {
        self.page.issue_cmd(DevTools { command, parameters }).await.unwrap()
    }

    pub(crate) async fn goto(&self, path: &str) {
        self.page.goto(&format!("{}{path}", self.home)).await.unwrap();
    }

    /// The path of the page that is shown, with its query.
    pub(crate) async fn path(&self) -> String {
        let url = self.page.current_url().await.unwrap();
        match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        }
    }

    pub(crate) async fn element(&self, selector: &str) -> Element {
        let wait = self.page.wait().at_most(PATIENCE);
        match wait.for_element(Locator::Css(selector)).await {
            Ok(element) => element,
            Err(error) => self.lost(&format!("no {selector}: {error}")).await,
        }
    }

    pub(crate) async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        if let Err(error) = element.click().await {
            self.lost(&format!("{selector} cannot be clicked: {error}")).await;
        }
    }

    /// Follows a link or sends a form by its button, and waits until another page is there.
    pub(crate) async fn submit(&self, selector: &str) {
        let element = self.element(selector).await;
        self.evaluate("window.isLeft = false").await;
        if let Err(error) = element.click().await {
            self.lost(&format!("{selector} cannot be clicked: {error}")).await;
        }
        let left = async {
            // between two pages there is none to ask
            let ask = "return document.readyState === 'complete' && window.isLeft === undefined";
            let mut pace = Pace::begin();
            while self.page.execute(ask, Vec::new()).await.ok() != Some(Value::Bool(true)) {
                pace.turn().await;
            }
        };
        if tokio::time::timeout(PATIENCE, left).await.is_err() {
            self.lost(&format!("{selector} leads nowhere")).await;
        }
    }

    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        element.clear().await.unwrap();
        element.send_keys(text).await.unwrap();
    }

    pub(crate) async fn text(&self, selector: &str) -> String {
        self.element(selector).await.text().await.unwrap()
    }

    /// Waits until the element shows the text, as it does where a script brings what is new.
    pub(crate) async fn shows(&self, selector: &str, text: &str) {
        let shown = async {
            let mut pace = Pace::begin();
            loop {
                pace.turn().await;
                let element = self.page.find(Locator::Css(selector)).await;
                // the page may put a new element in its place at any moment
                if let Ok(element) = element
                    && element.text().await.is_ok_and(|shown| shown.contains(text))
                {
                    break;
                }
            }
        };
        if tokio::time::timeout(PATIENCE, shown).await.is_err() {
            self.lost(&format!("{selector} never shows {text:?}")).await;
        }
    }

    /// What a script that the page itself could run answers.
    pub(crate) async fn evaluate(&self, script: &str) -> Value {
        self.page.execute(script, Vec::new()).await.unwrap()
    }

    /// The page from its beginning, not only what a window of this size shows of it, as PNG.
    pub(crate) async fn picture(&self, size: Size) -> Vec<u8> {
        let height = self.evaluate("return document.documentElement.scrollHeight").await;
        self.is_sized(size, height.as_u64().unwrap().min(TALLEST_PICTURE)).await;
        self.page.screenshot().await.unwrap()
    }

    async fn lost(&self, what: &str) -> ! {
        let (path, source) = (self.path().await, self.page.source().await.unwrap());
        panic!("{path}: {what}: {source}");
    }

    pub(crate) async fn close(self) {
        self.page.clone().close().await.unwrap();
    }
}

/// A command of Chromium's own protocol, which WebDriver hands through.
#[derive(Debug)]
struct DevTools {
    command: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        let body = json!({ "cmd": self.command, "params": self.parameters });
        (Method::POST, Some(body.to_string()))
    }
}

/// What joining an address may answer; the library's own name for it is not re-exported.
type ParseError = <Url as std::str::FromStr>::Err;
