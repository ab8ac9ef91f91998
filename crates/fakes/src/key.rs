//! The key pair of the GitHub App: made once per process, for it takes a moment, and never written
//! anywhere by this crate.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::Error;

#[derive(Clone, Debug)]
pub(crate) struct AppKey {
    pub(crate) private_pem: String,
    pub(crate) public_pem: String,
}

impl AppKey {
    /// Of an App that is made while the stand-in runs.
    pub(crate) fn new() -> Result<Self, Error> {
        generate().ok_or(Error::Key)
    }

    pub(crate) fn of_this_process() -> Result<Self, Error> {
        static KEY: OnceLock<Option<AppKey>> = OnceLock::new();
        KEY.get_or_init(generate).clone().ok_or(Error::Key)
    }
}

fn generate() -> Option<AppKey> {
    let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
    let private: Pkcs8V1Der<'_> = pair.as_der().ok()?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
    Some(AppKey {
        private_pem: pem("PRIVATE KEY", private.as_ref()),
        public_pem: pem("PUBLIC KEY", public.as_ref()),
    })
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = wrap(&STANDARD.encode(der), 64);
    format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n")
}

/// Breaks base64 text into lines of `width`, each ended by a line feed.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    let mut lines = String::with_capacity(text.len() + text.len() / width + 1);
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index % width == 0 {
            lines.push('\n');
        }
        lines.push(character);
    }
    lines.push('\n');
    lines
}
