//! The checks, tried in a copy of the memory, and where the VIP is.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use crate::config::Config;
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
    // Nothing can be made there.
    let nowhere = Config {
        memory_dir: "/proc/none".into(),
        ..config.clone()
    };
    Survey::new(&nowhere, local)
        .look(true, Deadline::after(LOOK))
        .vip
}

/// A look and a check remember what they saw. Here they do so in a copy, that goes away with it.
fn with_a_copy_of_memory<T>(config: &Config, act: impl FnOnce(&Config) -> T) -> Result<T, String> {
    let memory = &config.memory_dir;
    let trouble = |error: std::io::Error| format!("copying {}: {error}", memory.display());
    let copy = tempfile::tempdir().map_err(trouble)?;
    match fs::read_dir(memory) {
        Ok(entries) => {
            for entry in entries
                .flatten()
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
            {
                match fs::copy(entry.path(), copy.path().join(entry.file_name())) {
                    // Written anew by rename meanwhile.
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(trouble(error));
                    }
                    _ => {}
                }
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(trouble(error)),
    }
    Ok(act(&Config {
        memory_dir: copy.path().to_owned(),
        ..config.clone()
    }))
}
