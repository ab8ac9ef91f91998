//! Whether something is news to a receiver.

use super::{Event, Message, News, Receiver};

/// What a receiver was told last (or is to be) of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Counted from 1: a stage may drift, be mended and drift again.
    pub episode: i32,
    pub message: Message,
}

/// What a receiver is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub episode: i32,
    pub volume: Volume,
    pub message: Message,
}

/// How a message is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volume {
    /// It was asked for.
    Loud,
    /// Only to set right what was told: who cannot change a message is not bothered with another.
    Quiet,
}

/// What the receiver is to be told of these news; `told`: what it was told last of their subject.
pub fn decide(receiver: &Receiver, news: &News, told: Option<&Told>) -> Option<Wanted> {
    let stage = news.message.stage.as_ref().zip(news.kind);
    let event = news.message.event;
    let asked =
        receiver.cares_for(stage) && event.kind().is_some_and(|kind| receiver.asks_for(kind));
    let wanted = |episode, volume| Wanted { episode, volume, message: news.message.clone() };
    let begins = |episode| (asked && news.fresh).then(|| wanted(episode, Volume::Loud));
    match told {
        None => begins(1),
        Some(told) if told.message.event.ends() => begins(told.episode + 1),
        Some(told) if told.message.says_what(&news.message) => None,
        Some(told) => {
            let again = told.message.event != event || repeats(event);
            let volume = if asked && again { Volume::Loud } else { Volume::Quiet };
            Some(wanted(told.episode, volume))
        }
    }
}

/// Whether a change within the same event is told as loudly as the event: there is another question
/// to answer, or something else to look at.
fn repeats(event: Event) -> bool {
    match event {
        Event::BuildWaiting | Event::StageDrifted => true,
        Event::BuildFailed
        | Event::BuildFixed
        | Event::BuildSucceeded
        | Event::BuildResumed
        | Event::BuildEnded
        | Event::PreviewExpiring
        | Event::PreviewKept
        | Event::PreviewRemoved
        // each try to remove it again finds other words for why it could not
        | Event::StageLeftover
        | Event::StageCleared
        | Event::StageInSync => false,
    }
}

#[cfg(test)]
mod tests;
