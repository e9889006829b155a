//! Hostile input: whatever comes from a peer, from the memory or from a password file, nothing
//! panics, nothing outlasts its deadline, memory stays bounded, and nothing is done because of it.
//! The configuration file has its own such tests in `config.rs`; the programs themselves are tried
//! in the lab.

mod files;
mod info;
mod nonsense;
mod peer;
mod peers;
mod sentinels;
