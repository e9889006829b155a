//! `redis_fault`: see [`keepalived_redis::programs::cli`].

fn main() -> std::process::ExitCode {
    keepalived_redis::programs::cli::redis_fault()
}
