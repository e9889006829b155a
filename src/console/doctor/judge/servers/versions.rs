//! Can the nodes read each other's data? A replica that needs a full copy empties itself first.

use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::look::servers::{AskedNode, Seen};
use crate::decide::versions::{Reading, Software, reads};

const CHECK: &str = "redis-versions";

pub(super) fn judge(found: &mut Findings, up: &[(&AskedNode, &Seen)]) {
    let mut apart = false;
    for (reader, there) in up {
        for (writer, here) in up {
            let (old, new) = (&there.observation, &here.observation);
            if reader.address == writer.address {
                continue;
            }
            let (old_is, new_is) = (Software(old), Software(new));
            let (a, b) = (reader.address, writer.address);
            let upgrade = || Fix::Do(format!("upgrade {a} to {new_is} or newer"));
            match reads(old, new) {
                Reading::Can => continue,
                // It follows the stream; the next full copy would empty it.
                Reading::Cannot if new.is_master() => {
                    let says = format!(
                        "{a} is {old_is} and can't read a copy of the data of {b}, the master, \
                         which is {new_is}: it does not follow again where a copy is needed"
                    );
                    found.fail(CHECK, Fact("R43"), says, upgrade());
                }
                Reading::Cannot => {
                    let says = format!(
                        "{a} is {old_is} and can't read a copy of the data of {b}, which is \
                         {new_is}: once {b} is master, {a} does not follow where a copy is needed"
                    );
                    found.warn(CHECK, Fact("R43"), says, upgrade());
                }
                Reading::Unknown => {
                    let says = format!(
                        "{a} is {old_is}, and it is not known whether it can read a copy of the \
                         data of {b}, which is {new_is}"
                    );
                    found.warn(CHECK, Fact("R43"), says, upgrade());
                }
            }
            apart = true;
        }
    }
    let oldest = up.iter().min_by_key(|(_, seen)| seen.observation.version);
    let newest = up.iter().max_by_key(|(_, seen)| seen.observation.version);
    let (Some((old, below)), Some((_, above)), false) = (oldest, newest, apart) else {
        return;
    };
    let (from, to) = (below.observation.version, above.observation.version);
    if (from.0, from.1) != (to.0, to.1) {
        let says = format!(
            "{} is {} while another node is {}: they read each other's data, and may know \
             different commands",
            old.address,
            Software(&below.observation),
            Software(&above.observation)
        );
        let fix = Fix::Do(format!("upgrade {}", old.address));
        found.warn(CHECK, Fact("R43"), says, fix);
    }
}
