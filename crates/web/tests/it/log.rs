//! A log on its page: the lines that are shown, groups, ranges, search, and what it must not do.

use model::worker_api::{GroupEnd, GroupKind, GroupOutcome, LogGroup, LogHead};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::job::{Story, succeeded};
use crate::support::{EMBEDDED, Server};

struct Job<'a> {
    server: &'a Server,
    job: Value,
}

impl Job<'_> {
    fn id(&self) -> &str {
        self.job["job"].as_str().unwrap()
    }

    /// Sends a chunk with what is told beside it.
    async fn log(&self, seq: i64, groups: Vec<LogGroup>, prelude: &str, text: &str) -> StatusCode {
        let head = LogHead { prelude: prelude.into(), groups };
        let head = serde_json::to_vec(&head).unwrap();
        let (attempt, length) = (&self.job["attempt"], head.len());
        let call =
            format!("/worker/v1/jobs/{}/log?attempt={attempt}&seq={seq}&head={length}", self.id());
        let body = [head.as_slice(), text.as_bytes()].concat();
        let call = self.server.post(&call).bearer_auth(EMBEDDED).body(body);
        call.send().await.unwrap().status()
    }

    async fn get(&self, path: &str) -> String {
        let answer = self.server.get(&format!("/jobs/{}/{path}", self.id())).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    async fn page(&self, more: &str) -> String {
        let path = format!("/apps/workshop/builds/1?job={}{more}", self.id());
        let answer = self.server.get(&path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }
}

fn step(ordinal: u32, name: &str, first: u64, end: Option<(u64, GroupOutcome)>) -> LogGroup {
    let end = end.map(|(last_line, outcome)| GroupEnd { last_line, outcome, took_ms: 1500 });
    let name = name.to_owned().into();
    LogGroup { ordinal, kind: GroupKind::Step, name, first_line: first, end }
}

/// The whole of `<details id="…">`, its tag too.
fn group<'a>(page: &'a str, id: &str) -> (&'a str, &'a str) {
    let at = page.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no {id}: {page}"));
    let begin = page[..at].rfind('<').unwrap();
    let (tag, inside) = page[begin..].split_once('>').unwrap();
    (tag, inside.split("</details>").next().unwrap())
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_failed_steps_group_is_open_and_a_succeeded_one_is_not(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let _story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    let job = Job { server: &server, job: worker.job().await };
    let groups = vec![
        step(0, "npm ci", 2, Some((4, GroupOutcome::Succeeded))),
        step(1, "npm <test>", 5, None),
    ];
    let text = "▶ source\n▶ npm ci\nadded 1\nadded 2\n▶ npm test\nexpected 1\n";
    assert_eq!(job.log(0, groups, "", text).await, StatusCode::NO_CONTENT);
    let running = job.page("").await;
    let (tag, inside) = group(&running, "g1-1");
    assert!(tag.contains(" open") && inside.contains("running"), "{tag} {inside}");
    let failed = vec![step(1, "npm <test>", 5, Some((7, GroupOutcome::Failed)))];
    job.log(1, failed, "", "got 2\n▶ failed\n").await;
    let outcome = json!({ "outcome": "failed", "kind": "step", "message": "npm test failed" });
    let status = worker.finish(&job.job, outcome, Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);

    let page = job.page("").await;
    let (tag, inside) = group(&page, "g1-0");
    assert!(!tag.contains(" open"), "{tag}");
    assert!(inside.contains("succeeded") && inside.contains("1.5 s"), "{inside}");
    assert!(inside.contains("2 lines") && inside.contains("id=\"L4\""), "{inside}");
    let (tag, inside) = group(&page, "g1-1");
    assert!(tag.contains(" open") && tag.contains("data-from=\"5\" data-to=\"7\""), "{tag}");
    assert!(inside.contains("npm &#60;test&#62;") && inside.contains("failed"), "{inside}");
    assert!(inside.contains("got 2</code>") && !inside.contains("▶ failed"), "{inside}");
    // a link to a line opens the group that holds it
    let linked = job.page("&lines=3").await;
    assert!(group(&linked, "g1-0").0.contains(" open"), "{linked}");
    // what is told beside the log is not in it
    let raw = job.get("log.txt").await;
    assert_eq!(raw, format!("{text}got 2\n▶ failed\n"));
    let file = server.get(&format!("/jobs/{}/log.txt?download=true", job.id()));
    let kept = file.send().await.unwrap();
    assert!(kept.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn of_a_long_log_a_page_shows_a_little_and_any_line_can_be_asked_for(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let _story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    let job = Job { server: &server, job: worker.job().await };
    let whole: String = (1..=20_000).map(|n| format!("line number {n}\n")).collect();
    let whole = whole + "tail";
    let pieces = whole.as_bytes().chunks(40_001);
    for (seq, piece) in (0..).zip(pieces) {
        job.log(seq, Vec::new(), "", std::str::from_utf8(piece).unwrap()).await;
    }
    worker.finish(&job.job, succeeded(), Value::Null).await;
    let page = job.page("").await;
    assert!(page.contains("20,001") && page.len() < 60_000, "{}", page.len());
    let shown = page.matches("id=\"L").count();
    assert!((100..=200).contains(&shown), "{shown}");
    assert!(page.contains("id=\"L20000\"") && !page.contains("id=\"L1\""));
    let middle = job.page("&lines=9000-9010").await;
    assert!(middle.contains("id=\"L9000\"") && middle.contains("id=\"L9010\""));
    assert!(middle.contains("data-from=\"1\" data-to=\"8989\""), "the rest is behind links");

    let lines = job.get("log/lines?from=4000&to=4002").await;
    assert_eq!(lines.matches("class=\"line\"").count(), 3, "{lines}");
    assert!(lines.contains(">line number 4000</code>"), "{lines}");
    assert!(lines.contains("id=\"L4002\""), "{lines}");
    assert_eq!(job.get("log/lines?from=30000&to=30100").await.trim(), "");
    let text = job.get("log/text?from=19999&to=20001").await;
    assert!(text.ends_with("line number 20000\ntail\n"), "{text}");
    for bad in ["from=0&to=1", "from=5&to=4", "from=1&to=100000", "from=x&to=1"] {
        let path = format!("/jobs/{}/log/lines?{bad}", job.id());
        let status = server.get(&path).send().await.unwrap().status();
        assert!(status.is_client_error(), "{bad}: {status}");
    }
    let path = format!("/apps/workshop/builds/1?job={}&lines=a-b", job.id());
    assert!(server.get(&path).send().await.unwrap().status().is_client_error());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_whole_log_is_searched_and_each_hit_is_a_link(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let _story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    let job = Job { server: &server, job: worker.job().await };
    let lines = (1..=3000).map(|n| {
        if n % 40 == 0 { format!("an \x1b[31mERR\x1b[0mor <{n}>\n") } else { "fine\n".into() }
    });
    job.log(0, Vec::new(), "", &lines.collect::<String>()).await;
    let found: Value = serde_json::from_str(&job.get("log/find?find=error").await).unwrap();
    assert_eq!(found["lines"].as_array().unwrap().len(), 75);
    assert_eq!((&found["lines"][1], &found["more"]), (&80.into(), &false.into()));
    let page = job.page("&find=error").await;
    assert!(page.contains("The first 50 lines"), "{page}");
    assert!(
        page.contains("&#38;find=error&#38;lines=80#L80")
            || page.contains("find=error&amp;lines=80#L80"),
        "{page}"
    );
    assert!(page.contains("an ERRor &#60;80&#62;"), "{page}");
    let further = job.page("&find=error&found=2000").await;
    assert!(further.contains("25 further lines"), "{further}");
    let nothing = job.page("&find=%3Cscript%3E").await;
    assert!(nothing.contains("No line has it."), "{nothing}");
    assert!(nothing.contains("value=\"&#60;script&#62;\""), "{nothing}");
    assert_eq!(job.get("log/find?find=%20").await, "{\"lines\":[],\"more\":false}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_look_reaches_over_lines_and_chunks_and_nothing_reaches_the_page_as_html(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let _story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    let job = Job { server: &server, job: worker.job().await };
    job.log(0, Vec::new(), "", "\x1b[1;38;5;196mone\n").await;
    job.log(1, Vec::new(), "\x1b[1;38;2;255;0;0m", "two\nthree <img src=x onerror=alert(1)>\n")
        .await;
    job.log(2, Vec::new(), "", "\x1b]8;;javascript:alert(1)\x07\"><script>x</script>\r\n10%\r99%")
        .await;
    let three = job.get("log/lines?from=3&to=3").await;
    assert!(three.contains("<span class=\"fx frf fg0 fb0 bold\">three &lt;img"), "{three}");
    let page = job.page("").await;
    assert!(!page.contains("<img src=x") && !page.contains("<script>x"), "{page}");
    assert!(!page.contains("javascript:"), "{page}");
    assert!(page.contains("class=\"line tail\" id=\"tail\">"), "{page}");
    assert!(
        page.contains("99%</span>") || page.contains("99%</code>"),
        "the line being written is shown"
    );
    assert!(!page.contains("10%"), "{page}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_head_that_no_worker_sends_is_refused(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let _story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    let job = Job { server: &server, job: worker.job().await };
    for bad in [step(2000, "x", 1, None), step(0, "x", 0, None)] {
        let status = job.log(0, vec![bad], "", "text\n").await;
        assert!(status.is_client_error(), "{status}");
    }
    for head in ["head=99", "head=2"] {
        let call =
            format!("/worker/v1/jobs/{}/log?attempt={}&seq=0&{head}", job.id(), job.job["attempt"]);
        let call = server.post(&call).bearer_auth(EMBEDDED).body("text");
        assert!(call.send().await.unwrap().status().is_client_error(), "{head}");
    }
    assert_eq!(job.get("log.txt").await, "");
}

/// Reads the stream until it says this.
async fn hear(stream: &mut reqwest::Response, wanted: &str) -> String {
    let mut heard = String::new();
    while !heard.contains(wanted) {
        let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
        heard.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    heard
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_stream_puts_lines_into_their_groups_and_shows_the_line_being_written(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let _story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    let job = Job { server: &server, job: worker.job().await };
    let path = format!("/live/jobs/{}?from=0", job.id());
    let mut stream = server.get(&path).send().await.unwrap();
    let begun = vec![step(0, "npm test", 2, None)];
    job.log(0, begun, "", "▶ source\n▶ npm test\none\n50%").await;
    let heard = hear(&mut stream, "\"tail\":\"50%\"").await;
    let heading = heard.find("\"group\":\"g1-0\"").unwrap();
    assert!(heard.find("▶ source").unwrap() < heading, "{heard}");
    assert!(heading < heard.find("\"in\":\"g1-0\"").unwrap(), "{heard}");
    assert!(heard.contains("\"new\":true") && heard.contains("\"from\":3"), "{heard}");
    assert!(!heard.contains("▶ npm test"), "its heading is the group's: {heard}");

    let ended = vec![step(0, "npm test", 2, Some((4, GroupOutcome::Failed)))];
    job.log(1, ended, "", "\r99%\n▶ failed\n").await;
    let heard = hear(&mut stream, "▶ failed").await;
    assert!(heard.contains("\"from\":4,\"html\"") && heard.contains("\"in\":\"g1-0\""), "{heard}");
    assert!(heard.contains("99%") && !heard.contains("50%"), "{heard}");
    let outside = heard.find("\"in\":\"\"").unwrap();
    assert!(heard[outside..].contains("▶ failed") || heard.contains("\"from\":5"), "{heard}");
    let heard = match heard.contains("\"new\":false") {
        true => heard,
        false => hear(&mut stream, "\"new\":false").await,
    };
    assert!(heard.contains("failed"), "{heard}");
    worker.finish(&job.job, succeeded(), Value::Null).await;
    hear(&mut stream, "event: end").await;
}
