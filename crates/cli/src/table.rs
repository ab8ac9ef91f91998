//! Tables for people: columns as wide as their widest cell, one row a line.
//!
//! What always holds: a cell is one line of printable characters, whatever somebody wrote into the
//! title of a commit: nothing in it can move a terminal's cursor.

const BETWEEN: &str = "  ";

pub(crate) struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(crate) fn new(head: [&str; COLUMNS]) -> Self {
        Self { rows: vec![head.map(str::to_owned)] }
    }

    pub(crate) fn row(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(cells.map(|cell| plain(&cell)));
    }

    /// Without its last line end.
    pub(crate) fn text(&self) -> String {
        let width = |column: usize| {
            self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let widths: [usize; COLUMNS] = std::array::from_fn(width);
        let lines = self.rows.iter().map(|row| {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join(BETWEEN).trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// On one line, and nothing that a terminal would obey.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_turning(c) { ' ' } else { c }).collect()
}

/// Marks that turn the direction of text, so that it reads as something else.
fn is_turning(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_lines_end_with_their_text() {
        let mut table = Table::new(["APP", "WHAT", "WHEN"]);
        table.row(["workshop".into(), "é".into(), "now".into()]);
        table.row(["x".into(), "a longer text".into(), String::new()]);
        let expected = "\
APP       WHAT           WHEN
workshop  é              now
x         a longer text";
        assert_eq!(table.text(), expected);
    }

    #[test]
    fn a_title_cannot_command_the_terminal() {
        assert_eq!(plain("\u{1b}]0;owned\u{7}\ntext\u{202e}gnp"), " ]0;owned  text gnp");
    }
}
