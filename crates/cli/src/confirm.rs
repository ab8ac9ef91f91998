//! A question before something that cannot be taken back.

use std::io::BufRead;

use crate::error::{Error, Result};
use crate::out;

/// Goes on where the answer is yes. A script, which nobody can ask, says so beforehand.
pub(crate) fn ask(question: &str, said: bool, instead: &str) -> Result<()> {
    if said {
        return Ok(());
    }
    if !out::is_dialog() {
        return Err(Error::Usage(format!("nobody is here to be asked: say {instead}")));
    }
    out::said(&format!("{question} [y/N]"))?;
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Error::Local(format!("the answer cannot be read: {error}")))?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Error::Usage("nothing was done".into()))
}
