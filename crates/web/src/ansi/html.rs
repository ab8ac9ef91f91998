//! A line as HTML. A colour that no theme names is written with four bits a channel, as three
//! classes: 96 rules of the stylesheet hold 4096 colours, and no style attribute is needed.

use model::terminal::{Look, Weight};

use super::screen::{Ink, Row};

impl Row {
    /// The line, in about `longest` bytes at most; what does not fit is counted.
    pub(crate) fn html(&self, longest: usize) -> String {
        let mut out = String::with_capacity(self.cells.len() + 16);
        let mut open = Look::PLAIN;
        let mut shown = 0;
        // blanks at the end are of the terminal
        let cells = self.cells.as_slice();
        let visible = cells.iter().rposition(|cell| cell.char != ' ' || cell.look != Look::PLAIN);
        for cell in &cells[..visible.map_or(0, |last| last + 1)] {
            if out.len() >= longest {
                break;
            }
            if cell.look != open {
                close(&mut out, open);
                if cell.look != Look::PLAIN {
                    out.push_str("<span class=\"");
                    let (ink, ground) = cell.inks();
                    write_classes(&mut out, cell.look, ink, ground);
                    out.push_str("\">");
                }
                open = cell.look;
            }
            escape(&mut out, cell.char);
            shown += 1;
        }
        close(&mut out, open);
        let hidden = visible.map_or(0, |last| last + 1) - shown + self.beyond;
        if hidden > 0 {
            out.push_str(&format!(
                "<span class=\"cut\"> … {hidden} more characters in the raw log</span>"
            ));
        }
        out
    }
}

fn close(out: &mut String, open: Look) {
    if open != Look::PLAIN {
        out.push_str("</span>");
    }
}

fn escape(out: &mut String, char: char) {
    match char {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        char => out.push(char),
    }
}

fn write_classes(out: &mut String, look: Look, ink: Ink, ground: Ink) {
    let mut classes: Vec<String> = Vec::new();
    match ink {
        Ink::Text => {}
        Ink::Ground => classes.push("fi".into()),
        Ink::Named(n) => classes.push(format!("f{}", n.min(15))),
        Ink::Exact(r, g, b) => {
            classes.push(format!("fx fr{:x} fg{:x} fb{:x}", four(r), four(g), four(b)));
        }
    }
    match ground {
        Ink::Ground => {}
        Ink::Text => classes.push("on bi".into()),
        Ink::Named(n) => classes.push(format!("on b{}", n.min(15))),
        Ink::Exact(r, g, b) => {
            classes.push(format!("on bx br{:x} bg{:x} bb{:x}", four(r), four(g), four(b)));
        }
    }
    for weight in Weight::ALL {
        if look.has(weight) {
            classes.extend(class(weight).map(str::to_owned));
        }
    }
    out.push_str(&classes.join(" "));
}

/// A channel in four bits.
fn four(channel: u8) -> u16 {
    (u16::from(channel) + 8) / 17
}

fn class(weight: Weight) -> Option<&'static str> {
    match weight {
        Weight::Bold => Some("bold"),
        Weight::Dim => Some("dim"),
        Weight::Italic => Some("italic"),
        Weight::Underline => Some("underline"),
        Weight::Conceal => Some("conceal"),
        Weight::Strike => Some("strike"),
        // done by its colours
        Weight::Inverse => None,
    }
}
