//! Percent-encoding as AWS's signatures and S3's listings want it. Pure.

use std::fmt::Write;

/// Everything but what is unreserved (RFC 3986).
pub(crate) fn encoded(text: &str) -> String {
    encode(text, false)
}

/// The same with slashes left: the path of an object.
pub(crate) fn encoded_path(text: &str) -> String {
    encode(text, true)
}

fn encode(text: &str, slashes: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            b'/' if slashes => encoded.push('/'),
            other => {
                write!(encoded, "%{other:02X}").expect("a text takes any text");
            }
        }
    }
    encoded
}

/// What S3 means in a listing with `encoding-type=url`, where a plus is a blank. `None` when it is
/// no such text.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_reads_the_same_again() {
        for text in ["a/b c+d.txt", "ünï/cödé \u{1}\n", "100%", "", "a=b&c?d#e"] {
            assert_eq!(decoded(&encoded(text)).as_deref(), Some(text));
            assert_eq!(decoded(&encoded_path(text)).as_deref(), Some(text));
        }
        assert_eq!(encoded("a/b c"), "a%2Fb%20c");
        assert_eq!(encoded_path("a/b c"), "a/b%20c");
    }

    #[test]
    fn s3_writes_a_blank_as_a_plus_and_nonsense_is_told_apart() {
        assert_eq!(decoded("a+b%2Bc").as_deref(), Some("a b+c"));
        assert_eq!(decoded("50%"), None);
        assert_eq!(decoded("%zz"), None);
    }
}
