//! Two values of the same type, compared piece by piece: what is in memory at a time is bounded,
//! whatever their size.

pub(crate) mod kind;
pub(crate) mod stream;

use redis::{Cmd, Value};

pub(crate) use self::kind::{Kind, of};
use self::stream::{entries, groups};
use super::key::quoted;
use super::reader::{Answers, Reader};

/// About so many bytes at a time.
const PIECE: u64 = 256 << 10;
/// Elements at a time, at most.
const ELEMENTS: u64 = 512;

/// A key whose values are compared, both of the same type and length.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'k> {
    pub db: u64,
    pub key: &'k [u8],
    pub kind: Kind,
    /// Elements of each; bytes of a string.
    pub length: u64,
    /// About how much memory the larger one takes.
    pub bytes: u64,
}

/// Where the two values differ first; `None`: they are the same.
pub(crate) fn difference(
    file: &mut Reader<'_>,
    service: &mut Reader<'_>,
    pair: Pair<'_>,
) -> anyhow::Result<Option<String>> {
    match pair.kind {
        Kind::Text => ranges(file, service, pair, "GETRANGE", PIECE),
        Kind::List => ranges(file, service, pair, "LRANGE", pair.at_once()),
        Kind::Hash => scanned(file, service, pair, "HSCAN", &|fields| {
            let mut command = of("HMGET", pair.key);
            fields.iter().for_each(|(field, _)| {
                command.arg(*field);
            });
            vec![command]
        }),
        Kind::Set => scanned(file, service, pair, "SSCAN", &|members| {
            members
                .iter()
                .map(|(member, _)| of("SISMEMBER", pair.key).arg(*member).clone())
                .collect()
        }),
        Kind::Sorted => scanned(file, service, pair, "ZSCAN", &|members| {
            members
                .iter()
                .map(|(member, _)| of("ZSCORE", pair.key).arg(*member).clone())
                .collect()
        }),
        Kind::Stream => match entries(file, service, pair)? {
            None => groups(file, service, pair),
            differs => Ok(differs),
        },
    }
}

impl Pair<'_> {
    /// How many elements to fetch at once, so that a piece stays near [`PIECE`] bytes.
    fn at_once(&self) -> u64 {
        let each = self.bytes.checked_div(self.length).unwrap_or(0).max(1);
        (PIECE / each).clamp(1, ELEMENTS)
    }
}

/// The same question to both; `None` where the one that serves can't answer it any more.
fn both(
    file: &mut Reader<'_>,
    service: &mut Reader<'_>,
    db: u64,
    command: Cmd,
) -> anyhow::Result<Option<(Value, Value)>> {
    let command = [command];
    let ours = file.values(db, &command)?.pop().unwrap_or(Value::Nil);
    Ok(match service.ask(db, &command)? {
        Answers::All(mut answers) => answers
            .pop()
            .and_then(Result::ok)
            .map(|theirs| (ours, theirs)),
        Answers::NoDatabase => None,
    })
}

const CHANGED: &str = "it changes just now";

fn ranges(
    file: &mut Reader<'_>,
    service: &mut Reader<'_>,
    pair: Pair<'_>,
    command: &str,
    step: u64,
) -> anyhow::Result<Option<String>> {
    let mut from = 0;
    while from < pair.length {
        let to = from.saturating_add(step - 1);
        let piece = of(command, pair.key).arg(from).arg(to).clone();
        match both(file, service, pair.db, piece)? {
            Some((ours, theirs)) if ours == theirs => from = to.saturating_add(1),
            Some((ours, theirs)) => {
                let what = if pair.kind == Kind::Text {
                    "byte"
                } else {
                    "element"
                };
                return Ok(Some(format!(
                    "{what} {}",
                    from + first_difference(&ours, &theirs)
                )));
            }
            None => return Ok(Some(CHANGED.to_owned())),
        }
    }
    Ok(None)
}

fn first_difference(ours: &Value, theirs: &Value) -> u64 {
    let at = match (ours, theirs) {
        (Value::BulkString(ours), Value::BulkString(theirs)) => {
            ours.iter().zip(theirs).take_while(|(a, b)| a == b).count()
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.iter().zip(theirs).take_while(|(a, b)| a == b).count()
        }
        _ => 0,
    };
    at as u64
}

/// An element, and what belongs to it in a hash or a sorted set.
type Element<'v> = (&'v [u8], &'v [u8]);

/// Goes through the elements in the file and asks the other side for each; both have the same
/// number of them.
fn scanned(
    file: &mut Reader<'_>,
    service: &mut Reader<'_>,
    pair: Pair<'_>,
    command: &str,
    questions: &dyn Fn(&[Element<'_>]) -> Vec<Cmd>,
) -> anyhow::Result<Option<String>> {
    let mut cursor = b"0".to_vec();
    loop {
        let scan = of(command, pair.key)
            .arg(&cursor)
            .arg("COUNT")
            .arg(pair.at_once())
            .clone();
        let answer = file.values(pair.db, &[scan])?.pop().unwrap_or(Value::Nil);
        let Some((next, flat)) = scan_answer(&answer) else {
            return Ok(Some(CHANGED.to_owned()));
        };
        let elements: Vec<Element<'_>> = match pair.kind {
            Kind::Set => flat.iter().map(|member| (*member, &b""[..])).collect(),
            _ => flat
                .chunks_exact(2)
                .filter_map(|two| Some((*two.first()?, *two.get(1)?)))
                .collect(),
        };
        // A small value comes as a whole, whatever COUNT says.
        for piece in elements.chunks(usize::try_from(pair.at_once()).unwrap_or(1)) {
            let Answers::All(answers) = service.ask(pair.db, &questions(piece))? else {
                return Ok(Some(CHANGED.to_owned()));
            };
            let mut theirs = Vec::with_capacity(piece.len());
            for answer in answers {
                match answer {
                    Ok(Value::Array(values)) => theirs.extend(values),
                    Ok(value) => theirs.push(value),
                    Err(_) => return Ok(Some(CHANGED.to_owned())),
                }
            }
            let differing = piece
                .iter()
                .zip(&theirs)
                .find(|((_, ours), theirs)| !is_same(pair.kind, ours, theirs));
            if let Some(((element, _), _)) = differing {
                let what = if pair.kind == Kind::Hash {
                    "field"
                } else {
                    "member"
                };
                return Ok(Some(format!("{what} {}", quoted(element))));
            }
        }
        if next == b"0" {
            return Ok(None);
        }
        cursor = next.to_vec();
    }
}

fn is_same(kind: Kind, ours: &[u8], theirs: &Value) -> bool {
    match (kind, theirs) {
        (Kind::Set, member) => *member == Value::Int(1),
        (Kind::Sorted, Value::BulkString(theirs)) => {
            // Versions write the same number in different ways.
            let score = |text: &[u8]| {
                std::str::from_utf8(text)
                    .ok()
                    .and_then(|text| text.parse::<f64>().ok())
            };
            ours == theirs || (score(ours).is_some() && score(ours) == score(theirs))
        }
        (_, Value::BulkString(theirs)) => ours == theirs,
        _ => false,
    }
}

/// The cursor and what came of a SCAN of any kind.
pub(crate) fn scan_answer(answer: &Value) -> Option<(&[u8], Vec<&[u8]>)> {
    let Value::Array(parts) = answer else {
        return None;
    };
    let (Value::BulkString(cursor), Value::Array(found)) = (parts.first()?, parts.get(1)?) else {
        return None;
    };
    let found = found.iter().map(|one| match one {
        Value::BulkString(bytes) => Some(bytes.as_slice()),
        _ => None,
    });
    Some((cursor, found.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn scores_are_compared_as_numbers_and_values_as_bytes() {
        for (kind, ours, theirs, same) in [
            (Kind::Sorted, "0.1", bulk("0.10000000000000001"), true),
            (Kind::Sorted, "0.1", bulk("0.2"), false),
            (Kind::Sorted, "inf", bulk("inf"), true),
            (Kind::Sorted, "1", Value::Nil, false),
            (Kind::Hash, "1", bulk("1.0"), false),
            (Kind::Hash, "1", Value::Nil, false),
            (Kind::Set, "", Value::Int(1), true),
            (Kind::Set, "", Value::Int(0), false),
        ] {
            assert_eq!(
                is_same(kind, ours.as_bytes(), &theirs),
                same,
                "{kind:?} {ours} {theirs:?}"
            );
        }
    }

    #[test]
    fn pieces_are_as_large_as_their_elements_allow() {
        let pair = |length, bytes| Pair {
            db: 0,
            key: b"k",
            kind: Kind::List,
            length,
            bytes,
        };
        for (length, bytes, at_once) in [
            (10, 100, 512),
            (10, 10 << 20, 1),
            (1024, 1 << 20, 256),
            (0, 50, 512),
        ] {
            assert_eq!(pair(length, bytes).at_once(), at_once, "{length} {bytes}");
        }
    }
}
