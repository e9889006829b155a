//! `keepalived-redis`: see [`keepalived_redis::console`].

fn main() -> std::process::ExitCode {
    keepalived_redis::console::keepalived_redis()
}
