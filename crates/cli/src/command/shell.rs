//! What shells and `man` are told of the program: made from its arguments, so always true.

use std::io::Write;

use clap::{Args, Command};
use clap_complete::Shell;

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    shell: Completed,
}

/// Those that we say how to set up for.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Completed {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Args)]
pub struct Man {
    /// The page of this command, like `logs` [default: of the program]
    command: Option<String>,
}

pub fn completions(given: &Completions, mut program: Command, out: &mut impl Write) {
    let shell = match given.shell {
        Completed::Bash => Shell::Bash,
        Completed::Zsh => Shell::Zsh,
        Completed::Fish => Shell::Fish,
    };
    let name = program.get_name().to_owned();
    clap_complete::generate(shell, &mut program, name, out);
}

/// Whether there is such a command, and so a page.
pub fn man(given: &Man, mut program: Command, out: &mut impl Write) -> std::io::Result<bool> {
    program.build();
    let Some(name) = &given.command else {
        return clap_mangen::Man::new(program).render(out).map(|()| true);
    };
    let Some(found) = program.find_subcommand(name) else { return Ok(false) };
    let full = format!("{}-{name}", program.get_name());
    // a name of its own, as git's pages have
    let page: &'static str = Box::leak(full.into_boxed_str());
    clap_mangen::Man::new(found.clone().name(page)).render(out).map(|()| true)
}
