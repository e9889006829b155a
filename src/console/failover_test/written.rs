//! What the writer has written: read back, and deleted.

use std::time::Duration;

use anyhow::{bail, ensure};
use redis::{Value, cmd};

use crate::deadline::Deadline;
use crate::server::Server;

/// Read back, or deleted, at a time.
const BATCH: usize = 200;
const ANSWERS: Duration = Duration::from_secs(5);

/// A write that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub number: u64,
    /// When the answer came, since the writer was started.
    pub at: Duration,
}

/// What a writer has written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    pub prefix: String,
    /// All numbers below this were tried.
    pub tried: u64,
    /// In the order of time.
    pub acknowledged: Vec<Write>,
}

#[cfg(test)]
impl Written {
    pub(crate) fn of(acknowledged: Vec<Write>) -> Written {
        Written {
            acknowledged,
            ..Written::default()
        }
    }
}

/// The acknowledged writes that are not there any more.
///
/// # Errors
/// They can't be read.
pub(crate) fn missing(server: &mut Server, written: &Written) -> anyhow::Result<Vec<Write>> {
    let mut lost = Vec::new();
    for some in written.acknowledged.chunks(BATCH) {
        let mut command = cmd("MGET");
        some.iter().for_each(|write| {
            command.arg(format!("{}{}", written.prefix, write.number));
        });
        let Value::Array(values) = server.call_again(&command, Deadline::after(ANSWERS))? else {
            bail!("MGET answered no list");
        };
        ensure!(
            values.len() == some.len(),
            "MGET answered {} values of {}",
            values.len(),
            some.len()
        );
        let is_there = |(write, value): &(&Write, &Value)| {
            **value == Value::BulkString(write.number.to_string().into_bytes())
        };
        lost.extend(
            some.iter()
                .zip(&values)
                .filter(|pair| !is_there(pair))
                .map(|(write, _)| *write),
        );
    }
    Ok(lost)
}

/// Deletes all that it may have written, acknowledged or not.
///
/// # Errors
/// Not all of it was deleted.
pub(crate) fn delete(server: &mut Server, written: &Written) -> anyhow::Result<()> {
    let mut from = 0;
    while from < written.tried {
        let to = written.tried.min(from + BATCH as u64);
        let mut command = cmd("UNLINK");
        (from..to).for_each(|number| {
            command.arg(format!("{}{number}", written.prefix));
        });
        server.call_again(&command, Deadline::after(ANSWERS))?;
        from = to;
    }
    Ok(())
}
