//! What an inspection found: the counts, and the lines that people and programs read.

use std::net::SocketAddr;
use std::time::Duration;

use bytesize::ByteSize;
use serde_json::json;

use super::compare::{Entry, Fate};
use super::export::Exported;
use super::found::Found;
use super::key::quoted;
use super::reader::Asked;
use crate::act::rollback::Verified;
use crate::terminal::{Terminal, Tone, plain};

/// How many keys of a file came to which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    same: u64,
    only: u64,
    differ: u64,
    unclear: u64,
    expired: u64,
}

impl Tally {
    pub(crate) fn count(&mut self, fate: &Fate) {
        *match fate {
            Fate::Same => &mut self.same,
            Fate::OnlyInFile => &mut self.only,
            Fate::Differs(_) => &mut self.differ,
            Fate::Unclear => &mut self.unclear,
            Fate::Expired => &mut self.expired,
        } += 1;
    }

    pub(crate) fn keys(&self) -> u64 {
        self.same + self.only + self.differ + self.unclear
    }

    /// Nothing is in the file alone.
    pub(crate) fn is_whole(&self) -> bool {
        self.only + self.differ + self.unclear == 0
    }

    fn to_name(self) -> u64 {
        self.only + self.differ + self.unclear
    }
}

/// Says it, to people or to programs.
pub(crate) struct Report<'t> {
    terminal: &'t Terminal,
    json: bool,
    limit: Option<u64>,
    named: u64,
}

impl<'t> Report<'t> {
    /// Names `limit` keys at most.
    pub(crate) fn new(terminal: &'t Terminal, json: bool, limit: Option<u64>) -> Report<'t> {
        Report {
            terminal,
            json,
            limit,
            named: 0,
        }
    }

    /// What is compared with what.
    pub(crate) fn begin(
        &self,
        file: &Found,
        node: SocketAddr,
        how: &str,
        verified: &Verified,
        libraries: &[String],
    ) {
        if self.json {
            return;
        }
        let size = ByteSize(file.bytes.unwrap_or(0)).display().si();
        let keys = verified
            .keys
            .map(|keys| format!("{}, ", counted(keys, "key")))
            .unwrap_or_default();
        let lines = [
            file.path.display().to_string(),
            match &file.about {
                Ok(about) => format!(
                    "{keys}{size}, data of {}, which gave way to {}",
                    about.node, about.followed
                ),
                Err(why) => format!("{keys}{size}; {why}"),
            },
            format!("compared with {node}, {how}"),
        ];
        for line in lines {
            self.terminal.line(&plain(&line));
        }
        if !libraries.is_empty() {
            let names = libraries.join(", ");
            self.terminal.line(&plain(&format!(
                "it holds function libraries, which are not compared: {names}"
            )));
        }
    }

    /// This one is to be named.
    pub(crate) fn names(&mut self, fate: &Fate) -> bool {
        let wanted = matches!(fate, Fate::OnlyInFile | Fate::Differs(_) | Fate::Unclear);
        wanted && self.limit.is_none_or(|limit| self.named < limit)
    }

    /// One key; false where nobody reads any more.
    pub(crate) fn key(&mut self, db: u64, entry: &Entry) -> bool {
        self.named += 1;
        if self.json {
            return self.terminal.json(&key_json(db, entry).to_string());
        }
        let (what, tone, detail) = match &entry.fate {
            Fate::OnlyInFile => ("only in the file", Tone::Warning, String::new()),
            Fate::Differs(how) => ("differs", Tone::Warning, format!("  ({how})")),
            Fate::Unclear | Fate::Same | Fate::Expired => {
                ("not compared", Tone::Faint, "  (of a module)".into())
            }
        };
        let what = self.terminal.paint(tone, &format!("{what:<16}"));
        self.terminal.line(&format!(
            "{what}  db{db}  {:<6}  {}{detail}",
            plain(&entry.kind),
            quoted(&entry.key)
        ))
    }

    /// The counts. `in_file` is how many keys were counted in the file when it was read.
    pub(crate) fn end(
        &self,
        tally: &Tally,
        node: SocketAddr,
        asked: Asked,
        took: Duration,
        in_file: Option<u64>,
        exported: Option<Exported>,
    ) {
        let a_second = asked.commands as f64 / asked.time.as_secs_f64().max(0.001);
        if self.json {
            let summary = json!({"compared": tally.keys(), "same": tally.same,
                "only_in_file": tally.only, "differ": tally.differ, "not_compared": tally.unclear,
                "expired": tally.expired, "in_file": in_file, "with": node,
                "commands": asked.commands, "commands_per_second": a_second.round(),
                "took_ms": took.as_millis(), "exported": exported.as_ref().map(|done| done.keys)});
            self.terminal
                .json(&json!({ "summary": summary }).to_string());
            return;
        }
        let left = tally.to_name().saturating_sub(self.named);
        if left > 0 {
            self.terminal
                .line(&format!("... and {left} more (--all names them)"));
        }
        let counts = format!(
            "of {}: {} same, {} only in the file, {} differ{}",
            counted(tally.keys(), "key"),
            tally.same,
            tally.only,
            tally.differ,
            if tally.unclear > 0 {
                format!(", {} not compared", tally.unclear)
            } else {
                String::new()
            }
        );
        let tone = if tally.is_whole() {
            Tone::Good
        } else {
            Tone::Strong
        };
        self.terminal.line(&self.terminal.paint(tone, &counts));
        if let Some(gone) = in_file
            .and_then(|keys| keys.checked_sub(tally.keys()))
            .filter(|gone| *gone > 0)
        {
            let why = "their time has run out since it was kept, or they are the programs' own";
            self.terminal.line(&format!(
                "{} of the file left out: {why}",
                counted(gone, "key")
            ));
        }
        if tally.only > 0 {
            self.terminal
                .line("only in the file: the service never had it, or it was deleted there since");
        }
        if let Some(done) = exported {
            self.terminal.line(&done.to_string());
        }
        let rate = if asked.time >= Duration::from_secs(1) {
            format!(", {a_second:.0} a second")
        } else {
            String::new()
        };
        let said = format!(
            "times to live are not compared; {node} was only read: {} commands{rate}",
            asked.commands
        );
        self.terminal.line(&self.terminal.paint(Tone::Faint, &said));
    }
}

fn key_json(db: u64, entry: &Entry) -> serde_json::Value {
    let (what, detail) = match &entry.fate {
        Fate::OnlyInFile => ("only_in_file", None),
        Fate::Differs(how) => ("differs", Some(how)),
        Fate::Unclear => ("not_compared", None),
        Fate::Same => ("same", None),
        Fate::Expired => ("expired", None),
    };
    let mut line = json!({"what": what, "db": db, "type": entry.kind});
    let (name, key) = match std::str::from_utf8(&entry.key) {
        Ok(text) => ("key", text.to_owned()),
        // JSON knows no bytes.
        Err(_) => (
            "key_hex",
            entry.key.iter().map(|byte| format!("{byte:02x}")).collect(),
        ),
    };
    if let Some(map) = line.as_object_mut() {
        map.insert(name.to_owned(), key.into());
        if let Some(detail) = detail {
            map.insert("detail".to_owned(), detail.as_str().into());
        }
    }
    line
}

/// `1 key`, `2 keys`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_names_any_key() {
        let entry = |key: &[u8], fate| Entry {
            key: key.to_vec(),
            kind: "hash".to_owned(),
            fate,
        };
        let line = key_json(3, &entry(b"a\"b", Fate::Differs("field \"f\"".to_owned())));
        assert_eq!(
            line,
            json!({"what": "differs", "db": 3, "type": "hash", "key": "a\"b",
                "detail": "field \"f\""})
        );
        let line = key_json(0, &entry(b"\xff\x00", Fate::OnlyInFile));
        assert_eq!(
            line,
            json!({"what": "only_in_file", "db": 0, "type": "hash", "key_hex": "ff00"})
        );
    }

    #[test]
    fn only_what_is_missing_somewhere_is_named_and_no_more_than_wanted() {
        let terminal = Terminal {
            colour: false,
            is_terminal: false,
            width: None,
        };
        let mut report = Report::new(&terminal, false, Some(1));
        assert!(!report.names(&Fate::Same) && !report.names(&Fate::Expired));
        assert!(report.names(&Fate::OnlyInFile));
        report.named = 1;
        assert!(!report.names(&Fate::OnlyInFile));
        let mut tally = Tally::default();
        assert!(tally.is_whole());
        for fate in [
            Fate::Same,
            Fate::OnlyInFile,
            Fate::Expired,
            Fate::Differs(String::new()),
        ] {
            tally.count(&fate);
        }
        assert_eq!(
            (tally.keys(), tally.to_name(), tally.is_whole()),
            (3, 2, false)
        );
    }
}
