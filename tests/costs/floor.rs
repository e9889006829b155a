//! The least that a check of Redis can cost: one connection, one PING, one answer. Each feature
//! adds one of the product's crates, used as `check_redis` uses it (serde_json: as the programs do
//! that keep a rollback file).
//!
//! `floor ADDRESS CONFIGURATION`
#![forbid(unsafe_code)]

#[allow(unused_imports)]
use std::hint::black_box;
#[allow(unused_imports)]
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

#[cfg(feature = "dlmalloc")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

const PATIENCE: Duration = Duration::from_millis(400);

/// Is the local Redis alive, and in the role that this node's VRRP state demands?
#[cfg(feature = "clap")]
#[derive(clap::Parser)]
#[command(version, after_help = "Exit codes: 0 yes or done, 1 no, 2 wrong usage, 3 cannot tell.")]
struct Options {
    address: String,
    file: std::path::PathBuf,
    /// The configuration file, the same on every node [default: /etc/keepalived/redis-ha.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// Say more: a check also says what it found when all is well
    #[arg(short, long)]
    verbose: bool,
    /// Ask instead whether this node may take the VIP, or is its data behind?
    #[arg(long)]
    eligible: bool,
    /// The whole run's deadline, as 400ms [default: timing.check of the configuration]
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    /// When the local Redis is dead also run `systemctl stop keepalived`
    #[arg(long)]
    stop_keepalived: bool,
    /// Forget how often the local Redis died: it is mended, and may take the VIP again
    #[arg(long, conflicts_with_all = ["eligible", "stop_keepalived", "timeout"])]
    forget_failures: bool,
    /// Go on running
    #[arg(long, value_name = "FILE", conflicts_with_all = ["eligible", "stop_keepalived", "timeout", "forget_failures"])]
    watch: Option<std::path::PathBuf>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let [_, address, file] = words.as_slice() else { return ExitCode::from(2) };
    #[cfg(feature = "clap")]
    black_box(<Options as clap::Parser>::parse());
    use_crates(file);
    match address.parse().ok().and_then(ping) {
        Some(answer) if answer > 0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn ping(address: SocketAddr) -> Option<usize> {
    let mut redis = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    redis.set_read_timeout(Some(PATIENCE)).ok()?;
    #[cfg(feature = "redis")]
    redis.write_all(&redis::cmd("PING").get_packed_command()).ok()?;
    #[cfg(not(feature = "redis"))]
    redis.write_all(b"PING\r\n").ok()?;
    #[cfg(feature = "redis-parser")]
    return redis::Parser::new().parse_value(redis).ok().map(|_| 1);
    #[cfg(not(feature = "redis-parser"))]
    redis.read(&mut [0; 64]).ok()
}

#[allow(unused_variables)]
fn use_crates(file: &str) {
    #[cfg(any(feature = "toml", feature = "serde_json"))]
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Life {
        run_id: String,
        counted: bool,
    }
    #[cfg(feature = "toml")]
    {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        black_box(toml::de::DeTable::parse(&text).is_ok());
        let life = black_box("run_id = \"0123456789abcdef0123456789abcdef01234567\"\ncounted = \
            false\n");
        let life: Option<Life> = toml::from_str(life).ok();
        // Written only where something has changed.
        if std::env::args().len() == 7 {
            black_box(life.map(|life| toml::to_string(&life)));
        }
    }
    #[cfg(feature = "serde_json")]
    black_box(serde_json::to_string_pretty(&Life { run_id: file.to_owned(), counted: false }).ok());
    #[cfg(feature = "chrono")]
    black_box(chrono::Local::now().format("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string());
    #[cfg(feature = "humantime")]
    black_box(humantime::parse_duration(black_box("400ms")).is_ok());
    #[cfg(feature = "anyhow")]
    {
        use anyhow::Context;
        let text = std::fs::metadata(black_box("/proc/nowhere")).with_context(|| format!("reading {file}"));
        black_box(text.map_err(|error| format!("{error:#}")).is_ok());
    }
}
