//! Does a Redis take writes, and connections?

use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::look::servers::{AskedNode, Seen};
use crate::console::doctor::redis_cli::RedisCli;
use crate::server::info::Memory;

/// So much of `maxclients` in use is worth a line.
const CROWDED: u64 = 90;

pub(super) fn judge(found: &mut Findings, node: &AskedNode, seen: &Seen, cli: &RedisCli) {
    writes(found, node, seen, cli);
    connections(found, node, seen, cli);
}

fn writes(found: &mut Findings, node: &AskedNode, seen: &Seen, cli: &RedisCli) {
    let (check, address) = ("takes-writes", node.address);
    let disk = seen.observation.disk;
    let room = Fix::Do(format!(
        "make room on the disk of {}, see that Redis may write to its directory, and see its log",
        address.ip()
    ));
    if disk.aof_failed {
        let says = format!(
            "{address}: its last write to the AOF failed: it refuses writes, and as a replica it \
             ends with the next one"
        );
        return found.fail(check, Fact("R44"), says, room);
    }
    if disk.save_failed {
        let stops = seen.setting("stop-writes-on-bgsave-error") != Some("no")
            && seen.setting("save") != Some("");
        if stops {
            let says = format!("{address}: its last save failed: as a master it refuses writes");
            return found.fail(check, Fact("R44"), says, room);
        }
        let says = format!("{address}: its last save failed");
        return found.warn(check, Fact("R44"), says, room);
    }
    match Memory::of(|name| seen.info.get(name).map(String::as_str)) {
        Some(memory) if memory.is_full() => {
            let says = format!(
                "{address}: {} bytes are used of maxmemory {}, and nothing may be evicted: it \
                 refuses writes",
                memory.used, memory.limit
            );
            let more = (memory.limit / 2 * 3).to_string();
            let fix = Fix::Run(cli.set(address, "maxmemory", &more));
            found.fail(check, Fact("R45"), says, fix);
        }
        _ => found.ok(
            check,
            Fact("R44"),
            format!("{address} takes writes, as a master"),
        ),
    }
}

fn connections(found: &mut Findings, node: &AskedNode, seen: &Seen, cli: &RedisCli) {
    let (check, address) = ("maxclients", node.address);
    let limit = seen
        .setting(check)
        .and_then(|limit| limit.parse::<u64>().ok())
        .or_else(|| seen.number(check));
    let (Some(limit), Some(clients)) = (limit, seen.number("connected_clients")) else {
        return;
    };
    if clients.saturating_mul(100) >= limit.saturating_mul(CROWDED) {
        let says = format!(
            "{address}: {clients} clients are connected, and maxclients is {limit}: the next one \
             may be refused, and the programs with it"
        );
        let more = limit.saturating_mul(2).to_string();
        let fix = Fix::Run(cli.set(address, "maxclients", &more));
        return found.warn(check, Fact("R17"), says, fix);
    }
    found.ok(
        check,
        Fact("R17"),
        format!("{address}: {clients} of at most {limit} clients are connected"),
    );
}
