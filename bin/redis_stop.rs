//! `redis_stop`: see [`keepalived_redis::cli`].

fn main() -> std::process::ExitCode {
    keepalived_redis::cli::redis_stop()
}
