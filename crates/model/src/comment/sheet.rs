//! A page of limited length, filled from the top: what does not fit any more is counted and left out.
//!
//! What always holds: the page is never longer than it may be, a fold that was opened is closed, and
//! nothing is cut in the middle of a line.

/// What closes a fold.
const CLOSE: &str = "\n</details>\n";
/// Said where something is left out.
const MORE: &str = "The rest stands on the build's page.";

pub(super) struct Sheet {
    text: String,
    /// How many bytes there may be, without what [`finish`](Self::finish) adds.
    room: usize,
    full: bool,
}

impl Sheet {
    pub(super) fn new(room: usize) -> Self {
        Self { text: String::new(), room, full: false }
    }

    /// Adds a line if it fits. Once one did not, none does: what is left out is the end.
    pub(super) fn line(&mut self, line: &str) {
        if self.full || self.text.len() + line.len() + 1 > self.room {
            self.full = true;
            return;
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(super) fn gap(&mut self) {
        self.line("");
    }

    /// Adds the rows of a table, or of a list; those for which there is no room are not even made.
    pub(super) fn rows(&mut self, rows: impl IntoIterator<Item = String>) {
        for row in rows {
            self.line(&row);
            if self.full {
                return;
            }
        }
    }

    /// Adds what is hidden until somebody unfolds it. Where not even its beginning fits it is left out
    /// whole.
    pub(super) fn fold(&mut self, summary: &str, fill: impl FnOnce(&mut Self)) {
        let open = format!("<details><summary>{summary}</summary>\n");
        let inside = self.text.len() + open.len() + CLOSE.len();
        if self.full || inside >= self.room {
            self.full = true;
            return;
        }
        self.room -= CLOSE.len();
        self.line(&open);
        fill(self);
        self.room += CLOSE.len();
        self.text.push_str(CLOSE);
    }

    /// The page with its last words, which are short.
    pub(super) fn finish(mut self, last: &str) -> String {
        if self.full {
            self.text.push_str(&format!("\n{MORE}\n"));
        }
        if !last.is_empty() {
            self.text.push_str(&format!("\n{last}\n"));
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_left_out_and_folds_are_closed() {
        let mut sheet = Sheet::new(120);
        sheet.line("first");
        sheet.fold("Outputs", |sheet| sheet.rows((0..50).map(|n| format!("row {n}"))));
        sheet.line("later");
        let page = sheet.finish("last");
        assert!(page.contains("row 0\n") && !page.contains("row 49") && !page.contains("later"));
        assert_eq!(page.matches("<details>").count(), page.matches("</details>").count());
        assert!(page.ends_with("\nlast\n") && page.contains(MORE), "{page}");
    }

    #[test]
    fn a_page_that_has_room_is_whole() {
        let mut sheet = Sheet::new(1_000);
        sheet.fold("Outputs", |sheet| sheet.line("row"));
        assert_eq!(sheet.finish(""), "<details><summary>Outputs</summary>\n\nrow\n\n</details>\n");
    }
}
