//! Two streams, compared: their entries, and how far their consumer groups have read.

use redis::{Value, cmd};

use super::{CHANGED, Pair, both, of};
use crate::console::rollback::reader::Reader;

/// Where the entries differ first.
pub(crate) fn entries(
    file: &mut Reader<'_>,
    service: &mut Reader<'_>,
    pair: Pair<'_>,
) -> anyhow::Result<Option<String>> {
    let mut from = "-".to_owned();
    loop {
        let piece = of("XRANGE", pair.key)
            .arg(&from)
            .arg("+")
            .arg("COUNT")
            .arg(pair.at_once())
            .clone();
        let Some((ours, theirs)) = both(file, service, pair.db, piece)? else {
            return Ok(Some(CHANGED.to_owned()));
        };
        if ours != theirs {
            return Ok(Some(format!(
                "an entry from {} on",
                if from == "-" { "the first" } else { &from }
            )));
        }
        match last_id(&ours).and_then(|id| next_id(&id)) {
            Some(next) => from = next,
            None => return Ok(None),
        }
    }
}

fn last_id(entries: &Value) -> Option<String> {
    let Value::Array(entries) = entries else {
        return None;
    };
    let Value::Array(entry) = entries.last()? else {
        return None;
    };
    match entry.first()? {
        Value::BulkString(id) => String::from_utf8(id.clone()).ok(),
        _ => None,
    }
}

/// The id behind `id`: before 6.2 a range can't leave its first one out.
fn next_id(id: &str) -> Option<String> {
    let (ms, seq) = id.split_once('-')?;
    let (ms, seq): (u64, u64) = (ms.parse().ok()?, seq.parse().ok()?);
    match seq.checked_add(1) {
        Some(seq) => Some(format!("{ms}-{seq}")),
        None => ms.checked_add(1).map(|ms| format!("{ms}-0")),
    }
}

/// The consumer groups: who has read how far.
pub(crate) fn groups(
    file: &mut Reader<'_>,
    service: &mut Reader<'_>,
    pair: Pair<'_>,
) -> anyhow::Result<Option<String>> {
    let question = cmd("XINFO").arg("GROUPS").arg(pair.key).clone();
    let Some((ours, theirs)) = both(file, service, pair.db, question)? else {
        return Ok(Some(CHANGED.to_owned()));
    };
    Ok((group_states(&ours) != group_states(&theirs)).then(|| "its consumer groups".to_owned()))
}

/// What versions agree to say of groups: name, entries that were not acknowledged, the last one
/// delivered.
fn group_states(answer: &Value) -> Vec<Vec<&Value>> {
    const FIELDS: [&[u8]; 3] = [b"name", b"pending", b"last-delivered-id"];
    let Value::Array(groups) = answer else {
        return Vec::new();
    };
    let known = |pair: &'_ [Value]| matches!(pair.first(), Some(Value::BulkString(name)) if FIELDS.contains(&name.as_slice()));
    groups
        .iter()
        .map(|group| match group {
            Value::Array(fields) => fields
                .chunks_exact(2)
                .filter(|pair| known(pair))
                .filter_map(|pair| pair.get(1))
                .collect(),
            _ => Vec::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn the_next_entry_of_a_stream_is_the_one_behind_the_last() {
        for (id, next) in [
            ("5-0", Some("5-1")),
            ("5-18446744073709551615", Some("6-0")),
            ("18446744073709551615-18446744073709551615", None),
            ("nonsense", None),
        ] {
            assert_eq!(next_id(id).as_deref(), next, "{id}");
        }
        let entries = Value::Array(vec![Value::Array(vec![
            bulk("5-0"),
            Value::Array(vec![bulk("f"), bulk("v")]),
        ])]);
        assert_eq!(last_id(&entries).as_deref(), Some("5-0"));
        assert_eq!(last_id(&Value::Array(Vec::new())), None);
    }

    #[test]
    fn groups_are_compared_by_what_all_versions_say() {
        let group = |more: &[Value], pending| {
            let fields = [
                bulk("name"),
                bulk("g"),
                bulk("pending"),
                Value::Int(pending),
            ];
            Value::Array(vec![Value::Array(
                fields.into_iter().chain(more.iter().cloned()).collect(),
            )])
        };
        let newer = group(&[bulk("lag"), Value::Int(7)], 1);
        assert_eq!(group_states(&group(&[], 1)), group_states(&newer));
        assert_ne!(group_states(&group(&[], 2)), group_states(&newer));
    }
}
