//! What is advised for Redis and the sentinels is done, as a person would: for tests.

use super::redis_case::{Case, set, up};

impl Case {
    /// Does what a command would do.
    pub(crate) fn follow(&mut self, command: &str) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let after = |word: &str| {
            words
                .iter()
                .position(|known| *known == word)
                .map(|at| &words[at + 1..])
        };
        let host: std::net::IpAddr = after("-h")
            .and_then(|rest| rest.first())
            .expect("to whom")
            .parse()
            .expect("an address");
        if let Some([_, "down-after-milliseconds", millis]) =
            after("sentinel").and_then(|rest| rest.get(1..))
        {
            let sentinel = self
                .sentinels
                .iter_mut()
                .find(|node| node.address.ip() == host)
                .expect("a sentinel");
            let said = sentinel.said.as_mut().expect("it answers");
            said.fields
                .insert("down-after-milliseconds".to_owned(), (*millis).to_owned());
            return;
        }
        if command.contains("sentinel reset") {
            let said = self
                .sentinels
                .iter_mut()
                .filter_map(|node| node.said.as_mut().ok());
            said.for_each(|said| {
                drop(
                    said.fields
                        .insert("num-other-sentinels".to_owned(), "2".to_owned()),
                )
            });
            return;
        }
        let node = self
            .redises
            .nodes
            .iter_mut()
            .find(|node| node.address.ip() == host)
            .expect("a node");
        if command.contains("config set masterauth") || command.contains("+psync") {
            return self
                .redises
                .logins
                .iter_mut()
                .for_each(|login| login.outcome = Ok(()));
        }
        if let Some(sentinel) = self.sentinels.iter_mut().find(|_| words.contains(&"26379")) {
            return sentinel.said.as_mut().expect("it answers").refused.clear();
        }
        if let Some([_, rule]) = after("setuser") {
            let rights = up(node).rights.as_mut().expect("they can be asked for");
            rights
                .iter_mut()
                .filter(|(right, _)| format!("'{}'", right.rule) == *rule)
                .for_each(|(_, may)| *may = Ok(()));
            return;
        }
        let (_, rest) = command.split_once("config set ").expect("a setting");
        let (name, value) = rest
            .split(" && ")
            .next()
            .and_then(|rest| rest.split_once(' '))
            .expect("its value");
        let value = value.trim_matches('\'');
        let value = match value.strip_suffix("mb") {
            Some(number) => (number.parse::<u64>().expect("a number") << 20).to_string(),
            None => value.to_owned(),
        };
        set(node, name, &value);
    }
}
