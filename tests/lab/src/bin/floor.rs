//! The least that a check of Redis can cost: one connection, one PING, one answer.
#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(address) = std::env::args().nth(1) else {
        return ExitCode::from(2);
    };
    match ping(&address) {
        Ok(answer) if answer > 0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn ping(address: &str) -> std::io::Result<usize> {
    let mut redis = TcpStream::connect(address)?;
    redis.write_all(b"PING\r\n")?;
    redis.read(&mut [0; 64])
}
