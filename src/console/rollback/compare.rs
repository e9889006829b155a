//! Keys of a file, held against the data that is served: there or not, the same or not.

use redis::{Cmd, Value};

use super::reader::{Answers, Reader};
use super::value::{Kind, Pair, difference, of};

pub(crate) const BATCH: usize = 100;
/// Values up to this size are fetched as a whole; equal bytes are a quick yes.
const SMALL: u64 = 16 << 10;
/// What ends a DUMP: the version of the format and a checksum.
const FOOTER: usize = 10;

/// What became of a key of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The service has the same value.
    Same,
    /// The service has no such key.
    OnlyInFile,
    /// The service has another value; where it differs.
    Differs(String),
    /// Of a module, and not the same byte by byte: nobody but the module can tell.
    Unclear,
    /// Its time has run out since it was listed.
    Expired,
}

/// A key of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its bytes.
    pub key: Vec<u8>,
    /// Its type, as TYPE says it.
    pub kind: String,
    pub fate: Fate,
}

struct Candidate {
    key: Vec<u8>,
    kind: String,
    length: u64,
    bytes: u64,
    fate: Option<Fate>,
}

/// What became of each of `keys` of the database `db`.
pub(crate) fn compare(
    file: &mut Reader<'_>,
    service: &mut Reader<'_>,
    db: u64,
    keys: &[Vec<u8>],
) -> anyhow::Result<Vec<Entry>> {
    let mut candidates = in_file(file, db, keys)?;
    hold_against(service, db, &mut candidates)?;
    let small = |one: &Candidate| {
        one.fate.is_none() && (one.bytes <= SMALL || Kind::read(&one.kind).is_none())
    };
    dumps(file, service, db, &mut candidates, &small)?;
    for one in candidates.iter_mut().filter(|one| one.fate.is_none()) {
        let Some(kind) = Kind::read(&one.kind) else {
            one.fate = Some(Fate::Unclear);
            continue;
        };
        let pair = Pair {
            db,
            key: &one.key,
            kind,
            length: one.length,
            bytes: one.bytes,
        };
        let differs = difference(file, service, pair)?;
        one.fate = Some(differs.map_or(Fate::Same, Fate::Differs));
    }
    let entry = |one: Candidate| Entry {
        key: one.key,
        kind: one.kind,
        fate: one.fate.unwrap_or(Fate::Unclear),
    };
    Ok(candidates.into_iter().map(entry).collect())
}

/// Type, length and size of each key in the file.
fn in_file(file: &mut Reader<'_>, db: u64, keys: &[Vec<u8>]) -> anyhow::Result<Vec<Candidate>> {
    let types = file.values(
        db,
        &keys.iter().map(|key| of("TYPE", key)).collect::<Vec<_>>(),
    )?;
    let mut candidates: Vec<Candidate> = keys
        .iter()
        .zip(types)
        .map(|(key, kind)| {
            let kind = name(&kind);
            let fate = (kind == "none").then_some(Fate::Expired);
            Candidate {
                key: key.clone(),
                kind,
                length: 0,
                bytes: 0,
                fate,
            }
        })
        .collect();
    let open = || candidates.iter().filter(|one| one.fate.is_none());
    let questions: Vec<Cmd> = open().flat_map(measure).collect();
    let mut answers = file.values(db, &questions)?.into_iter();
    for one in candidates.iter_mut().filter(|one| one.fate.is_none()) {
        one.measured(&mut || answers.next().map(number));
    }
    Ok(candidates)
}

/// What asks for the length, and for the memory where that says too little of it; each is about a
/// few elements' work.
fn measure(one: &Candidate) -> Vec<Cmd> {
    let mut memory = redis::cmd("MEMORY");
    memory.arg("USAGE").arg(&one.key);
    match Kind::read(&one.kind) {
        Some(kind @ Kind::Text) => vec![kind.length(&one.key)],
        Some(kind) => vec![kind.length(&one.key), memory],
        None => Vec::new(),
    }
}

impl Candidate {
    /// Takes the answers to [`measure`]: the length, for which the memory may stand, too.
    fn measured(&mut self, next: &mut dyn FnMut() -> Option<u64>) {
        let Some(kind) = Kind::read(&self.kind) else {
            return;
        };
        self.length = next().unwrap_or(0);
        self.bytes = if kind == Kind::Text {
            self.length
        } else {
            next().unwrap_or(0)
        };
    }
}

/// Measures the same keys in the service. A key that is missing, or of another type or length, is
/// settled by that.
fn hold_against(
    service: &mut Reader<'_>,
    db: u64,
    candidates: &mut [Candidate],
) -> anyhow::Result<()> {
    let mut open: Vec<&mut Candidate> = candidates
        .iter_mut()
        .filter(|one| one.fate.is_none())
        .collect();
    let questions: Vec<Cmd> = open.iter().flat_map(|one| measure(one)).collect();
    let Answers::All(answers) = service.ask(db, &questions)? else {
        open.into_iter()
            .for_each(|one| one.fate = Some(Fate::OnlyInFile));
        return Ok(());
    };
    let mut answers = answers.into_iter();
    let mut next = || answers.next().and_then(Result::ok).map(number);
    // No length, or one that a key which is not there has, too.
    let mut unlike = Vec::new();
    for one in open.drain(..) {
        let Some(kind) = Kind::read(&one.kind) else {
            unlike.push((one, None));
            continue;
        };
        let length = next();
        let bytes = if kind == Kind::Text { length } else { next() };
        one.bytes = one.bytes.max(bytes.unwrap_or(0));
        match length {
            Some(length) if length == one.length => {}
            Some(length) if length > 0 => one.fate = Some(other_length(one, length)),
            _ => unlike.push((one, length)),
        }
    }
    tell_apart(service, db, unlike)
}

fn other_length(one: &Candidate, length: u64) -> Fate {
    Fate::Differs(format!("length {}, {length} in the service", one.length))
}

/// Tells keys of another type from keys that are missing.
fn tell_apart(
    service: &mut Reader<'_>,
    db: u64,
    unlike: Vec<(&mut Candidate, Option<u64>)>,
) -> anyhow::Result<()> {
    let questions: Vec<Cmd> = unlike.iter().map(|(one, _)| of("TYPE", &one.key)).collect();
    if questions.is_empty() {
        return Ok(());
    }
    let types = service.values(db, &questions)?;
    for ((one, length), kind) in unlike.into_iter().zip(types) {
        let kind = name(&kind);
        one.fate = match length {
            _ if kind == "none" => Some(Fate::OnlyInFile),
            _ if kind != one.kind => Some(Fate::Differs(format!("a {kind} in the service"))),
            _ if Kind::read(&kind).is_none() => None,
            length => Some(other_length(one, length.unwrap_or(0))),
        };
    }
    Ok(())
}

/// Fetches both values of the small ones as a whole: the same bytes are the same value, others may
/// be it too.
fn dumps(
    file: &mut Reader<'_>,
    service: &mut Reader<'_>,
    db: u64,
    candidates: &mut [Candidate],
    small: &dyn Fn(&Candidate) -> bool,
) -> anyhow::Result<()> {
    let mut open: Vec<&mut Candidate> = candidates.iter_mut().filter(|one| small(one)).collect();
    // A megabyte and a half at most.
    for some in open.chunks_mut(BATCH) {
        let questions: Vec<Cmd> = some.iter().map(|one| of("DUMP", &one.key)).collect();
        let ours = file.values(db, &questions)?;
        let Answers::All(theirs) = service.ask(db, &questions)? else {
            return Ok(());
        };
        for ((one, ours), theirs) in some.iter_mut().zip(ours).zip(theirs) {
            one.fate = match (&ours, &theirs) {
                (Value::Nil, _) => Some(Fate::Expired),
                (_, Ok(Value::Nil)) => Some(Fate::OnlyInFile),
                (ours, Ok(theirs)) if is_same_dump(ours, theirs) => Some(Fate::Same),
                _ => None,
            };
        }
    }
    Ok(())
}

fn is_same_dump(ours: &Value, theirs: &Value) -> bool {
    let (Value::BulkString(ours), Value::BulkString(theirs)) = (ours, theirs) else {
        return false;
    };
    let body = |dump: &[u8]| dump.len().checked_sub(FOOTER).filter(|length| *length > 0);
    match (body(ours), body(theirs)) {
        (Some(length), Some(other)) => length == other && ours.get(..length) == theirs.get(..other),
        _ => false,
    }
}

fn name(kind: &Value) -> String {
    match kind {
        Value::SimpleString(name) => name.clone(),
        Value::BulkString(name) => String::from_utf8_lossy(name).into_owned(),
        _ => "unknown".to_owned(),
    }
}

fn number(value: Value) -> u64 {
    match value {
        Value::Int(number) => u64::try_from(number).unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dumps_are_compared_without_what_ends_them() {
        let dump = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        assert!(is_same_dump(
            &dump("value0123456789"),
            &dump("value9876543210")
        ));
        assert!(!is_same_dump(
            &dump("value0123456789"),
            &dump("velue0123456789")
        ));
        for short in ["", "0123456789", "x"] {
            assert!(
                !is_same_dump(&dump(short), &dump(short)),
                "{short}: no value at all"
            );
        }
        assert!(!is_same_dump(&Value::Nil, &Value::Nil));
    }
}
