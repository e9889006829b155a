//! What the two checks say right now.

use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::programs::check_redis::verdict::Verdict;

pub(crate) fn verdicts(found: &mut Findings, health: &Verdict, eligible: &Verdict, sentinel: bool) {
    if health.ok {
        found.ok(
            "check-redis",
            Fact("K12"),
            format!("check_redis: {}", health.sentence),
        )
    } else {
        let fix = Fix::Do(
            "see the lines on Redis; keepalived takes this node out while it is so".to_owned(),
        );
        found.fail(
            "check-redis",
            Fact("K12"),
            format!("check_redis fails: {}", health.sentence),
            fix,
        );
    }
    if eligible.ok {
        found.ok(
            "check-eligible",
            Fact("K16"),
            format!("check_redis --eligible: {}", eligible.sentence),
        );
    } else if sentinel {
        // Beside Sentinel only the master is.
        found.ok(
            "check-eligible",
            Fact("K16"),
            format!("check_redis --eligible: no: {}", eligible.sentence),
        );
    } else {
        let fix = Fix::Do(
            "keepalived-redis status says more; this node does not take the VIP while another \
             one can"
                .to_owned(),
        );
        found.warn(
            "check-eligible",
            Fact("K16"),
            format!("check_redis --eligible fails: {}", eligible.sentence),
            fix,
        );
    }
}
