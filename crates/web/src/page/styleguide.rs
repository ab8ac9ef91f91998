//! Every component in every state, by day and by night: what pages are made of, on one page.
//!
//! What always holds: a component stands here as the pages use it, by the same macros of
//! `templates/parts.html` and the same stylesheet.

use askama::Template;
use axum::extract::{Extension, State as Extract};
use axum::response::Html;
use chrono::TimeDelta;

use super::view::{Badge, Commit, Far, Time};
use super::{Shell, html};
use crate::auth::Caller;
use crate::error::Result;
use crate::state::State;

#[derive(Template)]
#[template(path = "styleguide.html")]
struct StyleguidePage {
    shell: Shell,
    themes: [&'static str; 2],
    sizes: [&'static str; 6],
    roles: [&'static str; 10],
    states: Vec<(Badge, &'static str)>,
    times: Vec<Time>,
    commits: [Commit; 2],
    fars: Vec<Far>,
    tabs: [(&'static str, &'static str, bool); 3],
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Html<String>> {
    let now = state.now();
    let states = [
        ("ok", "succeeded", "it went well, it is there"),
        ("bad", "failed", "somebody has to look"),
        ("run", "running", "something happens now"),
        ("wait", "waiting", "it goes on by itself, or when somebody decides"),
        ("warn", "drifted", "it works, and is not as it should be"),
        ("off", "canceled", "it ended without a result"),
        ("moot", "not needed", "there was nothing to do"),
    ];
    let far = |class, value, text: &str, label: &str| Far {
        class,
        value,
        max: 8,
        text: text.to_owned(),
        label: label.to_owned(),
    };
    let commit = |url: &str, title: &str| Commit {
        short: "3f2a91c".to_owned(),
        full: "3f2a91c0d4e5b6a7889910a1b2c3d4e5f6071829".to_owned(),
        url: url.to_owned(),
        title: title.to_owned(),
    };
    html(&StyleguidePage {
        shell: Shell::new("Styleguide", "").of(&caller),
        themes: ["light", "dark"],
        sizes: ["xs", "s", "m", "l", "xl", "2xl"],
        roles: [
            "ground",
            "card",
            "sunk",
            "hover",
            "line",
            "line-strong",
            "text",
            "quiet",
            "link",
            "accent-soft",
        ],
        states: states
            .into_iter()
            .map(|(class, word, meaning)| (Badge::new(class, word), meaning))
            .collect(),
        times: [TimeDelta::seconds(20), TimeDelta::minutes(7), TimeDelta::days(3)]
            .into_iter()
            .chain([-TimeDelta::hours(5)])
            .map(|ago| Time::new(now - ago, now))
            .collect(),
        commits: [
            commit("https://github.com", "Charge the card after the order is kept"),
            commit("", ""),
        ],
        fars: vec![
            far("run", 3, "3 of 8", "3 of 8 jobs ended"),
            far("run", 6, "2 min, usually 3 min", "two thirds of its usual time"),
            far("over", 8, "1 min over the usual 3 min", "longer than usual"),
            far("ok", 8, "8 of 8", "all jobs ended"),
        ],
        tabs: [("Services", "#", true), ("History", "#", false), ("Settings", "#", false)],
    })
}
