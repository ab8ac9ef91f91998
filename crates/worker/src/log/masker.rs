//! Replaces secrets by `***` in a stream, however the stream is cut into pieces.
//!
//! What always holds: the output is the same for every way of cutting the same input, every byte
//! of every occurrence of a needle is replaced (overlapping ones too), and no more is held back
//! than the longest tail that may still become a needle.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use secrecy::{ExposeSecret, SecretString};

use super::needle;

const MASK: &[u8] = b"***";

/// A stream's masker. It learns secrets as the job comes to know them.
pub struct Masker {
    needles: BTreeSet<Vec<u8>>,
    automaton: Option<AhoCorasick>,
    longest: usize,
    /// Seen, but perhaps the beginning of a needle.
    held: Vec<u8>,
    /// How many bytes of `held` belong to a needle that is already replaced.
    covered: usize,
}

/// No memory for the automaton, or more needles than it can number.
#[derive(Debug, thiserror::Error)]
#[error("the secrets to mask are too many or too long: {0}")]
pub struct MaskError(#[from] aho_corasick::BuildError);

impl Masker {
    pub fn new(secrets: &[SecretString]) -> Result<Self, MaskError> {
        let mut masker = Self {
            needles: BTreeSet::new(),
            automaton: None,
            longest: 0,
            held: Vec::new(),
            covered: 0,
        };
        masker.add(secrets)?;
        Ok(masker)
    }

    /// Masks these too from here on; what is held back counts as not yet seen.
    pub fn add(&mut self, secrets: &[SecretString]) -> Result<(), MaskError> {
        let known = self.needles.len();
        for secret in secrets {
            needle::collect(secret.expose_secret(), &mut self.needles);
        }
        if self.needles.len() > known {
            self.automaton = Some(automaton(&self.needles)?);
            self.longest = self.needles.iter().map(Vec::len).max().unwrap_or(0);
        }
        Ok(())
    }

    /// Takes the next piece of the stream and appends to `out` what is safe to show.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        if self.automaton.is_none() {
            out.extend_from_slice(input);
            return;
        }
        self.held.extend_from_slice(input);
        let keep_from = self.possible_needle();
        self.emit(keep_from, out);
    }

    /// Ends the stream: what is held back is shown.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.emit(self.held.len(), out);
    }

    /// Where the longest tail begins that is a proper prefix of a needle.
    fn possible_needle(&self) -> usize {
        let length = self.held.len();
        let first = length.saturating_sub(self.longest.saturating_sub(1));
        (first..length)
            .find(|start| {
                let tail = &self.held[*start..];
                let next = self.needles.range::<[u8], _>((
                    std::ops::Bound::Excluded(tail),
                    std::ops::Bound::Unbounded,
                ));
                next.take(1).any(|needle| needle.starts_with(tail))
            })
            .unwrap_or(length)
    }

    /// Shows the stream up to `end`. Every occurrence that begins before `end` is whole by now:
    /// were it not, `end` would lie at its beginning.
    fn emit(&mut self, end: usize, out: &mut Vec<u8>) {
        let covered = self.replace(&self.held, end, self.covered, out);
        self.covered = covered.saturating_sub(end);
        self.held.drain(..end);
    }

    /// Masks a text that is no part of the stream.
    pub fn whole(&self, text: &[u8], out: &mut Vec<u8>) {
        self.replace(text, text.len(), 0, out);
    }

    /// Appends `bytes` up to `end`, of which those before `covered` belong to a needle that is
    /// replaced already; answers up to where needles reach.
    fn replace(&self, bytes: &[u8], end: usize, covered: usize, out: &mut Vec<u8>) -> usize {
        let mut covered = covered;
        if let Some(automaton) = &self.automaton {
            let mut found: Vec<(usize, usize)> = automaton
                .find_overlapping_iter(bytes)
                .map(|found| (found.start(), found.end()))
                .filter(|(start, _)| *start < end)
                .collect();
            found.sort_unstable();
            for (start, stop) in found {
                if start >= covered {
                    out.extend_from_slice(&bytes[covered..start]);
                    out.extend_from_slice(MASK);
                }
                covered = covered.max(stop);
            }
        }
        if covered < end {
            out.extend_from_slice(&bytes[covered..end]);
        }
        covered
    }
}

/// Not a table of every state and byte, which would be the default for few needles: a session token
/// is 1 KB long and has several forms, and each job would build megabytes before its first line.
fn automaton(needles: &BTreeSet<Vec<u8>>) -> Result<AhoCorasick, aho_corasick::BuildError> {
    AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(needles)
}
