//! INFO of any kind: read, or refused in one sentence; and whatever was read makes no decision
//! panic.

use std::time::Duration;

use keepalived_redis::decide::pair;
use keepalived_redis::decide::view::Vip;
use keepalived_redis::server::info::Observation;
use proptest::prelude::*;

use crate::nonsense::{self, view};
use crate::peer::MASTER;

/// A replica as it describes itself.
pub const REPLICA: &str = "# Server\r\nredis_version:7.0.15\r\nrun_id:89abcdef0123456789abcdef0123456789abcdef\r\n\
    # Replication\r\nrole:slave\r\nmaster_host:192.168.158.12\r\nmaster_port:6379\r\nmaster_link_status:up\r\n\
    master_sync_in_progress:1\r\nmaster_sync_total_bytes:1000\r\nmaster_sync_left_bytes:400\r\n\
    slave_read_repl_offset:120\r\nslave_repl_offset:113\r\nconnected_slaves:0\r\n\
    master_replid:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\
    master_replid2:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\nmaster_repl_offset:113\r\nsecond_repl_offset:57\r\n\
    # Persistence\r\nloading:0\r\nasync_loading:0\r\n# \
    Keyspace\r\ndb0:keys=3,expires=0,avg_ttl=0\r\ndb5:keys=4\r\n";

/// What a decision may lean on once it was read.
fn is_sane(seen: &Observation) -> bool {
    let hex = |id: &str| id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let lineage = &seen.replication.lineage;
    hex(&seen.run_id)
        && (lineage.replid.is_empty() || hex(&lineage.replid))
        && lineage
            .replid2
            .as_ref()
            .is_none_or(|id| hex(id) && lineage.second_offset >= 0)
        && lineage.offset >= 0
        && seen.following().is_none_or(|f| {
            !f.host.is_empty()
                && f.copied
                    .and_then(|copied| copied.percent())
                    .is_none_or(|percent| percent <= 100)
        })
}

fn is_one_line(reason: &str) -> bool {
    !reason.is_empty() && reason.len() < 400 && !reason.contains('\n')
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive("\r\n").collect()
}

#[test]
fn line_ends_do_not_matter() {
    for text in [MASTER, REPLICA] {
        let seen = Observation::read(text).expect("a real INFO");
        assert_eq!(
            Observation::read(&text.replace("\r\n", "\n")).as_ref(),
            Ok(&seen)
        );
        assert_eq!(
            Observation::read(&text.replace("\r\n", "\r\n\r\n")).as_ref(),
            Ok(&seen)
        );
    }
}

#[test]
fn a_field_that_is_missing_is_unknown_or_refused_by_name() {
    for text in [MASTER, REPLICA] {
        let all = lines(text);
        for (at, line) in all.iter().enumerate() {
            let name = line.split(':').next().expect("a name").trim();
            let rest: String = all
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at)
                .map(|(_, line)| *line)
                .collect();
            match Observation::read(&rest) {
                Ok(seen) => assert!(is_sane(&seen), "without {name}: {seen:?}"),
                Err(reason) => assert!(
                    is_one_line(&reason) && reason.contains(name),
                    "without {name}: {reason}"
                ),
            }
            let needed = matches!(name, "run_id" | "role")
                || text == REPLICA && matches!(name, "master_host" | "master_port");
            assert_eq!(Observation::read(&rest).is_err(), needed, "without {name}");
        }
    }
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i128>().prop_map(|n| n.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u8>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| n.to_string()),
        prop::sample::select(vec![
            "",
            "-1",
            "-0",
            "+1",
            " 1",
            "0x10",
            "1e3",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "18446744073709551615",
            "99999999999999999999999999999999999999999",
            "NaN",
            "up",
            "down",
            "master",
            "slave",
            "::1",
        ])
        .prop_map(str::to_owned),
        "[0-9a-f]{40}",
        "\\PC{0,50}",
    ]
}

/// INFO of a master or a replica in which so many lines were changed, doubled, dropped or moved.
fn edited() -> impl Strategy<Value = String> {
    let edit = (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        0u8..5,
        number(),
    );
    (
        prop::sample::select(vec![MASTER, REPLICA]),
        prop::collection::vec(edit, 0..6),
    )
        .prop_map(|(text, edits)| {
            let mut all: Vec<String> = lines(text).into_iter().map(str::to_owned).collect();
            for (at, to, what, value) in edits {
                if all.is_empty() {
                    continue;
                }
                let (at, to) = (at.index(all.len()), to.index(all.len()));
                let name = all[at].split(':').next().unwrap_or_default().to_owned();
                match what {
                    0 => drop(all.remove(at)),
                    1 => all[at] = format!("{name}:{value}\r\n"),
                    2 => all.insert(to, format!("{name}:{value}\r\n")),
                    3 => all.swap(at, to),
                    _ => all[at] = all[at].trim_end().to_owned(),
                }
            }
            all.concat()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn an_info_with_anything_in_it_is_sane_or_refused(text in edited()) {
        match Observation::read(&text) {
            Ok(seen) => prop_assert!(is_sane(&seen), "{:?}", seen),
            Err(reason) => prop_assert!(is_one_line(&reason), "{}", reason),
        }
    }

    #[test]
    fn rubbish_is_no_info(text in "\\PC{0,300}") {
        prop_assert!(Observation::read(&text).is_err());
    }

    /// Two absurd descriptions, and every decision on them: sums and differences of any two
    /// offsets, and the like.
    #[test]
    fn no_two_descriptions_make_a_decision_panic(
        local in edited(), peer in edited(), memory in nonsense::memory(), vip in nonsense::vip(), seconds in 0u64..100,
    ) {
        let (Ok(local), Ok(peer)) = (Observation::read(&local), Observation::read(&peer)) else { return Ok(()) };
        let view = view(Ok(local.clone()), vec![Ok(peer.clone())], memory, vip, seconds);
        let waited = Duration::from_secs(seconds);
        let steps = [pair::serve(&view, waited), pair::yield_role(&view, waited, Duration::from_secs(5))];
        let _ = (pair::eligibility(&view), nonsense::is_wrong(&view));
        // The one step that drops data says rightly whether that is proven to be elsewhere.
        for step in steps {
            if let pair::Step::Follow { contained, .. } = step {
                prop_assert_eq!(contained, pair::containment(&local, &peer).0);
            }
            if let pair::Step::TakeOver(..) = step {
                prop_assert!(pair::in_sync(&local, &peer, view.max_lag).is_ok() && vip != Vip::At(nonsense::PEERS[0]));
            }
        }
    }
}
