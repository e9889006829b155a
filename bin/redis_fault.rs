//! `redis_fault`: see [`keepalived_redis::programs::cli`].

mod allocator;

fn main() -> std::process::ExitCode {
    keepalived_redis::programs::cli::redis_fault()
}
