//! `check_redis`: see [`keepalived_redis::cli`].

fn main() -> std::process::ExitCode {
    keepalived_redis::cli::check_redis()
}
