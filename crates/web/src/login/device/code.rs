//! The code that a program shows and a person types.
//!
//! What always holds: eight letters out of twenty (no vowels, so no words; RFC 8628, 6.1), some 2^34
//! codes, of which a few are good for a quarter of an hour; written in any case and with any dashes.

use std::fmt;

/// As RFC 8628 proposes it.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserCode([u8; LENGTH]);

impl UserCode {
    /// Out of a text that nobody can guess: hexadecimal, as [`store::token::random`] gives it.
    pub(crate) fn from_random(hexadecimal: &str) -> Self {
        let mut code = [LETTERS[0]; LENGTH];
        // 32 bits a letter: that twenty does not divide them is nothing that anybody could use
        for (letter, part) in code.iter_mut().zip(hexadecimal.as_bytes().chunks(8)) {
            let number = part.iter().fold(0_usize, |sum, digit| {
                sum * 16 + (*digit as char).to_digit(16).map_or(0, |digit| digit as usize)
            });
            *letter = LETTERS[number % LETTERS.len()];
        }
        Self(code)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let letters = text.bytes().filter(|byte| !matches!(byte, b'-' | b' '));
        let letters: Vec<u8> = letters.map(|byte| byte.to_ascii_uppercase()).collect();
        let code: [u8; LENGTH] = letters.try_into().ok()?;
        code.iter().all(|letter| LETTERS.contains(letter)).then_some(Self(code))
    }

    pub(crate) fn hash(&self) -> Vec<u8> {
        store::token::hash(&self.to_string())
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, letter) in self.0.iter().enumerate() {
            if place == LENGTH / 2 {
                f.write_str("-")?;
            }
            write!(f, "{}", *letter as char)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = UserCode::parse("BCDF-GHJK").unwrap();
        assert_eq!(code.to_string(), "BCDF-GHJK");
        for text in ["bcdfghjk", " bcdf ghjk ", "BC-DF-GH-JK"] {
            assert_eq!(UserCode::parse(text), Some(code.clone()), "{text}");
        }
        for text in ["", "BCDF-GHJ", "BCDF-GHJKL", "ACDF-GHJK", "BCDF-GHJ1", "ßCDF-GHJ"] {
            assert_eq!(UserCode::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_code_is_made_of_all_of_the_randomness_that_it_has_room_for() {
        let zeros = UserCode::from_random(&"0".repeat(64));
        assert_eq!(zeros.to_string(), "BBBB-BBBB");
        let last = format!("{}13", "0".repeat(62));
        assert_eq!(UserCode::from_random(&last).to_string(), "BBBB-BBBZ");
        let code = UserCode::from_random(&store::token::random());
        assert_eq!(UserCode::parse(&code.to_string()), Some(code));
    }
}
