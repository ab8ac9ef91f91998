//! A browser as the sign-in sees it: it keeps cookies and goes where it is sent, step by step.

use std::collections::BTreeMap;

use reqwest::header::SET_COOKIE;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use sqlx::postgres::PgConnectOptions;
use web::{Login, LoginClient};

use crate::support::Server;

pub(crate) const TOKEN: &str = "ghp_of_the_server";
pub(crate) const REPOSITORY: &str = "acme/workshop";

/// GitHub with the workshop's repository, and a server at which ada is the admin.
pub(crate) struct House {
    pub(crate) github: fakes::GitHub,
    pub(crate) server: Server,
}

impl House {
    pub(crate) async fn new(options: PgConnectOptions) -> Self {
        Self::with(options, &["ada"]).await
    }

    pub(crate) async fn with(options: PgConnectOptions, admins: &[&str]) -> Self {
        let github = fakes::GitHub::builder().token(TOKEN).start().await.unwrap();
        github.repo(REPOSITORY).create("master").await.unwrap();
        for login in ["ada", "grace", "linus"] {
            github.user(login);
        }
        let mut login = login();
        login.roles.admins = admins.iter().map(|name| name.parse().unwrap()).collect();
        let server = Server::with_login(options, github.url(), Some(TOKEN), login).await;
        server.workshop().await;
        Self { github, server }
    }

    /// Signed in as this person.
    pub(crate) async fn browser(&self, login: &str) -> Browser<'_> {
        let mut browser = Browser::new(&self.server);
        let answer = self.sign_in(&mut browser, login, "/").await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        browser
    }

    /// All the way to GitHub and back.
    pub(crate) async fn sign_in(
        &self,
        browser: &mut Browser<'_>,
        login: &str,
        back: &str,
    ) -> Response {
        let callback = self.to_github(browser, login, back).await;
        browser.get(&callback).await
    }

    /// Where GitHub sends the browser back to, as a path.
    pub(crate) async fn to_github(
        &self,
        browser: &mut Browser<'_>,
        login: &str,
        back: &str,
    ) -> String {
        self.github.set_consent(fakes::Consent::As { login: login.to_owned() });
        let asked = browser.post("/login/github", &[("back", back)]).await;
        assert_eq!(asked.status(), StatusCode::SEE_OTHER);
        self.through_github(&location(&asked)).await
    }

    pub(crate) async fn through_github(&self, url: &str) -> String {
        let answer = Server::client().get(url).send().await.unwrap();
        let back = location(&answer);
        let path = back.strip_prefix("https://ci.example.com");
        path.unwrap_or_else(|| panic!("GitHub leads to {back}")).to_owned()
    }
}

pub(crate) fn login() -> Login {
    let client = LoginClient::Configured {
        id: fakes::CLIENT_ID.into(),
        secret: fakes::CLIENT_SECRET.into(),
    };
    Login { client, ..Login::default() }
}

pub(crate) fn location(answer: &Response) -> String {
    let to = answer.headers().get("location");
    to.unwrap_or_else(|| panic!("{} leads nowhere", answer.status())).to_str().unwrap().to_owned()
}

pub(crate) struct Browser<'a> {
    server: &'a Server,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(server: &'a Server) -> Self {
        Self { server, cookies: BTreeMap::new() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Response {
        let request = self.server.request(Method::GET, path);
        self.send(request).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Response {
        let request = self.server.request(Method::POST, path).form(form);
        self.send(request.header("sec-fetch-site", "same-origin")).await
    }

    pub(crate) async fn page(&mut self, path: &str) -> (StatusCode, String) {
        let answer = self.get(path).await;
        (answer.status(), answer.text().await.unwrap())
    }

    pub(crate) async fn send(&mut self, request: RequestBuilder) -> Response {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, text)| format!("{name}={text}")).collect();
        let request = request.header("accept", "text/html").header("cookie", cookies.join("; "));
        let answer = request.header("user-agent", "a test's browser").send().await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, text) = pair.split_once('=').unwrap();
            match text {
                "" => drop(self.cookies.remove(name)),
                text => drop(self.cookies.insert(name.to_owned(), text.to_owned())),
            }
        }
        answer
    }
}
