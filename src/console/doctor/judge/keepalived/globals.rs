//! Lines of `global_defs` that keep the VIP where it belongs.

use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::look::keepalived::Keepalived;
use crate::keepalived_conf::Place;
use crate::keepalived_conf::vrrp::Instance;

struct Wanted {
    check: &'static str,
    fact: Fact,
    /// Any of these words will do.
    words: &'static [&'static str],
    line: &'static str,
    costs: &'static str,
    matters: bool,
}

pub(crate) fn judge(found: &mut Findings, keepalived: &Keepalived, instance: &Instance) {
    let vrrp = &keepalived.here;
    let fast = instance.advert_int().is_some_and(|seconds| seconds < 1.0);
    let real_time: &[&str] = &["vrrp_rt_priority"];
    for wanted in [
        Wanted {
            check: "check-unicast-source",
            fact: Fact("K21"),
            words: &["vrrp_check_unicast_src"],
            line: "vrrp_check_unicast_src",
            costs: "any host can take the VIP with one unicast advert",
            matters: instance.peers.is_some(),
        },
        Wanted {
            check: "announce-again",
            fact: Fact("K27"),
            words: &["vrrp_garp_master_refresh"],
            line: "vrrp_garp_master_refresh 10",
            costs: "a switch or a client that missed where the VIP went never hears it again",
            matters: true,
        },
        Wanted {
            check: "announce-against",
            fact: Fact("K27"),
            words: &["vrrp_garp_lower_prio_repeat"],
            line: "vrrp_garp_lower_prio_repeat 1",
            costs: "after another node has claimed the VIP for a moment the network is not told \
                again",
            matters: true,
        },
        Wanted {
            check: "give-way",
            fact: Fact("K28"),
            words: &["vrrp_higher_prio_send_advert"],
            line: "vrrp_higher_prio_send_advert true",
            costs: "after a partition clients may ask the wrong node for a minute",
            matters: true,
        },
        Wanted {
            check: "real-time",
            fact: Fact("K30"),
            words: &["vrrp_rt_priority"],
            line: "vrrp_rt_priority 50",
            costs: "adverts every 0.1 s without a real-time priority: a busy machine is taken for \
                a dead one",
            matters: fast,
        },
        Wanted {
            check: "real-time-limit",
            fact: Fact("K30"),
            words: &["vrrp_rlimit_rtime", "vrrp_rlimit_rttime"],
            line: "vrrp_rlimit_rtime 1000000",
            costs: "the kernel kills a keepalived of real-time priority that works for 10 ms",
            matters: vrrp.has_global(real_time),
        },
    ] {
        let Wanted {
            check,
            fact,
            words,
            line,
            costs,
            ..
        } = wanted;
        // Most of them may stand in the instance too, without vrrp_.
        let in_instance = |word: &&str| {
            instance
                .block
                .get(&[word.trim_start_matches("vrrp_"), *word])
                .is_some()
        };
        let name = words.first().copied().unwrap_or_default();
        if !wanted.matters {
            continue;
        }
        if vrrp.has_global(words) || words.iter().any(in_instance) {
            found.ok(check, fact, format!("{name} is set"));
        } else {
            found.warn(
                check,
                fact,
                format!("{name} is missing: {costs}"),
                add(keepalived, line),
            );
        }
    }
}

/// `line` in `global_defs`, made where there is none.
pub(crate) fn add(keepalived: &Keepalived, line: &str) -> Fix {
    match &keepalived.here.block {
        Some(block) => Fix::insert(&block.open, format!("    {line}")),
        None => {
            let top = Place {
                file: keepalived.path.clone(),
                line: 0,
            };
            Fix::insert(&top, format!("global_defs {{\n    {line}\n}}"))
        }
    }
}
