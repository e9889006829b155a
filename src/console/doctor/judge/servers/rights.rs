//! What the programs may do on a Redis (R19).

use crate::console::doctor::finding::{Fact, Findings, Fix, Level};
use crate::console::doctor::look::servers::{AskedNode, NO_COMMAND, Seen};
use crate::console::doctor::redis_cli::RedisCli;

/// One line for each Redis, or one for each right that is missing.
pub(crate) fn judge(found: &mut Findings, node: &AskedNode, seen: &Seen, cli: &RedisCli) {
    let address = node.address;
    let rights = match &seen.rights {
        Ok(rights) => rights,
        Err(why) => {
            return found.unseen(
                "rights",
                Fact("R19"),
                format!("{address}: {why}: rights can't be asked for"),
            );
        }
    };
    let user = &seen.user;
    for (right, allowed) in rights {
        let Err(why) = allowed else { continue };
        let command = right
            .words
            .iter()
            .take(2)
            .cloned()
            .collect::<Vec<_>>()
            .join(" ");
        if why == NO_COMMAND {
            let says = format!("{address} knows no {command}: {}", right.costs);
            let fix = Fix::Do(format!(
                "take rename-command out of redis.conf on {}, and restart Redis",
                address.ip()
            ));
            found.fail("commands", Fact("R19"), says, fix);
            continue;
        }
        let says = format!("{address}: user {user} may not {command}: {}", right.costs);
        let level = if right.fatal {
            Level::Fail
        } else {
            Level::Warn
        };
        let grant = cli.as_administrator(address, &format!("acl setuser {user} '{}'", right.rule));
        let keep =
            "the same in redis.conf or the ACL file there, or it is gone at the next restart"
                .to_owned();
        found.add(
            level,
            "rights",
            Fact("R19"),
            says,
            vec![Fix::Run(grant), Fix::Do(keep)],
        );
    }
    if rights.iter().all(|(_, allowed)| allowed.is_ok()) {
        found.ok(
            "rights",
            Fact("R19"),
            format!("{address}: user {user} may do all that the programs do"),
        );
    }
}
