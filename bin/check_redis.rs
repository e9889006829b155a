//! `check_redis`: see [`keepalived_redis::programs::cli`].

mod allocator;

fn main() -> std::process::ExitCode {
    keepalived_redis::programs::cli::check_redis()
}
