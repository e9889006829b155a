//! What is refused, and what is written down.

use super::*;
use crate::node::journal::TRANSITIONS;
use crate::node::memory::{Lacking, Store};
use crate::server::failure::Denial;
use crate::server::info::Observation;
use std::net::SocketAddr;

const NOBODY: Terminal = Terminal {
    colour: false,
    is_terminal: false,
    width: None,
};
const MASTER: &str = "redis_version:7.0.15\r\n\
    run_id:0123456789abcdef0123456789abcdef01234567\r\nrole:master\r\n\
    master_replid:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\
    master_replid2:0000000000000000000000000000000000000000\r\nmaster_repl_offset:113\r\n\
    second_repl_offset:-1\r\nconnected_slaves:0\r\nloading:0\r\n";

fn other() -> SocketAddr {
    "127.0.0.2:1".parse().expect("an address")
}

/// A directory with a configuration; nobody answers on any address in it.
fn stand(more: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("redis-ha.toml");
    let text = format!(
        "nodes = [\"127.0.0.1:1\", \"{}\"]\nvip = \"203.0.113.9\"\nlocal = \"127.0.0.1:1\"\n\
         [memory]\ndir = \"{1}/memory\"\n[log]\ndir = \"{1}/log\"\n{more}",
        other(),
        dir.path().display()
    );
    std::fs::write(&path, text).expect("written");
    (dir, path)
}

fn marked(dir: &tempfile::TempDir) -> Store {
    let store = Store::new(&dir.path().join("memory/redis-ha"));
    let outdated = Outdated {
        node: other(),
        why: Lacking::Seen,
        at: "2026-11-28T01:00:00".to_string(),
    };
    store.set(&outdated).expect("written");
    store
}

#[test]
fn a_refusal_leaves_the_mark_and_its_code_says_which_it_is() {
    let (dir, path) = stand("");
    assert_eq!(run(&path, true, &NOBODY), code::NO, "it is not marked");
    let store = marked(&dir);
    assert_eq!(run(&path, true, &NOBODY), code::NO, "the VIP is not here");
    let (_kept, sentinel) = stand("[sentinel]\nmaster_name = \"m\"\nnodes = [\"127.0.0.1:2\"]\n");
    assert_eq!(run(&sentinel, true, &NOBODY), code::NO, "Sentinel is there");
    let missing = dir.path().join("missing.toml");
    assert_eq!(run(&missing, true, &NOBODY), code::CANNOT_TELL);
    assert!(store.get::<Outdated>().is_some());
}

#[test]
fn it_is_for_the_holder_of_the_vip_while_the_newer_data_is_away() {
    let (dir, path) = stand("");
    let _ = marked(&dir);
    let mut worker = worker(&path).expect("valid");
    let mut view = worker.look(false);
    let seen = Observation::read(MASTER).expect("an INFO");
    view.local.seen = Ok(seen.clone());
    let says = |view: &View, words: &str| {
        let error = may_be_overridden(view).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    };
    says(&view, "the VIP is not here");
    view.vip = Vip::At(other());
    says(&view, "127.0.0.2:1 holds the VIP");
    view.vip = Vip::Here;
    let outdated = may_be_overridden(&view).expect("it may be");
    assert!(!serves(&view), "nobody has made it master");
    view.peers[0].seen = Ok(seen.clone());
    says(&view, "takes it over by itself");
    let loading = Observation {
        loading: true,
        ..seen
    };
    view.peers[0].seen = Ok(loading);
    says(&view, "loading its data");
    view.peers[0].seen = Err(Failure::Denied(Denial {
        code: "NOAUTH".to_string(),
        text: String::new(),
    }));
    says(&view, "is alive, but");
    view.peers[0].seen = Err(Failure::TimedOut);
    view.local.seen = Err(Failure::Refused);
    says(&view, "the local Redis can't serve");
    view.memory.outdated = None;
    says(&view, "nothing to do");
    let alone = is_wanted(&worker, &outdated, &NOBODY).expect_err("nobody is there");
    assert!(alone.to_string().contains("--yes"), "{alone}");
}

#[test]
fn what_is_overridden_is_a_line_of_the_journal_and_no_sync_of_before_counts() {
    let (dir, path) = stand("");
    let store = marked(&dir);
    store.set_synced("run", "replid", other()).expect("written");
    let mut worker = worker(&path).expect("valid");
    let outdated = store.get::<Outdated>().expect("the mark");
    forget(&worker, &outdated).expect("removed");
    assert!(store.get::<Outdated>().is_none() && store.get::<Synced>().is_none());
    let journal = std::fs::read_to_string(dir.path().join("log").join(TRANSITIONS));
    let line = "[Drain] outdated data may be served from now on, by hand; overridden: \
                127.0.0.2:1 has newer data (2026-11-28T01:00:00)";
    assert!(journal.expect("a journal").contains(line));
    let error = until_served(&mut worker, &outdated, &path).expect_err("the VIP is not here");
    assert!(error.to_string().contains("the VIP has left"), "{error}");
}

#[test]
fn the_word_alone_is_no_command_for_there_is_no_other_kind() {
    let parsed = |words: &[&str]| crate::console::command().try_get_matches_from(words);
    assert!(parsed(&["keepalived-redis", "promote", "--yes"]).is_err());
    assert!(parsed(&["keepalived-redis", "promote", "--outdated"]).is_ok());
}
