//! The checks, tried in a copy of the memory, and where the VIP is.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::Config;
use crate::console::memory_copy::{with_a_copy_of_memory, without_memory};
use crate::deadline::Deadline;
use crate::decide::view::Vip;
use crate::look::survey::Survey;
use crate::node::addresses;
use crate::programs::check_redis;
use crate::programs::check_redis::verdict::Verdict;

/// For one look at all nodes and at the VIP.
const LOOK: Duration = Duration::from_secs(2);

/// Where the VIP is, and what the health check and the eligibility check would say.
pub(crate) fn verdicts(
    config: &Config,
    local: SocketAddr,
) -> Result<(Vip, Verdict, Verdict), String> {
    with_a_copy_of_memory(config, |config| tried(config, local))
}

fn tried(config: &Config, local: SocketAddr) -> (Vip, Verdict, Verdict) {
    let vip = Survey::new(config, local)
        .look(true, Deadline::after(LOOK))
        .vip;
    let own = addresses::among(&config.addresses()).unwrap_or_default();
    let health = check_redis::health(config, local, &own, Deadline::after(config.timing.check));
    // As one that was well: what was silent for a moment is not for this to find.
    let eligible = check_redis::eligible(config, local, true, Deadline::after(config.timing.check));
    (vip, health, eligible)
}

/// Where the VIP is, for whoever may not read the memory.
pub(crate) fn vip_alone(config: &Config, local: SocketAddr) -> Vip {
    Survey::new(&without_memory(config), local)
        .look(true, Deadline::after(LOOK))
        .vip
}
