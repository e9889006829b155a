//! How the programs are linked: code and constants in one mapping, as all linkers did until 2018,
//! and not in three. A check runs every second for ever, and spends an eighth less on page faults
//! that way (docs/costs.md). Nothing that can be written to can be executed, as ever.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,noseparate-code");
    }
}
