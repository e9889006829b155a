//! The verdicts of the checks, by table.

use super::*;

#[test]
fn a_node_is_eligible_as_far_as_its_data_goes() {
    let down = || link(replica(b(), 'x', 50), false, false);
    for (situation, view, eligible, standing) in [
        (
            "in sync",
            view(replica(b(), 'x', 50), Ok(master('x', 50)), Vip::Unknown),
            true,
            Standing::InSync,
        ),
        (
            "behind",
            view(down(), Ok(master('x', 50)), Vip::Unknown),
            false,
            Standing::Behind,
        ),
        (
            "serving",
            served(view(master('x', 50), Ok(replica(a(), 'x', 85)), Vip::Here)),
            true,
            Standing::Serving,
        ),
        (
            "was in sync",
            synced(view(down(), GONE, Vip::Unknown), 'x'),
            true,
            Standing::InSync,
        ),
        (
            "unknown",
            view(down(), GONE, Vip::Unknown),
            false,
            Standing::Unknown,
        ),
        (
            "restarted, peer not seen",
            view(master('z', 0), GONE, Vip::Unknown),
            false,
            Standing::Unknown,
        ),
        (
            "unknown for long",
            alone(view(master('z', 0), GONE, Vip::Unknown)),
            true,
            Standing::Unknown,
        ),
        (
            "restarted beside a serving peer",
            view(master('z', 0), Ok(master('x', 50)), Vip::Unknown),
            false,
            Standing::Behind,
        ),
        (
            "serving beside a restarted peer",
            served(view(master('x', 50), Ok(master('z', 0)), Vip::Here)),
            true,
            Standing::Serving,
        ),
    ] {
        let found = eligibility(&view);
        assert_eq!(
            (found.eligible, found.standing),
            (eligible, standing),
            "{situation}: {}",
            found.why
        );
    }
}

#[test]
fn a_wrong_role_fails_only_where_fault_repairs_it() {
    let serving = || Ok(master('x', 50));
    for (situation, view, at_work, wrong) in [
        (
            "lone master beside the serving node",
            view(master('z', 9), serving(), Vip::At(b())),
            false,
            true,
        ),
        (
            "the same, being repaired",
            view(master('z', 9), serving(), Vip::At(b())),
            true,
            false,
        ),
        (
            "two masters and no VIP",
            view(master('z', 9), serving(), Vip::Unknown),
            false,
            false,
        ),
        (
            "lone master, nobody else lives",
            view(master('z', 9), GONE, Vip::Unknown),
            false,
            false,
        ),
        (
            "replica of the serving node",
            view(replica(b(), 'x', 50), serving(), Vip::At(b())),
            false,
            false,
        ),
        (
            "replica of itself",
            view(replica(a(), 'x', 50), serving(), Vip::At(b())),
            false,
            true,
        ),
        (
            "the VIP on a replica",
            view(replica(b(), 'x', 50), serving(), Vip::Here),
            false,
            true,
        ),
        (
            "the same, being repaired",
            view(replica(b(), 'x', 50), serving(), Vip::Here),
            true,
            false,
        ),
        (
            "the VIP on the master",
            view(master('x', 50), GONE, Vip::Here),
            false,
            false,
        ),
    ] {
        assert_eq!(wrong_role(&view, at_work).is_some(), wrong, "{situation}");
    }
}
