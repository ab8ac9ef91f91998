//! A line of a terminal as HTML: colours and weights become classes, all text is escaped.
//!
//! What always holds: nothing of the line reaches the page but as text; other escape sequences
//! and control characters are dropped; every `<span>` is closed.

/// What a line's text looks like from here on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Look {
    foreground: Option<u8>,
    background: Option<u8>,
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
}

impl Look {
    fn classes(self) -> String {
        let flag = |on: bool, class: &str| on.then(|| class.to_owned());
        [
            self.foreground.map(|colour| format!("f{colour}")),
            self.background.map(|colour| format!("b{colour}")),
            flag(self.bold, "bold"),
            flag(self.dim, "dim"),
            flag(self.italic, "italic"),
            flag(self.underline, "underline"),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
    }

    fn set(&mut self, codes: &str) {
        let mut codes = codes.split([';', ':']).map(|code| code.parse::<u16>().unwrap_or(0));
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                3 => self.italic = true,
                4 => self.underline = true,
                22 => (self.bold, self.dim) = (false, false),
                23 => self.italic = false,
                24 => self.underline = false,
                30..=37 => self.foreground = Some(low(code - 30)),
                38 => self.foreground = extended(&mut codes).or(self.foreground),
                39 => self.foreground = None,
                40..=47 => self.background = Some(low(code - 40)),
                48 => self.background = extended(&mut codes).or(self.background),
                49 => self.background = None,
                90..=97 => self.foreground = Some(low(code - 90 + 8)),
                100..=107 => self.background = Some(low(code - 100 + 8)),
                _ => {}
            }
        }
    }
}

fn low(code: u16) -> u8 {
    u8::try_from(code.min(15)).unwrap_or(15)
}

/// `5;n` or `2;r;g;b`, brought to the nearest of the sixteen colours.
fn extended(codes: &mut impl Iterator<Item = u16>) -> Option<u8> {
    match codes.next()? {
        5 => {
            let n = codes.next()?;
            Some(match n {
                0..=15 => low(n),
                16..=231 => {
                    let n = n - 16;
                    let level = |step: u16| if step == 0 { 0 } else { 55 + 40 * step };
                    nearest(level(n / 36), level(n / 6 % 6), level(n % 6))
                }
                _ => {
                    let grey = 8 + 10 * (n.min(255) - 232);
                    nearest(grey, grey, grey)
                }
            })
        }
        2 => Some(nearest(codes.next()?, codes.next()?, codes.next()?)),
        _ => None,
    }
}

fn nearest(r: u16, g: u16, b: u16) -> u8 {
    let brightest = r.max(g).max(b);
    let bit = |channel: u16, bit: u8| if channel * 2 > brightest { bit } else { 0 };
    match (brightest, bit(r, 1) | bit(g, 2) | bit(b, 4)) {
        (0..=63, _) => 0,
        (64..=150, 7) => 8,
        (151..=215, 7) => 7,
        (216.., 7) => 15,
        (64..=200, colour) => colour,
        (201.., colour) => colour + 8,
    }
}

/// The line as HTML. What a carriage return overwrites (a progress bar) is left out.
pub(crate) fn html(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\r');
    let text = text.rsplit('\r').next().unwrap_or("");
    let mut out = String::with_capacity(text.len() + 16);
    let (mut look, mut open) = (Look::default(), Look::default());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => escape(&mut rest, &mut look),
            '\t' => push(&mut out, c, look, &mut open),
            c if c.is_control() => {}
            c => push(&mut out, c, look, &mut open),
        }
    }
    if open != Look::default() {
        out.push_str("</span>");
    }
    out
}

fn push(out: &mut String, c: char, look: Look, open: &mut Look) {
    if look != *open {
        if *open != Look::default() {
            out.push_str("</span>");
        }
        if look != Look::default() {
            out.push_str("<span class=\"");
            out.push_str(&look.classes());
            out.push_str("\">");
        }
        *open = look;
    }
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c => out.push(c),
    }
}

/// Eats an escape sequence; one that sets the look does so.
fn escape(rest: &mut std::str::Chars<'_>, look: &mut Look) {
    match rest.next() {
        Some('[') => {
            let sequence = rest.as_str();
            let length = sequence.find(|c: char| ('@'..='~').contains(&c));
            let Some(length) = length else {
                *rest = "".chars();
                return;
            };
            if sequence[length..].starts_with('m') {
                look.set(&sequence[..length]);
            }
            // the final character of a sequence is ASCII
            *rest = sequence[length + 1..].chars();
        }
        // a title or a link: up to BEL or ESC \
        Some(']') => {
            while let Some(c) = rest.next() {
                match c {
                    '\u{7}' => return,
                    '\u{1b}' => {
                        rest.next();
                        return;
                    }
                    _ => {}
                }
            }
        }
        Some(_) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(html(b"\x1b[38;5;196mr\x1b[39m"), "<span class=\"f9\">r</span>");
        assert_eq!(html(b"\x1b[38;2;0;0;200mb\x1b[m"), "<span class=\"f4\">b</span>");
    }

    #[test]
    fn other_sequences_and_control_characters_are_dropped() {
        assert_eq!(html(b"\x1b[2Ka\x1b]0;title\x07b\x00\x08c\x1b[?25l"), "abc");
        assert_eq!(html(b"\x1b[31"), "");
        assert_eq!(html(b"\x1b"), "");
        assert_eq!(html("a\u{1b}]8;;http://x\u{1b}\\link".as_bytes()), "alink");
    }

    #[test]
    fn a_carriage_return_overwrites_the_line() {
        assert_eq!(html(b"10%\r50%\r100%\r"), "100%");
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        assert_eq!(html(&[0xff, b'a']), "\u{fffd}a");
    }
}
