//! Telling people elsewhere (a chat, a mailbox, a program of theirs) what happened: to whom
//! ([`Receiver`], a part of the app file), what ([`News`]), and whether it is news to them
//! ([`decide`]).
//!
//! What always holds: of one thing (a build, a preview that expires, what a removal left behind) a
//! receiver has one message, which is told anew only when what its settings ask for happened to it;
//! everything else that becomes of it is an update for those who can change what they showed. The
//! same rows decide the same, so that a second look tells nothing.

mod decide;
mod message;
mod network;
mod news;
mod settings;

pub use decide::{Told, Volume, Wanted, decide};
pub use message::{BuildRef, Event, Handle, Message};
pub use network::{InvalidNetwork, Network, Way, may_be_reached};
pub use news::{About, News, State, build_subject, plain, stage_subject};
pub use settings::{
    Address, Channel, Email, InvalidMailbox, Kind, Mailbox, Receiver, SLACK_TOKEN, SLACK_URL,
    Slack, WEBHOOK_SECRET, WEBHOOK_URL, Webhook,
};
