//! The five shell scripts as guides all over the web have them, sleeps and all.

use anyhow::Result;

use crate::lab::{Lab, VIP};
use crate::redis_server::{PASSWORD, PORT};

const LOG: &str = "/var/log/keepalived-redis/keepalived-redis-status.log";

/// Writes scripts and keepalived.conf on both hosts.
pub fn install(lab: &Lab) -> Result<()> {
    // State, priority, sleep before SLAVEOF NO ONE, sleep before SLAVEOF peer.
    let sides = [("MASTER", 150, 15, 5), ("BACKUP", 100, 10, 15)];
    for (index, (state, priority, promote, follow)) in sides.into_iter().enumerate() {
        let (host, peer) = (&lab.hosts[index], &lab.hosts[1 - index]);
        let cli = format!("redis-cli -a \"{PASSWORD}\"");
        let say = |what: &str| format!("echo \"$(date +%FT%T.%3N%:z) {what}\" >> {LOG}");
        let scripts = [
            (
                "redis_check.sh",
                format!(
                    "ss -tnlp | grep {PORT}\n[ $? -eq 0 ] && exit 0\nsystemctl stop \
                     keepalived\nexit 1"
                ),
            ),
            (
                "redis_master.sh",
                format!(
                    "{}\nsleep {promote}\n{cli} SLAVEOF NO ONE\n{}",
                    say("[Master]"),
                    say("[Master] done")
                ),
            ),
            (
                "redis_backup.sh",
                format!(
                    "{}\nsleep {follow}\n{cli} SLAVEOF {} {PORT}\n{}",
                    say("[Backup]"),
                    peer.address,
                    say("[Backup] done")
                ),
            ),
            ("redis_fault.sh", say("[Fault]")),
            ("redis_stop.sh", say("[Stop]")),
        ];
        for (name, body) in scripts {
            let path = format!("/etc/keepalived/scripts/{name}");
            host.write(&path, &format!("#!/bin/bash\n{body}\n"), 0o755)?;
        }
        host.write(LOG, "", 0o644)?;
        host.write(
            "/etc/keepalived/keepalived.conf",
            &conf(state, priority),
            0o644,
        )?;
    }
    Ok(())
}

fn conf(state: &str, priority: u8) -> String {
    format!(
        r#"global_defs {{
    router_id redis
    script_user root
}}
vrrp_script chk_redis {{
    script "/etc/keepalived/scripts/redis_check.sh"
    interval 4
    weight -5
    fall 3
    rise 2
}}
vrrp_instance VI_1 {{
    state {state}
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int 1
    authentication {{
        auth_type PASS
        auth_pass 1111
    }}
    virtual_ipaddress {{
        {VIP}
    }}
    track_script {{
        chk_redis
    }}
    notify_master /etc/keepalived/scripts/redis_master.sh
    notify_backup /etc/keepalived/scripts/redis_backup.sh
    notify_fault /etc/keepalived/scripts/redis_fault.sh
    notify_stop /etc/keepalived/scripts/redis_stop.sh
}}
"#
    )
}
