//! The pages in a real browser: what a person sees and does, with JavaScript and without, in light
//! and dark, on a phone and at a desk; and what axe-core reads in them for those who cannot see.
//!
//! What always holds: a browser has a profile of its own, and ends with its test, however that ends.

mod axe;
mod chrome;
mod decide;
mod door;
mod every_page;
mod hostile;
mod setup;
mod watch;
