//! The bytes of an answer (RESP2), read into values. Pure.
//!
//! The `redis` crate's parser is not used: before its first byte it asks the processor what it can
//! do, which is slow in a virtual machine and was a tenth of a check's CPU time.

use redis::Value;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Value(Value),
    /// An error reply, without its `-`.
    Error(String),
}

/// What came is not the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rubbish;

/// No server of ours writes such a line; a text without an end is not waited for.
const LONGEST_LINE: usize = 64 << 10;
/// Lists in lists; ours have none.
const DEEPEST: usize = 8;

/// The first answer of `bytes` and its length; `None` where it goes on.
///
/// # Errors
/// [`Rubbish`].
pub(crate) fn read(bytes: &[u8]) -> Result<Option<(Reply, usize)>, Rubbish> {
    let Some((kind, line, used)) = first_line(bytes)? else {
        return Ok(None);
    };
    if kind == b'-' {
        return Ok(Some((Reply::Error(text(line)), used)));
    }
    Ok(value(bytes, DEEPEST)?.map(|(value, used)| (Reply::Value(value), used)))
}

/// What kind of answer begins here, its first line, and where that ends.
type First<'b> = (u8, &'b [u8], usize);

fn first_line(bytes: &[u8]) -> Result<Option<First<'_>>, Rubbish> {
    let Some(kind) = bytes.first().copied() else {
        return Ok(None);
    };
    if !b"+-:$*".contains(&kind) {
        return Err(Rubbish);
    }
    match bytes
        .iter()
        .take(LONGEST_LINE)
        .position(|byte| *byte == b'\n')
    {
        // The line's end is both, and neither stands within it.
        Some(end) if bytes.get(end - 1) == Some(&b'\r') => {
            Ok(Some((kind, bytes.get(1..end - 1).ok_or(Rubbish)?, end + 1)))
        }
        None if bytes.len() < LONGEST_LINE => Ok(None),
        _ => Err(Rubbish),
    }
}

fn value(bytes: &[u8], depth: usize) -> Result<Option<(Value, usize)>, Rubbish> {
    let Some((kind, line, used)) = first_line(bytes)? else {
        return Ok(None);
    };
    let value = match kind {
        b'+' if line == b"OK" => Value::Okay,
        b'+' => Value::SimpleString(text(line)),
        b':' => Value::Int(number(line)?),
        b'$' | b'*' if line == b"-1" => Value::Nil,
        b'$' => return bulk(bytes, used, number(line)?),
        b'*' if depth > 0 => return list(bytes, used, number(line)?, depth - 1),
        // An error within a list is the answer to EXEC, which is never sent.
        _ => return Err(Rubbish),
    };
    Ok(Some((value, used)))
}

fn bulk(bytes: &[u8], start: usize, length: usize) -> Result<Option<(Value, usize)>, Rubbish> {
    let end = start.checked_add(length).ok_or(Rubbish)?;
    let after = end.checked_add(2).ok_or(Rubbish)?;
    match (bytes.get(start..end), bytes.get(end..after)) {
        (Some(value), Some(b"\r\n")) => Ok(Some((Value::BulkString(value.to_vec()), after))),
        (_, None) => Ok(None),
        _ => Err(Rubbish),
    }
}

fn list(
    bytes: &[u8],
    start: usize,
    count: usize,
    depth: usize,
) -> Result<Option<(Value, usize)>, Rubbish> {
    let (mut values, mut used) = (Vec::new(), start);
    for _ in 0..count {
        let Some((item, length)) = value(bytes.get(used..).unwrap_or_default(), depth)? else {
            return Ok(None);
        };
        values.push(item);
        used += length;
    }
    Ok(Some((Value::Array(values), used)))
}

fn number<T: std::str::FromStr>(line: &[u8]) -> Result<T, Rubbish> {
    std::str::from_utf8(line)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Rubbish)
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LETTERS: &[u8] = b"+-:$*019\r\nOK";
    const EVERY_KIND: &[u8] =
        b"*6\r\n+OK\r\n+PONG\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*1\r\n$0\r\n\r\n";

    #[test]
    fn every_kind_of_answer_is_read_as_the_redis_crate_reads_it() {
        let ours = read(EVERY_KIND).expect("the protocol");
        let theirs = redis::parse_redis_value(EVERY_KIND).expect("the protocol");
        assert_eq!(ours, Some((Reply::Value(theirs), EVERY_KIND.len())));
        let error = read(b"-NOAUTH Authentication required.\r\n+PONG\r\n").expect("the protocol");
        assert_eq!(
            error,
            Some((Reply::Error("NOAUTH Authentication required.".into()), 34))
        );
    }

    #[test]
    fn an_answer_that_goes_on_is_waited_for() {
        for length in 0..EVERY_KIND.len() {
            assert_eq!(
                read(EVERY_KIND.get(..length).expect("a part")),
                Ok(None),
                "{length}"
            );
        }
    }

    #[test]
    fn what_is_no_answer_is_refused_and_not_waited_for() {
        let deep = "*1\r\n".repeat(100_000);
        let endless = "+".repeat(LONGEST_LINE);
        let texts = [
            "HTTP/1.1 400",
            "\n",
            "$x\r\n",
            "$-2\r\n",
            "$1\r\nabcd",
            ":\r\n",
            "+a\n",
            "*1\r\n-ERR\r\n",
            "*99999999999999999999\r\n",
        ];
        for text in texts.into_iter().chain([deep.as_str(), endless.as_str()]) {
            assert_eq!(read(text.as_bytes()), Err(Rubbish), "{:.40}", text);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(prop::sample::select(LETTERS.to_vec()), 0..60),
        ) {
            if let Ok(Some((_, used))) = read(&bytes) {
                prop_assert!(used <= bytes.len());
            }
        }
    }
}
