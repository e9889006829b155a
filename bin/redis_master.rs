//! `redis_master`: see [`keepalived_redis::programs::cli`].

fn main() -> std::process::ExitCode {
    keepalived_redis::programs::cli::redis_master()
}
