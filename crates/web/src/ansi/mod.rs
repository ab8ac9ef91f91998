//! Lines of a terminal, and what they look like as HTML: colours and weights become classes, all
//! text is escaped.
//!
//! What always holds: nothing of a line reaches the page but as text; the only tag is `<span>` with
//! a class of ours, and every one is closed; no line makes more HTML than it may.

mod html;
mod screen;
#[cfg(test)]
mod tests;

pub(crate) use screen::{Row, Terminal};
