//! Words a commit as a `git fast-import` stream: one process writes blobs, tree, commit and branch.

use std::io::Write;

use crate::clock::now;
use crate::error::Error;

/// One commit on `full_ref` after `parent`; a file without content is removed.
pub(crate) fn stream(
    full_ref: &str,
    parent: Option<&str>,
    files: &[(&str, Option<&str>)],
    message: &str,
) -> Result<Vec<u8>, Error> {
    let seconds = now().timestamp();
    let mut out = Vec::new();
    let mut line = |bytes: &[u8]| out.write_all(bytes).map_err(Error::io("word a commit"));
    // A parentless commit on a branch that exists needs the branch forgotten first.
    line(format!("reset {full_ref}\n\ncommit {full_ref}\n").as_bytes())?;
    line(format!("committer Developer <developer@example.com> {seconds} +0000\n").as_bytes())?;
    line(format!("data {}\n{message}\n", message.len()).as_bytes())?;
    if let Some(parent) = parent {
        line(format!("from {parent}\n").as_bytes())?;
    }
    for (path, content) in files {
        if path.is_empty() || path.starts_with(['"', '/']) || path.contains('\n') {
            return Err(Error::Refused(format!("`{path}` is no path of a file")));
        }
        match content {
            Some(text) => {
                line(format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len()).as_bytes())?;
            }
            None => line(format!("D {path}\n").as_bytes())?,
        }
    }
    line(b"\ndone\n")?;
    Ok(out)
}
