//! The crate against a local AWS that checks signatures, trust policies and external ids.
//!
//! `script/test` starts it and names it in the environment (`script/lib/ministack.sh`). Each
//! test makes stacks of its own name, so they run side by side and twice.

mod bench;
mod changes;
mod clearing;
mod direct;
mod drift;
mod foresight;
mod parameters;
mod recovery;
mod removal;
mod roles;
mod scopes;
mod stacks;
mod sweep;
mod templates;
