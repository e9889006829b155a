//! `redis_backup`: see [`keepalived_redis::cli`].

fn main() -> std::process::ExitCode {
    keepalived_redis::cli::redis_backup()
}
