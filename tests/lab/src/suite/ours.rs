//! The programs of this tree, installed as a person would: by install.sh.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

use crate::boot::TREE;
use crate::lab::{self, Lab};
use crate::redis_server::{Local, PASSWORD, PORT, SOCKET};
use crate::tls;

/// What install.sh writes, and does not touch again once it was edited.
const CONFIG: &str = "/etc/keepalived/redis-ha.toml";

const PROGRAMS: [&str; 6] = [
    "check_redis",
    "redis_master",
    "redis_backup",
    "redis_fault",
    "redis_stop",
    "keepalived-redis",
];

/// Runs install.sh on every host.
pub fn install(lab: &Lab, sticky: bool, fast: bool) -> Result<()> {
    let mut more = Vec::new();
    more.extend(sticky.then_some("--sticky"));
    more.extend(fast.then_some("--profile fast"));
    install_with(lab, &more.join(" "))
}

/// The same, with these options behind those that every cluster needs.
pub fn install_with(lab: &Lab, more: &str) -> Result<()> {
    let from = programs()?;
    let names: Vec<&str> = lab.hosts.iter().map(|host| host.name.as_str()).collect();
    let nodes: Vec<String> = lab
        .hosts
        .iter()
        .map(|host| SocketAddr::new(host.address, PORT).to_string())
        .collect();
    let vip = format!("{}/{}", lab.vip, if lab.vip.is_ipv6() { 64 } else { 24 });
    let local = match lab.settings.local {
        Local::Address => String::new(),
        Local::Socket => format!("local = \"unix:{SOCKET}\"\n"),
    };
    for host in &lab.hosts {
        host.sh("mkdir -p /tmp/bin")?;
        for program in PROGRAMS {
            std::fs::copy(
                from.join(program),
                host.file(&format!("/tmp/bin/{program}")),
            )
            .with_context(|| format!("copying {program}"))?;
        }
        host.write("/tmp/password", PASSWORD, 0o600)?;
        let out = host.sh(&format!(
            "sh {TREE}/install.sh --bin-dir /tmp/bin --nodes {} --vip {vip} --interface eth0 \
             --password-file /tmp/password --names {} {more} 2>&1",
            nodes.join(","),
            names.join(","),
        ))?;
        let said = String::from_utf8_lossy(&out.stdout);
        ensure!(
            out.status.success(),
            "install.sh on {}: {}\n{said}",
            host.name,
            out.status
        );
        let sentinel = if more.contains("--sentinel-master") {
            tls::section("sentinel.tls")
        } else {
            String::new()
        };
        let file = host.file(CONFIG);
        let text = std::fs::read_to_string(&file).with_context(|| format!("reading {CONFIG}"))?;
        let local = if text.starts_with(&local) { "" } else { &local };
        std::fs::write(
            &file,
            format!("{local}{text}{}{sentinel}", tls::section("tls")),
        )?;
        host.tell("install.sh done");
    }
    Ok(())
}

/// Where the programs are: `LAB_BIN_DIR`, or built now, once.
pub fn programs() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    if let Some(dir) = std::env::var_os("LAB_BIN_DIR") {
        return Ok(PathBuf::from(dir));
    }
    let built = BUILT.get_or_init(|| build().map_err(|e| format!("{e:#}")));
    built.clone().map_err(anyhow::Error::msg)
}

fn build() -> Result<PathBuf> {
    let tree = lab::tree()?;
    // A directory of its own: cargo may hold the usual one while it runs the tests.
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| tree.join("target"), PathBuf::from)
        .join("lab");
    let out = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--release",
            "--bins",
            "-p",
            "keepalived-redis",
            "--target-dir",
        ])
        .arg(&target)
        .current_dir(&tree)
        .output()
        .context("running cargo")?;
    ensure!(
        out.status.success(),
        "cargo build: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    let dir = target.join("release");
    ensure!(Path::new(&dir).is_dir(), "no {}", dir.display());
    Ok(dir)
}
