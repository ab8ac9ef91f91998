//! The pages in a real browser: what a person sees while a build runs, without loading again.

use std::process::Stdio;
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tokio::process::{Child, Command};

use crate::gate::Gate;
use crate::sample::Sample;
use crate::server::{client, until};
use crate::world::World;

struct Browser {
    page: Client,
    _driver: Child,
}

impl Browser {
    async fn open() -> Self {
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is missing: run script/test, which installs it");
        let address = format!("http://127.0.0.1:{port}");
        let http = client();
        until("chromedriver to be ready", async || {
            http.get(format!("{address}/status"))
                .send()
                .await
                .ok()?
                .status()
                .is_success()
                .then_some(())
        })
        .await;
        let capabilities = json!({
            "goog:chromeOptions": {
                "args": [
                    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
                    "--no-first-run", "--disable-background-networking",
                    "--disable-component-update", "--disable-sync", "--window-size=1280,900",
                ],
            },
        });
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&address)
            .await
            .unwrap();
        Self { page, _driver: driver }
    }

    /// Waits until the element shows the text.
    async fn shows(&self, selector: &str, text: &str) {
        let shown = async {
            loop {
                let element = self.page.wait().for_element(Locator::Css(selector)).await.unwrap();
                // the page may put a new element in its place at any moment
                if element.text().await.is_ok_and(|shown| shown.contains(text)) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(60), shown).await.is_err() {
            panic!("{selector} never shows {text:?}: {}", self.page.source().await.unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_watches_a_build_from_the_board_to_its_last_line() {
    let world = World::new().await;
    let gate = Gate::closed().await;
    let check = format!(
        "console.log('\\u001b[32mbefore the gate\\u001b[0m <b>'); {}; console.log('behind the gate');",
        gate.javascript("test")
    );
    let head = world.fork_pull_request(&Sample::tested_by(&check)).await;
    gate.arrived("test", 1).await;
    let number = world.build(&format!("commit={head}")).await["number"].as_i64().unwrap();

    let browser = Browser::open().await;
    let page = &browser.page;
    page.goto(&world.server.url).await.unwrap();
    browser.shows("main", "workshop").await;
    page.goto(&format!("{}/builds", world.server.url)).await.unwrap();
    let link = format!("a[href^='/apps/workshop/builds/{number}']");
    page.find(Locator::Css(&link)).await.unwrap().click().await.unwrap();

    // the test's log, while it runs: colours are kept, markup is text
    browser.shows("#graph", "running").await;
    page.find(Locator::XPath("//a[contains(@class, 'job')][contains(., 'running')]"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    browser.shows("#lines", "before the gate <b>").await;
    let loaded =
        page.execute("return window.loaded = performance.timeOrigin", vec![]).await.unwrap();

    // what comes after is there without loading again
    gate.open();
    browser.shows("#lines", "behind the gate").await;
    browser.shows("#graph", "succeeded").await;
    let still = page.execute("return window.loaded", vec![]).await.unwrap();
    assert_eq!(loaded, still, "the page was loaded again");

    page.clone().close().await.unwrap();
    world.ends().await;
}
