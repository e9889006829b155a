//! Where it was measured.

use std::fs;
use std::path::Path;
use std::process::Command;

/// CPU, cores, memory, kernel, and the versions of what was tried, in one sentence. `programs` is
/// their directory.
pub fn described(programs: &Path) -> String {
    let cpu =
        field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    let memory = memory.map_or(String::new(), |kilobytes| {
        format!(", {:.0} GiB", kilobytes / 1024.0 / 1024.0)
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{cpu}, {cores} cores{memory}, Linux {}; keepalived {}, Redis {}; the programs: {}.",
        kernel.trim(),
        version("keepalived"),
        version("redis-server"),
        linked(&programs.join("check_redis"))
    )
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.split_once(':'))?;
    Some(line.1.trim().to_owned())
}

fn version(program: &str) -> String {
    let Ok(out) = Command::new(program).arg("--version").output() else {
        return "?".to_owned();
    };
    // keepalived speaks on stderr.
    let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    let bare = |word: &str| {
        word.trim_start_matches("v=")
            .trim_start_matches('v')
            .to_owned()
    };
    let number = said
        .split_whitespace()
        .map(bare)
        .find(|word| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit()));
    number.unwrap_or_else(|| "?".to_owned())
}

/// How a program was built, as far as it tells: who has to load it, and its size.
pub fn linked(program: &Path) -> String {
    let Ok(bytes) = fs::read(program) else {
        return "not found".to_owned();
    };
    let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    let libc = if has(b"/lib64/ld-linux") || has(b"/lib/ld-linux") {
        "dynamic, glibc"
    } else if has(b"/lib/ld-musl") {
        "dynamic, musl"
    } else if has(b"GLIBC_TUNABLES") {
        "static, glibc"
    } else {
        "static, musl"
    };
    format!("{libc}, {} kB", bytes.len() / 1000)
}
