//! What time it is: for people, and by a clock that nobody sets.

use std::fs;
use std::io;

/// This boot of the machine, and the seconds since it: a clock that nobody sets.
///
/// # Errors
/// When /proc is not mounted.
pub(crate) fn boot_clock() -> io::Result<(String, u64)> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_string();
    let uptime = fs::read_to_string("/proc/uptime")?;
    let seconds = uptime
        .split('.')
        .next()
        .and_then(|whole| whole.parse().ok());
    seconds
        .map(|seconds| (boot, seconds))
        .ok_or_else(|| io::Error::other("/proc/uptime has no number"))
}

/// Local time, as the journals and the memory files carry it.
pub(crate) fn now() -> String {
    chrono::Local::now()
        .format("%Y-%m-%dT%H:%M:%S%.3f%:z")
        .to_string()
}
