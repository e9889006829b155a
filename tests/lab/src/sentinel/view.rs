//! What a sentinel says of the cluster.

use std::collections::HashMap;
use std::net::IpAddr;

use anyhow::{Context, Result};

use super::server::{NAME, connect};
use crate::netns::NetNs;
use crate::redis_client::Reply;

/// The cluster as one sentinel sees it.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Whom it names when a client asks for the master.
    pub named: String,
    /// The address of the master that it watches: until a failover of its own has ended, the old
    /// one.
    pub master: String,
    /// `master`, and what is wrong with it.
    pub flags: String,
    /// How many other sentinels it knows, living or dead.
    pub others: usize,
    /// By their address.
    pub replicas: Vec<Replica>,
}

/// A replica, by a sentinel's word.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    /// Its address.
    pub address: String,
    /// `slave`, and what is wrong with it.
    pub flags: String,
    /// Whom it follows.
    pub of: String,
    /// `ok` or `err`.
    pub link: String,
}

impl View {
    /// Asks the sentinel at that address, from the namespace `from`.
    pub fn ask(from: &NetNs, at: IpAddr, password: Option<&str>) -> Result<View> {
        let mut sentinel = connect(from, at, password)?;
        let mut ask = |what: &str| sentinel.call(&["SENTINEL", what, NAME]);
        let named = ask("GET-MASTER-ADDR-BY-NAME")?.texts();
        let named = named.with_context(|| format!("SENTINEL GET-MASTER of {at}"))?;
        let master = fields(ask("MASTER")?);
        let replicas = ask("REPLICAS")?.items();
        let replicas = replicas.with_context(|| format!("SENTINEL REPLICAS of {at}"))?;
        let get =
            |of: &HashMap<String, String>, name: &str| of.get(name).cloned().unwrap_or_default();
        let replica = |reply: Reply| {
            let said = fields(reply);
            let [address, flags, of, link] =
                ["ip", "flags", "master-host", "master-link-status"].map(|name| get(&said, name));
            Replica {
                address,
                flags,
                of,
                link,
            }
        };
        let mut replicas: Vec<Replica> = replicas.into_iter().map(replica).collect();
        replicas.sort_by(|one, other| one.address.cmp(&other.address));
        Ok(View {
            named: named.into_iter().next().unwrap_or_default(),
            master: get(&master, "ip"),
            flags: get(&master, "flags"),
            others: get(&master, "num-other-sentinels")
                .parse()
                .unwrap_or_default(),
            replicas,
        })
    }

    /// What it says that should not be so, if that one is master, and those follow it; one line.
    pub fn wrong(&self, master: IpAddr, replicas: &[IpAddr], others: usize) -> Option<String> {
        if self.master != master.to_string() {
            return Some(format!("names {}", self.master));
        }
        if self.flags != "master" {
            return Some(format!("calls the master {}", self.flags));
        }
        if self.others != others {
            return Some(format!("knows {} other sentinels", self.others));
        }
        replicas.iter().find_map(|address| {
            let address = address.to_string();
            let Some(seen) = self
                .replicas
                .iter()
                .find(|replica| replica.address == address)
            else {
                return Some(format!("does not know the replica {address}"));
            };
            let well = seen.flags == "slave" && seen.link == "ok" && seen.of == self.master;
            (!well).then(|| {
                format!(
                    "calls {address} {}, of {}, link {}",
                    seen.flags, seen.of, seen.link
                )
            })
        })
    }
}

/// `[name, value, name, value, ...]`
fn fields(reply: Reply) -> HashMap<String, String> {
    let words = reply.texts().unwrap_or_default();
    words
        .chunks_exact(2)
        .map(|two| (two[0].clone(), two[1].clone()))
        .collect()
}
