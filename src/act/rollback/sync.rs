//! The data of a Redis as a replica gets it: SYNC, and the RDB that comes then.
//!
//! `redis-cli --rdb` does the same but for one thing, and cannot be told to: it names no port. INFO
//! then has a replica with port 0, and a sentinel that still takes this server for the master keeps
//! that one for good (R38).

use std::io::Write;
use std::time::Duration;

use anyhow::{anyhow, bail, ensure};
use redis::cmd;

use super::GoOn;
use crate::deadline::Deadline;
use crate::server::access::Access;
use crate::server::conversation::Line;
use crate::server::endpoint::Endpoint;
use crate::server::failure::Failure;
use crate::server::info::short;
use crate::server::renamed;

/// Redis shows in INFO whatever it is told here; what is no port no sentinel takes for a replica
/// (R38).
const NO_PORT: &str = "65536";
/// Longer than anything that Redis says before the RDB, errors included.
const LONGEST: usize = 4096;
const DENIED: &str = "SYNC: it says ";
/// Behind an RDB whose length was not known when it began.
const MARK: usize = 40;
/// The longest time without asking whether to go on.
const TICK: Duration = Duration::from_millis(10);

/// Writes an RDB of the Redis at `endpoint` to `into`, before `deadline`.
pub(crate) fn copy(
    into: &mut impl Write,
    endpoint: &Endpoint,
    auth: &Access,
    deadline: Deadline,
    go_on: GoOn<'_>,
) -> anyhow::Result<()> {
    let trouble = |failure: Failure| match failure {
        Failure::Reset => {
            anyhow!("copying the data of {endpoint}: the connection ended before the copy did")
        }
        failure => anyhow!("copying the data of {endpoint}: {failure}"),
    };
    let explained = |error: anyhow::Error| {
        let said = error.to_string();
        let said = said
            .strip_prefix(DENIED)
            .and_then(|said| said.strip_prefix("ERR "));
        said.and_then(|said| renamed::explain(auth.commands.as_deref(), said))
            .map_or(error, |said| anyhow!("{DENIED}ERR {said}"))
    };
    let mut line = Line::open(endpoint, auth, deadline).map_err(trouble)?;
    // "rdb-only" (since 7.0): no replica, it needs none of what is written meanwhile.
    let replconf = [
        ("listening-port", NO_PORT),
        ("capa", "eof"),
        ("rdb-only", "1"),
    ]
    .map(|(what, value)| cmd("REPLCONF").arg(what).arg(value).clone());
    let sent = line.send(&replconf, deadline);
    while !line.has_news(deadline.at_most(TICK)) {
        go_on()?;
        ensure!(
            !deadline.is_over(),
            "copying the data of {endpoint}: no answer in time"
        );
    }
    for answer in line.receive(sent, replconf.len()).map_err(trouble)? {
        match answer {
            // Where this right is missing SYNC may be allowed all the same.
            Err(denial) if denial.is_about_auth() && denial.code != "NOPERM" => {
                return Err(trouble(Failure::Denied(denial)));
            }
            _ => {}
        }
    }
    // By itself: Redis refuses it where an answer is still on its way. A write that fails is told
    // by what is read.
    let _ = line.send(&[cmd("SYNC")], deadline);
    let mut rdb = Rdb::Unheard(Vec::new());
    let mut buffer = vec![0; 64 << 10];
    let mut ask = Deadline::after(TICK);
    loop {
        if ask.is_over() {
            go_on()?;
            ensure!(
                !deadline.is_over(),
                "copying the data of {endpoint}: not done in time"
            );
            ask = Deadline::after(TICK);
        }
        if let Some(read) = line.read_raw(&mut buffer, ask).map_err(trouble)?
            && rdb
                .take(buffer.get(..read).unwrap_or_default(), into)
                .map_err(explained)?
        {
            return Ok(());
        }
    }
}

/// What comes after SYNC, so far.
#[derive(Debug)]
enum Rdb {
    /// Empty lines, while Redis gets ready; then a line that says how the RDB ends.
    Unheard(Vec<u8>),
    /// It is so much longer.
    Sized(u64),
    /// It ends with a mark; what may be the beginning of that is not yet written.
    Marked { mark: Vec<u8>, tail: Vec<u8> },
}

impl Rdb {
    /// Takes what has come and writes what is of the RDB; true at its end.
    fn take(&mut self, bytes: &[u8], into: &mut impl Write) -> anyhow::Result<bool> {
        match self {
            Rdb::Unheard(line) => {
                line.extend_from_slice(bytes);
                let pings = line.iter().take_while(|byte| **byte == b'\n').count();
                line.drain(..pings);
                let Some(end) = line.windows(2).position(|two| two == b"\r\n") else {
                    ensure!(line.len() < LONGEST, "the answer to SYNC has no end");
                    return Ok(false);
                };
                let rest = line.split_off(end + 2);
                line.truncate(end);
                *self = Rdb::announced(line)?;
                self.take(&rest, into)
            }
            Rdb::Sized(left) => {
                let ours = bytes
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                into.write_all(bytes.get(..ours).unwrap_or(bytes))?;
                *left -= u64::try_from(ours)?;
                Ok(*left == 0)
            }
            Rdb::Marked { mark, tail } => {
                tail.extend_from_slice(bytes);
                let certain = tail.len().saturating_sub(MARK);
                into.write_all(tail.get(..certain).unwrap_or_default())?;
                tail.drain(..certain);
                Ok(tail == mark)
            }
        }
    }

    fn announced(line: &[u8]) -> anyhow::Result<Rdb> {
        let text = String::from_utf8_lossy(line);
        if let Some(error) = text.strip_prefix('-') {
            bail!("{DENIED}{}", short(error));
        }
        match text
            .strip_prefix('$')
            .map(|end| (end.strip_prefix("EOF:"), end.parse()))
        {
            Some((Some(mark), _)) if mark.len() == MARK => Ok(Rdb::Marked {
                mark: mark.as_bytes().to_vec(),
                tail: Vec::new(),
            }),
            Some((None, Ok(length))) => Ok(Rdb::Sized(length)),
            _ => bail!(
                "the answer to SYNC is not that of a Redis: {}",
                short(&text)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOME_MARK: &str = "0123456789abcdef0123456789abcdef01234567";

    /// What is written of `chunks`, where they have an end.
    fn taken<'c>(chunks: impl Iterator<Item = &'c [u8]>) -> Result<Option<Vec<u8>>, String> {
        let (mut rdb, mut written) = (Rdb::Unheard(Vec::new()), Vec::new());
        for chunk in chunks {
            if rdb
                .take(chunk, &mut written)
                .map_err(|error| error.to_string())?
            {
                return Ok(Some(written));
            }
        }
        Ok(None)
    }

    fn said(bytes: &[u8]) -> String {
        taken([bytes].into_iter()).expect_err("an error")
    }

    #[test]
    fn an_error_is_told_and_rubbish_is_none_of_a_redis() {
        assert_eq!(
            said(b"-NOMASTERLINK Can't SYNC\r\n"),
            "SYNC: it says NOMASTERLINK Can't SYNC"
        );
        for rubbish in [
            &b"+CONTINUE\r\n"[..],
            b"$-1\r\n",
            b"$EOF:short\r\n",
            b"$\r\n",
            b"\xff\r\n",
            b":1\r\n",
        ] {
            assert!(
                said(rubbish).starts_with("the answer to SYNC is not that of a Redis"),
                "{}",
                said(rubbish)
            );
        }
        assert_eq!(said(&[b'a'; LONGEST]), "the answer to SYNC has no end");
    }

    proptest! {
        #[test]
        fn the_rdb_is_the_same_in_whatever_pieces_it_comes(
            data in proptest::collection::vec(prop_oneof![Just(b'0'), Just(b'\n'), any::<u8>()], 1..300),
            pings in 0..5_usize,
            marked: bool,
            pieces in proptest::collection::vec(1..90_usize, 1..20),
        ) {
            let mut sent = vec![b'\n'; pings];
            if marked {
                sent.extend(format!("$EOF:{SOME_MARK}\r\n").as_bytes());
            } else {
                sent.extend(format!("${}\r\n", data.len()).as_bytes());
            }
            sent.extend(&data);
            sent.extend(if marked { SOME_MARK.as_bytes() } else { b"*1\r\n$4\r\nPING\r\n" });
            let mut rest = &sent[..];
            let mut lengths = pieces.iter().cycle();
            let chunks = std::iter::from_fn(|| {
                let (chunk, more) = rest.split_at(rest.len().min(*lengths.next()?));
                rest = more;
                (!chunk.is_empty()).then_some(chunk)
            });
            prop_assert_eq!(taken(chunks), Ok(Some(data.clone())));
            // Cut off anywhere, it has no end.
            let cut = sent.len() - if marked { 1 } else { b"*1\r\n$4\r\nPING\r\n".len() + 1 };
            prop_assert_eq!(taken([&sent[..cut]].into_iter()), Ok(None));
        }
    }
}
