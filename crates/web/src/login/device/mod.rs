//! Letting a program in from a browser, as RFC 8628 has it: the program asks for two codes
//! ([`program`]), shows one of them, and asks again and again with the other; a person who is signed
//! in enters what is shown (`page::device`) and confirms, or does not ([`decide`]).
//!
//! What always holds: the program gets a token that can do no more than whoever confirmed it, and
//! whose text is in that one answer alone. Only somebody in a browser confirms: a token cannot make
//! itself another that lasts longer.

pub(crate) mod code;
pub(crate) mod decide;
pub(crate) mod program;

/// Where a person enters the code.
pub(crate) const PAGE: &str = "/device";
