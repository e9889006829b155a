//! What sentinels say, read into values. Pure.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use redis::Value;

use crate::decide::sentinel::{Candidate, Word};
use crate::server::failure::{Denial, Failure};
use crate::server::info::short;
use crate::server::string;

pub(super) fn word(answers: Vec<Result<Value, Denial>>) -> Result<Word, Failure> {
    let mut answers = answers
        .into_iter()
        .map(|answer| answer.map_err(Failure::Denied));
    let mut next = || answers.next().unwrap_or(Err(Failure::Reset));
    let (address, state) = (next()?, next()?);
    let address = match address {
        Value::Array(parts) => parts
            .into_iter()
            .map(string)
            .collect::<Result<Vec<String>, Failure>>()?,
        Value::Nil => {
            return Err(Failure::Rubbish(
                "it knows no master of that name".to_string(),
            ));
        }
        other => {
            return Err(Failure::Rubbish(format!(
                "expected an address, got {}",
                short(&format!("{other:?}"))
            )));
        }
    };
    let [ip, port] = &address[..] else {
        return Err(Failure::Rubbish(
            "expected an address and a port".to_string(),
        ));
    };
    let master = socket_address(ip, port).ok_or_else(|| {
        Failure::Rubbish(format!(
            "it names {}:{}, which is no address; names are not looked up",
            short(ip),
            short(port)
        ))
    })?;
    let fields = fields(state);
    let get = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let flag = |name: &str| get("flags").split(',').any(|flag| flag == name);
    // These fields are of the master in this answer. It may still be the old one, when the first
    // answer names the new one.
    let same = socket_address(get("ip"), get("port")) == Some(master);
    Ok(Word {
        master,
        failing_over: flag("failover_in_progress"),
        heard: get("last-ok-ping-reply")
            .parse()
            .ok()
            .filter(|_| same)
            .map(Duration::from_millis),
        down: same && (flag("s_down") || flag("o_down")),
        down_after: get("down-after-milliseconds")
            .parse()
            .map_or(Duration::MAX, Duration::from_millis),
    })
}

pub(super) fn candidate(replica: Value) -> Option<Candidate> {
    let fields = fields(replica);
    let get = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let millis = |name: &str| get(name).parse().ok().map(Duration::from_millis);
    let flag = |name: &str| get("flags").split(',').any(|flag| flag == name);
    Some(Candidate {
        address: socket_address(get("ip"), get("port"))?,
        reachable: !flag("s_down") && !flag("o_down") && !flag("disconnected"),
        heard: millis("last-ok-ping-reply"),
        looked_at: millis("info-refresh"),
        link_down: millis("master-link-down-time").unwrap_or_default(),
        down_after: millis("down-after-milliseconds").unwrap_or_default(),
        priority: get("slave-priority").parse().unwrap_or(100),
        offset: get("slave-repl-offset").parse().unwrap_or(0),
        run_id: get("runid").to_string(),
    })
}

/// A flat list of names and values.
fn fields(value: Value) -> HashMap<String, String> {
    let Value::Array(parts) = value else {
        return HashMap::new();
    };
    let mut parts = parts
        .into_iter()
        .map(|part| string(part).unwrap_or_default());
    let mut fields = HashMap::new();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        fields.insert(name, value);
    }
    fields
}

fn socket_address(ip: &str, port: &str) -> Option<SocketAddr> {
    let ip: IpAddr = ip.parse().ok()?;
    let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
    Some(SocketAddr::new(ip.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(parts: &[&str]) -> Value {
        Value::Array(
            parts
                .iter()
                .map(|part| Value::BulkString(part.as_bytes().to_vec()))
                .collect(),
        )
    }

    #[test]
    fn a_word_is_read_and_what_is_said_of_the_former_master_is_not_taken_for_the_new_ones() {
        let mut state = vec![
            "ip",
            "10.0.0.1",
            "port",
            "6379",
            "flags",
            "s_down,master",
            "last-ok-ping-reply",
            "2100",
        ];
        state.extend(["down-after-milliseconds", "5000"]);
        let said = word(vec![Ok(list(&["10.0.0.1", "6379"])), Ok(list(&state))]).expect("a word");
        assert_eq!(said.master, "10.0.0.1:6379".parse().expect("an address"));
        assert_eq!(
            (said.heard, said.down, said.failing_over),
            (Some(Duration::from_millis(2100)), true, false)
        );
        assert_eq!(said.down_after, Duration::from_secs(5));
        let said = word(vec![Ok(list(&["10.0.0.2", "6379"])), Ok(list(&state))]).expect("a word");
        assert_eq!((said.heard, said.down), (None, false));
    }

    #[test]
    fn nonsense_is_no_word() {
        for answer in [
            Value::Nil,
            Value::Int(3),
            list(&["10.0.0.1"]),
            list(&["redis-a", "6379"]),
            list(&["10.0.0.1", "0"]),
        ] {
            assert!(
                word(vec![Ok(answer.clone()), Ok(list(&[]))]).is_err(),
                "{answer:?}"
            );
        }
        assert!(word(vec![]).is_err());
        assert!(candidate(list(&["ip"])).is_none());
        assert!(candidate(Value::Nil).is_none());
    }
}
