//! INFO as a server writes it, and text that is no INFO.

use super::*;
use proptest::prelude::*;

const REPLICA: &str = "# Server\r\nredis_version:7.0.15\r\n\
    run_id:0123456789abcdef0123456789abcdef01234567\r\n\
    # Replication\r\nrole:slave\r\nmaster_host:192.168.158.12\r\nmaster_port:6379\r\n\
    master_link_status:up\r\nmaster_sync_in_progress:0\r\nslave_read_repl_offset:120\r\n\
    slave_repl_offset:113\r\nconnected_slaves:0\r\n\
    master_replid:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\
    master_replid2:0000000000000000000000000000000000000000\r\nmaster_repl_offset:113\r\n\
    second_repl_offset:-1\r\n# Persistence\r\nloading:0\r\n\
    # Keyspace\r\ndb0:keys=3,expires=0,avg_ttl=0\r\ndb12:keys=4,expires=1,avg_ttl=0\r\n";

#[test]
fn a_replica_is_read_with_its_applied_offset() {
    let seen = Observation::read(REPLICA).expect("a real INFO");
    assert!(seen.follows("192.168.158.12:6379".parse().expect("an address")));
    assert_eq!(seen.replication.lineage.offset, 113);
    assert_eq!(seen.replication.lineage.replid2, None);
    assert_eq!(seen.following().and_then(|f| f.received), Some(120));
    assert_eq!(
        (seen.keys, seen.version, seen.loading),
        (7, Version(7, 0, 15), false)
    );
}

#[test]
fn nothing_is_decided_on_nonsense() {
    for (from, to) in [
        ("role:slave", "role:king"),
        (
            "master_repl_offset:113\r\n",
            "master_repl_offset:99999999999999999999999\r\n",
        ),
        ("master_port:6379", "master_port:70000"),
        ("run_id:0123", "run_id:xyz-"),
        ("master_host:192.168.158.12", "master_host:"),
    ] {
        assert!(
            Observation::read(&REPLICA.replace(from, to)).is_err(),
            "{to}"
        );
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(role:(slave|master)\r\n)?([a-z_0-9]{1,20}:[ \
        -~]{0,30}\r\n){0,12}") {
        let _ = Observation::read(&text);
    }

    #[test]
    fn no_number_makes_it_panic(number in any::<i128>(), field in prop::sample::select(vec![
        "master_repl_offset", "slave_repl_offset", "second_repl_offset", "master_port",
        "connected_slaves", "master_sync_total_bytes", "master_sync_left_bytes",
        "master_sync_read_bytes",
    ])) {
        let _ = Observation::read(&format!("{REPLICA}{field}:{number}\r\n"));
    }
}
