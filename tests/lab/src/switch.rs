//! The switch: a bridge in a namespace of its own, with a port for every host and the client.

use std::net::IpAddr;

use anyhow::Result;

use crate::netns::NetNs;

/// The bridge. A port is named after its host.
pub struct Switch {
    ns: NetNs,
}

impl Switch {
    /// A bridge without ports. It forwards at once and floods multicast.
    pub fn new() -> Result<Switch> {
        let ns = NetNs::new()?;
        ns.sh("ip link add br0 type bridge forward_delay 0 mcast_snooping 0; ip link set br0 up")?;
        Ok(Switch { ns })
    }

    /// Plugs a cable in: `eth0` with `address` appears in the namespace `inside`. A host that comes
    /// back has the MAC address that it had: others would not reach a new one before their ARP
    /// entry for it has expired.
    pub fn plug(&self, port: &str, inside: &NetNs, address: IpAddr) -> Result<()> {
        let (last, prefix) = match address {
            IpAddr::V4(v4) => (v4.octets(), "/24"),
            // Nobody else has it; without nodad it could not be used for a second or two.
            IpAddr::V6(v6) => (
                v6.to_bits()
                    .to_le_bytes()
                    .first_chunk()
                    .copied()
                    .unwrap_or_default(),
                "/64 nodad",
            ),
        };
        let mac: String = last.iter().map(|octet| format!(":{octet:02x}")).collect();
        self.ns.sh(&format!(
            "ip link add {port} type veth peer name eth0 address 02:00{mac} netns {}; \
             ip link set {port} master br0; ip link set {port} up",
            inside.path()
        ))?;
        inside.sh(&format!(
            "ip link set lo up; sysctl -qw net.ipv6.conf.eth0.accept_dad=0; ip addr add \
             {address}{prefix} dev eth0; \
             ip link set eth0 up"
        ))
    }

    /// Pulls the cable out, and `eth0` with it. No error if there was none.
    pub fn unplug(&self, port: &str) -> Result<()> {
        self.ns
            .sh(&format!("ip link del {port} 2>/dev/null || true"))
    }

    /// Carrier of the host's `eth0`.
    pub fn carrier(&self, port: &str, up: bool) -> Result<()> {
        let state = if up { "up" } else { "down" };
        self.ns.sh(&format!("ip link set {port} {state}"))
    }

    /// A silent port keeps its carrier but lets nothing through, as while a spanning tree forms.
    pub fn silent(&self, port: &str, silent: bool) -> Result<()> {
        let state = if silent { 0 } else { 3 };
        self.ns
            .sh(&format!("bridge link set dev {port} state {state}"))
    }

    /// Isolated ports reach the client, but not each other.
    pub fn isolated(&self, port: &str, isolated: bool) -> Result<()> {
        let state = if isolated { "on" } else { "off" };
        self.ns
            .sh(&format!("bridge link set dev {port} isolated {state}"))
    }

    /// Limits a port to `mbit` megabits a second each way, or lifts the limit. `inside` is the
    /// host's namespace.
    pub fn rate(&self, port: &str, inside: &NetNs, mbit: Option<u32>) -> Result<()> {
        for (ns, dev) in [(&self.ns, port), (inside, "eth0")] {
            match mbit {
                Some(mbit) => ns.sh(&format!(
                    "tc qdisc replace dev {dev} root tbf rate {mbit}mbit burst 256k latency 50ms"
                ))?,
                None => ns.sh(&format!("tc qdisc del dev {dev} root 2>/dev/null || true"))?,
            }
        }
        Ok(())
    }
}
