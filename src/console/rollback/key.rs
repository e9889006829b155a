//! A key as a person may read it, and give it to redis-cli again.

use std::fmt::Write;

use crate::terminal::is_hidden;

/// In quotes, as redis-cli reads and writes it. What can't be seen is escaped; letters of any
/// script stand as they are.
pub(crate) fn quoted(key: &[u8]) -> String {
    let mut text = String::with_capacity(key.len() + 2);
    text.push('"');
    for chunk in key.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '"' | '\\' => text.extend(['\\', letter]),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                letter if is_hidden(letter) => {
                    escape(&mut text, letter.encode_utf8(&mut [0; 4]).as_bytes())
                }
                letter => text.push(letter),
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text.push('"');
    text
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_escaped_where_it_can_not_be_seen() {
        for (key, text) in [
            (&b"user:1"[..], "\"user:1\""),
            (b"a \"b\" \\", "\"a \\\"b\\\" \\\\\""),
            (b"\x1b[2J\n\0", "\"\\x1b[2J\\n\\x00\""),
            (b"\xff\xfe", "\"\\xff\\xfe\""),
            (
                "\u{7528}\u{6237}:\u{202e}1".as_bytes(),
                "\"\u{7528}\u{6237}:\\xe2\\x80\\xae1\"",
            ),
            (b"", "\"\""),
        ] {
            assert_eq!(quoted(key), text);
        }
    }
}
