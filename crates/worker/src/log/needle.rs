//! The forms in which a secret may show up in a log.
//!
//! A secret rarely appears as it is stored only: tools print it base64-encoded in a header,
//! percent-encoded in a URL, escaped in JSON, quoted by `bash -x`, line by line when it is a key
//! file. Every form is a needle of its own. What always holds: no needle contains a line break,
//! so a finished line never has to be held back.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter texts would mask half of every log.
pub(super) const SHORTEST_NEEDLE_BYTES: usize = 4;

/// Parts cut out of an encoding match more easily by chance than the whole does.
const SHORTEST_PART_BYTES: usize = 8;

/// What `base64` and PEM writers put on one line.
const BASE64_LINES: [usize; 2] = [76, 64];

/// Adds every form of `secret` to `needles`.
pub(super) fn collect(secret: &str, needles: &mut BTreeSet<Vec<u8>>) {
    let trimmed = secret.trim_matches(['\r', '\n']);
    if trimmed.len() < SHORTEST_NEEDLE_BYTES {
        return;
    }
    let mut add = |needle: &[u8]| {
        if needle.len() >= SHORTEST_NEEDLE_BYTES && !needle.contains(&b'\n') {
            needles.insert(needle.to_vec());
        }
    };
    for line in trimmed.split(['\r', '\n']) {
        add(line.as_bytes());
        add(line.trim().as_bytes());
    }
    for text in [secret, trimmed] {
        add(hex::encode(text).as_bytes());
        add(hex::encode_upper(text).as_bytes());
        add(text.replace('\'', r"'\''").as_bytes());
        add(percent(text, false, "%20").as_bytes());
        add(percent(text, true, "%20").as_bytes());
        add(percent(text, true, "+").as_bytes());
        if let Ok(json) = serde_json::to_string(text) {
            add(json.trim_matches('"').as_bytes());
            add(json.trim_matches('"').replace('/', r"\/").as_bytes());
        }
        // Without padding, which may be cut off in what is printed.
        for alphabet in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let whole = alphabet.encode(text);
            add(whole.as_bytes());
            for width in BASE64_LINES {
                for line in whole.as_bytes().chunks(width) {
                    if line.len() >= SHORTEST_PART_BYTES {
                        add(line);
                    }
                }
            }
            for shift in 0..3 {
                let core = base64_core(text.as_bytes(), shift, alphabet);
                if core.len() >= SHORTEST_PART_BYTES {
                    add(core.as_bytes());
                }
            }
        }
    }
}

/// The digits that `bytes` alone decide when they stand `shift` bytes into a group of three:
/// what is seen of a password inside the base64 of `user:password`.
fn base64_core(bytes: &[u8], shift: usize, alphabet: &GeneralPurpose) -> String {
    let mut shifted = vec![0; shift];
    shifted.extend_from_slice(bytes);
    let text = alphabet.encode(&shifted);
    let first = (shift * 8).div_ceil(6);
    let last = shifted.len() * 8 / 6;
    text.get(first..last).unwrap_or_default().to_owned()
}

fn percent(text: &str, upper: bool, space: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push_str(space),
            byte if upper => out.push_str(&format!("%{byte:02X}")),
            byte => out.push_str(&format!("%{byte:02x}")),
        }
    }
    out
}
