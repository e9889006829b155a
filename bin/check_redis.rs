//! `check_redis`: see [`keepalived_redis::programs::cli`].

fn main() -> std::process::ExitCode {
    keepalived_redis::programs::cli::check_redis()
}
