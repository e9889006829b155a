//! `keepalived-redis`: see [`keepalived_redis::console`].

mod allocator;

fn main() -> std::process::ExitCode {
    keepalived_redis::console::keepalived_redis()
}
