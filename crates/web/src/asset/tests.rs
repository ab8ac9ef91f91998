//! The colours of the stylesheet, held against what people with weak eyes can read.

use std::collections::BTreeMap;

const TOKENS: &str = include_str!("../../../../static/css/tokens.css");

/// Of text (WCAG 2.2, 1.4.3, level AA).
const TEXT: f64 = 4.5;
/// Of what is no text and has to be seen all the same (1.4.11).
const SHAPE: f64 = 3.0;

const STATES: [&str; 6] = ["ok", "bad", "run", "wait", "warn", "off"];
/// What text stands on that is of no state.
const GROUNDS: [&str; 7] = ["ground", "card", "raised", "sunk", "hover", "code", "accent-soft"];

/// A colour by day and by night.
type Pair = [[u8; 3]; 2];

fn colours() -> BTreeMap<&'static str, Pair> {
    TOKENS
        .split("--")
        .filter_map(|token| {
            let (name, value) = token.split_once(": light-dark(")?;
            let (value, _) = value.split_once(')')?;
            let (day, night) = value.split_once(", ")?;
            Some((name, [rgb(day)?, rgb(night)?]))
        })
        .collect()
}

/// `None` for a colour that lets something through.
fn rgb(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    Some([part(0)?, part(2)?, part(4)?])
}

/// How light a colour is, as WCAG counts.
fn luminance(colour: [u8; 3]) -> f64 {
    let [red, green, blue] = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// What stands on what, and how much they have to differ.
fn pairs() -> Vec<(String, String, f64)> {
    let mut pairs = Vec::new();
    let mut pair = |front: &str, back: &str, least: f64| {
        pairs.push((front.to_owned(), back.to_owned(), least));
    };
    for ground in GROUNDS {
        for text in ["text", "quiet", "link"] {
            pair(text, ground, TEXT);
        }
    }
    for state in STATES {
        let (soft, edge, solid) =
            (format!("{state}-soft"), format!("{state}-edge"), format!("{state}-solid"));
        for ground in ["ground", "card", "raised", "hover", &soft] {
            pair(state, ground, TEXT);
        }
        for text in ["text", "quiet", "link"] {
            pair(text, &soft, TEXT);
        }
        pair("on-solid", &solid, TEXT);
        for shape in [&edge, &solid] {
            pair(shape, "card", SHAPE);
            pair(shape, "ground", SHAPE);
        }
    }
    pair("on-accent", "accent", TEXT);
    for shape in ["line-strong", "focus"] {
        pair(shape, "card", SHAPE);
        pair(shape, "ground", SHAPE);
    }
    for ground in ["log", "log-hover", "log-target", "log-hit", "log-hit-now"] {
        pair("log-text", ground, TEXT);
    }
    pair("log-quiet", "log", TEXT);
    pair("log-quiet", "log-hover", TEXT);
    pairs
}

#[test]
fn every_colour_can_be_read_on_what_it_stands_on_by_day_and_by_night() {
    let colours = colours();
    for (front, back, least) in pairs() {
        let of = |name: &str| colours.get(name).unwrap_or_else(|| panic!("no token --{name}"));
        for (time, (front_then, back_then)) in
            ["day", "night"].into_iter().zip(of(&front).iter().zip(of(&back)))
        {
            let found = contrast(*front_then, *back_then);
            assert!(found >= least, "--{front} on --{back} by {time}: {found:.2} < {least}");
        }
    }
}

/// Red and green as they look to somebody without the one or the other kind of cone (Viénot,
/// Brettel and Mollon 1999, in linear light).
fn seen(colour: [u8; 3], blind_to_green: bool) -> [f64; 3] {
    let [red, green, blue] = colour.map(|part| (f64::from(part) / 255.0).powf(2.2));
    let (of_red, of_green) =
        if blind_to_green { (0.292_75, 0.707_25) } else { (0.112_38, 0.887_62) };
    let yellow = of_red * red + of_green * green;
    let rest = if blind_to_green { -0.022_34 } else { 0.004_01 };
    [yellow, yellow, rest * red - rest * green + blue]
}

#[test]
fn what_went_well_and_what_failed_differ_for_eyes_that_mix_red_and_green() {
    let colours = colours();
    for [ok, bad] in
        ["", "-edge", "-solid"].map(|kind| ["ok", "bad"].map(|one| format!("{one}{kind}")))
    {
        for time in [0, 1] {
            for blind_to_green in [true, false] {
                let [one, other] =
                    [&ok, &bad].map(|name| seen(colours[name.as_str()][time], blind_to_green));
                let apart: f64 = one
                    .iter()
                    .zip(other)
                    .map(|(one, other)| {
                        (one.max(0.0).powf(1.0 / 2.2) - other.max(0.0).powf(1.0 / 2.2)).powi(2)
                    })
                    .sum();
                assert!(apart.sqrt() > 0.2, "--{ok} and --{bad} look alike: {:.2}", apart.sqrt());
            }
        }
    }
}

#[test]
fn no_colour_is_named_outside_the_tokens_but_those_of_a_terminal() {
    for line in super::STYLESHEET.replacen(TOKENS, "", 1).lines() {
        // what a program asks for in its log
        let of_terminal = [".f", ".b", ".line"].iter().any(|start| line.starts_with(start));
        let names_one = |found: &str| {
            found.chars().take_while(char::is_ascii_hexdigit).count() >= 3 && !line.starts_with('#')
        };
        let named = line.split('#').skip(1).any(names_one) || line.contains("rgb(");
        assert!(of_terminal || !named, "{line}");
    }
}
