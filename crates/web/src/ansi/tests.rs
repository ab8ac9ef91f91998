//! What becomes of lines of a terminal, and that nothing of them does harm.

use proptest::prelude::*;

use super::{Row, Terminal};

fn row(line: &[u8]) -> Row {
    let mut terminal = Terminal::default();
    terminal.feed(line);
    terminal.end_line()
}

fn html(line: &[u8]) -> String {
    row(line).html(usize::MAX)
}

#[test]
fn text_is_escaped() {
    assert_eq!(
        html(b"<script>alert('x')</script> & \"y\""),
        "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;y&quot;"
    );
}

#[test]
fn colours_become_classes_and_every_span_is_closed() {
    assert_eq!(html(b"\x1b[1;31mred\x1b[0m plain"), "<span class=\"f1 bold\">red</span> plain");
    assert_eq!(html(b"\x1b[32mgreen"), "<span class=\"f2\">green</span>");
    assert_eq!(html(b"\x1b[38;5;196mr\x1b[39m"), "<span class=\"fx frf fg0 fb0\">r</span>");
    assert_eq!(html(b"\x1b[48;2;0;95;200mb\x1b[m"), "<span class=\"on bx br0 bg6 bbc\">b</span>");
    assert_eq!(html(b"\x1b[7mi"), "<span class=\"fi on bi\">i</span>");
    assert_eq!(
        html(b"\x1b[31;7mi\x1b[27mn"),
        "<span class=\"fi on b1\">i</span><span class=\"f1\">n</span>"
    );
    assert_eq!(html(b"\x1b[3;9;8ms"), "<span class=\"italic conceal strike\">s</span>");
}

#[test]
fn a_look_carries_over_to_the_next_line() {
    let mut terminal = Terminal::default();
    terminal.feed(b"\x1b[31mone");
    terminal.end_line();
    terminal.feed(b"two\x1b[0m");
    assert_eq!(terminal.end_line().html(100), "<span class=\"f1\">two</span>");
    let mut resumed = Terminal::after("\x1b[1m", b"\x1b[31mskipped\n");
    resumed.feed(b"on");
    assert_eq!(resumed.end_line().html(100), "<span class=\"f1 bold\">on</span>");
}

#[test]
fn other_sequences_and_control_characters_are_dropped() {
    assert_eq!(html(b"\x1b[2Ka\x1b]0;title\x07b\x00c\x1b[?25l\x1b[5A\x1b(B"), "abc");
    assert_eq!(html(b"\x1b[31"), "");
    assert_eq!(html(b"\x1b"), "");
    assert_eq!(html("a\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\".as_bytes()), "alink");
    assert_eq!(html("a\u{9b}31mb".as_bytes()), "a31mb");
}

#[test]
fn a_progress_bar_ends_as_it_was_seen_last() {
    assert_eq!(html(b"10%\r50%\r100%\r"), "100%");
    assert_eq!(html(b"downloading 10 MB\rdone"), "doneloading 10 MB");
    assert_eq!(html(b"downloading 10 MB\r\x1b[Kdone"), "done");
    assert_eq!(html(b"downloading\x1b[2K\x1b[1Gdone"), "done");
    assert_eq!(html(b"abc\x08\x08X\x1b[2CY"), "aXc Y");
    assert_eq!(html(b"-\x08\\\x08|\x08/"), "/");
    assert_eq!(html(b"abcdef\x1b[3D\x1b[1K"), "    ef");
    assert_eq!(html(b"line\r\n"), "line");
}

#[test]
fn bytes_that_are_no_text_and_text_that_lies_do_no_harm() {
    assert_eq!(html(&[0xff, b'a']), "\u{fffd}a");
    assert_eq!(html(&[0xe2, 0x82, b'a', 0xe2]), "\u{fffd}a\u{fffd}");
    assert_eq!(html("user\u{202e}nimda".as_bytes()), "user\u{fffd}nimda");
    let mut terminal = Terminal::default();
    "\u{20ac}".bytes().for_each(|byte| terminal.feed(&[byte]));
    assert_eq!(terminal.end_line().text(), "\u{20ac}");
}

#[test]
fn a_line_without_measure_is_cut_and_says_so() {
    let line = row(&[b'x'; 100_000]);
    let shown = line.html(usize::MAX);
    assert!(shown.ends_with(" 83616 more characters in the raw log</span>"), "{}", shown.len());
    assert!(line.html(100).len() < 200);
    assert!(html(b"\x1b[99999999Cx").len() < 1000);
    assert!(html(b"\x1b[99999999999999999999999Cx").len() < 1000);
}

/// Only our spans, closed in order; no character that could begin or leave a tag.
fn is_harmless(html: &str) -> Result<(), String> {
    let mut open = 0_i32;
    let mut rest = html;
    while let Some(at) = rest.find(['<', '>', '"', '\'']) {
        let tag = &rest[at..];
        if let Some(after) = tag.strip_prefix("</span>") {
            open -= 1;
            rest = after;
        } else if let Some(after) = tag.strip_prefix("<span class=\"") {
            let Some((classes, after)) = after.split_once("\">") else { return Err(html.into()) };
            let ours = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == ' ';
            if classes.is_empty() || !classes.chars().all(ours) {
                return Err(html.into());
            }
            open += 1;
            rest = after;
        } else {
            return Err(html.into());
        }
        if !(0..=1).contains(&open) {
            return Err(html.into());
        }
    }
    let plain = |c: char| c == '\t' || !c.is_control();
    if open == 0 && html.chars().all(plain) { Ok(()) } else { Err(html.into()) }
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20),
        "\\PC{0,10}".prop_map(String::into_bytes),
        "\x1b\\[[0-9;:?<=>]{0,20}[@-~]".prop_map(String::into_bytes),
        "\x1b\\[(38|48)[;:][25]([;:][0-9]{0,4}){0,5}m".prop_map(String::into_bytes),
        "\x1b[\\]P_^X][^\n]{0,20}(\x07|\x1b\\\\)?".prop_map(String::into_bytes),
        Just(b"\"><script>alert(1)</script>".to_vec()),
        Just(b"' onclick='x' &lt; &#60;".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\x08".to_vec()),
        Just(b"\n".to_vec()),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn whatever_a_step_prints_is_harmless_html(bytes in pieces(), longest in 0_usize..400) {
        let mut terminal = Terminal::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            terminal.feed(line);
            let row = terminal.end_line();
            for html in [row.html(usize::MAX), row.html(longest)] {
                prop_assert_eq!(is_harmless(&html), Ok(()));
            }
        }
    }

    #[test]
    fn a_line_looks_the_same_however_it_arrives(
        bytes in pieces(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(line.len() + 1)).collect();
        cuts.extend([0, line.len()]);
        cuts.sort_unstable();
        let mut terminal = Terminal::default();
        cuts.windows(2).for_each(|cut| terminal.feed(&line[cut[0]..cut[1]]));
        prop_assert_eq!(terminal.end_line().html(usize::MAX), html(line));
    }
}

/// Mutations of real sequences, far more than the properties try: a loop without a random source,
/// so a failure is found again.
#[test]
fn a_hundred_thousand_mangled_sequences_are_harmless() {
    const SEEDS: [&[u8]; 6] = [
        b"\x1b[38;2;255;100;0mtrue\x1b[0m colour",
        b"\x1b[1;31m<error>\x1b[22;39m: \"x\" & 'y'",
        b"\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x07",
        b"50%\r\x1b[K100%\x08\x08\x1b[2G\x1b[3C\x1b[4D",
        b"\xf0\x9f\x9a\x80\xe2\x80\xae</span><img src=x onerror=alert(1)>",
        b"\x1bP1$r\x1b\\\x1b_apc\x1b\\\x1b^pm\x1b\\\x1b(0\x9b31m",
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap_or(0)
    };
    for _ in 0..100_000 {
        let mut line = [SEEDS[next(6)], SEEDS[next(6)]].concat();
        for _ in 0..=next(4) {
            let at = next(line.len());
            match next(3) {
                0 => line[at] = u8::try_from(next(256)).unwrap_or(0),
                1 => drop(line.remove(at)),
                _ => line.insert(at, b"\x1b[];m<>\"'\r\x08"[next(11)]),
            }
        }
        line.retain(|byte| *byte != b'\n');
        assert_eq!(is_harmless(&html(&line)), Ok(()), "{line:?}");
    }
}
