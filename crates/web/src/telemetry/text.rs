//! Gauges in Prometheus' text format ("Exposition formats", prometheus.io). Pure.

use std::fmt::Write;

/// One metric with its values.
pub(super) struct Family {
    name: &'static str,
    help: &'static str,
    samples: Vec<(Vec<(&'static str, String)>, f64)>,
}

impl Family {
    pub(super) fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, samples: Vec::new() }
    }

    /// One that has no labels.
    pub(super) fn single(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, samples: vec![(Vec::new(), value)] }
    }

    pub(super) fn add<const N: usize>(&mut self, labels: [(&'static str, &str); N], value: f64) {
        let labels = labels.map(|(name, value)| (name, value.to_owned()));
        self.samples.push((labels.into(), value));
    }

    pub(super) fn write(&self, out: &mut String) {
        // writing to a string does not fail
        let _ = writeln!(out, "# HELP {0} {1}\n# TYPE {0} gauge", self.name, self.help);
        for (labels, value) in &self.samples {
            let labels: Vec<String> = labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
                .collect();
            let labels = match labels[..] {
                [] => String::new(),
                [..] => format!("{{{}}}", labels.join(",")),
            };
            let _ = writeln!(out, "{}{labels} {value}", self.name);
        }
        out.push('\n');
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_a_label_cannot_break_its_line() {
        let mut family = Family::new("x", "What it is.");
        family.add([("app", "a\"b\\c\nd"), ("stage", "dev")], 1.0);
        let mut out = String::new();
        family.write(&mut out);
        let expected = "# HELP x What it is.\n# TYPE x gauge\n\
                        x{app=\"a\\\"b\\\\c\\nd\",stage=\"dev\"} 1\n\n";
        assert_eq!(out, expected);
    }

    #[test]
    fn a_single_value_has_no_braces_and_a_whole_number_no_fraction() {
        let mut out = String::new();
        Family::single("x", "What it is.", 3.0).write(&mut out);
        assert!(out.ends_with("x 3\n\n"), "{out}");
    }
}
