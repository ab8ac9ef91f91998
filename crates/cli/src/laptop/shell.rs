//! Variables as a shell takes them from `eval`. Pure.
//!
//! What always holds: whatever stands in a value, the shell reads that value and runs nothing.

use clap::ValueEnum;

use super::Variables;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// sh, bash, zsh, dash, ksh
    Sh,
    Fish,
}

/// Which one the variable `SHELL` names.
pub(crate) fn of(shell: Option<&str>) -> Shell {
    match shell.and_then(|path| path.rsplit('/').next()) {
        Some("fish") => Shell::Fish,
        Some(_) | None => Shell::Sh,
    }
}

pub(crate) fn lines(variables: &Variables, shell: Shell) -> String {
    let unset = variables.unset.iter().map(|name| match shell {
        Shell::Sh => format!("unset {name}"),
        Shell::Fish => format!("set -e {name}"),
    });
    // what no shell can name was for programs alone
    let named = variables.set.iter().filter(|(name, _)| is_name(name));
    let set = named.map(|(name, value)| match shell {
        Shell::Sh => format!("export {name}='{}'", value.replace('\'', r"'\''")),
        Shell::Fish => {
            let value = value.replace('\\', r"\\").replace('\'', r"\'");
            format!("set -gx {name} '{value}'")
        }
    });
    unset.chain(set).map(|line| format!("{line}\n")).collect()
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn variables(value: &str) -> Variables {
        Variables {
            set: [("KEY".to_owned(), value.to_owned()), ("no name".to_owned(), "x".into())].into(),
            unset: vec!["AWS_PROFILE".into()],
        }
    }

    #[test]
    fn a_shell_reads_back_whatever_stands_in_a_value() {
        for value in ["plain", "it's", "$(touch x) `y` $HOME", "a\nb", r"back\slash", "\"q\"", ""] {
            let lines = lines(&variables(value), Shell::Sh);
            let script = "eval \"$1\"; printf %s \"$KEY\"; test -z \"$AWS_PROFILE\"";
            let read = Command::new("sh")
                .args(["-c", script, "sh", &lines])
                .env("AWS_PROFILE", "mine")
                .output()
                .unwrap();
            assert!(read.status.success(), "{lines}");
            assert_eq!(String::from_utf8(read.stdout).unwrap(), value);
        }
    }

    #[test]
    fn fish_is_told_in_its_own_words() {
        let lines = lines(&variables(r"it's a \ b"), Shell::Fish);
        assert_eq!(lines, "set -e AWS_PROFILE\nset -gx KEY 'it\\'s a \\\\ b'\n");
        assert_eq!(of(Some("/usr/bin/fish")), Shell::Fish);
        assert_eq!(of(Some("/bin/bash")), Shell::Sh);
        assert_eq!(of(None), Shell::Sh);
    }
}
