//! The addresses that this machine's interfaces have at this moment.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

use crate::config::Config;

/// Which of `candidates` this machine has; where a trial can't tell, every address that it has. One
/// candidate at least has to be another machine's: where all of them can be bound, a trial tells
/// nothing.
///
/// A trial `bind` takes a tenth of the time of a list, with the interfaces and their counters. The
/// kernel is asked for the list where all can be bound (with `ip_nonlocal_bind=1`), or none (where
/// the interface is down).
pub(crate) fn among(candidates: &[IpAddr]) -> io::Result<Vec<IpAddr>> {
    match bindable(candidates) {
        Some(own) if !own.is_empty() && own.len() < candidates.len() => Ok(own),
        _ => of_this_machine(),
    }
}

/// `None`: a bind failed for another reason than that there is no such address here.
fn bindable(candidates: &[IpAddr]) -> Option<Vec<IpAddr>> {
    let mut own = Vec::with_capacity(candidates.len());
    for address in candidates {
        match UdpSocket::bind((*address, 0)) {
            Ok(_) => own.push(*address),
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
            Err(_) => return None,
        }
    }
    Some(own)
}

/// Every address on an interface of this machine (of this network namespace).
///
/// # Errors
/// When the kernel does not answer the netlink request; the sentence says what was asked.
fn of_this_machine() -> io::Result<Vec<IpAddr>> {
    let addresses = getifaddrs().map_err(|error| {
        io::Error::new(
            io::Error::from(error).kind(),
            format!("asking the kernel for this machine's addresses: {error}"),
        )
    })?;
    Ok(addresses
        .filter_map(|interface| interface.address.as_ref().and_then(ip))
        .collect())
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(IpAddr::V4(v4.ip()));
    }
    address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()))
}

/// Which of the configured nodes this machine is.
///
/// # Errors
/// A sentence that says which addresses were looked for.
pub(crate) fn local_node(config: &Config) -> anyhow::Result<SocketAddr> {
    Ok(config.local_node(&among(&config.addresses())?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_with_a_loopback_interface_has_its_address() {
        let found = of_this_machine().expect("getifaddrs answers");
        assert!(
            found.contains(&"127.0.0.1".parse().expect("an address")),
            "{found:?}"
        );
    }

    #[test]
    fn what_a_trial_says_is_what_the_list_says_and_where_it_says_nothing_the_list_counts() {
        let [own, others, both]: [IpAddr; 3] = ["127.0.0.1", "203.0.113.7", "203.0.113.9"]
            .map(|text| text.parse().expect("an address"));
        assert_eq!(among(&[others, own, both]).expect("a trial"), [own]);
        for unclear in [
            &[others, both][..],
            &[own],
            &["fe80::1".parse().expect("an address"), own],
        ] {
            let found = among(unclear).expect("the list");
            assert!(
                found.contains(&own) && !found.contains(&others),
                "{unclear:?}: {found:?}"
            );
        }
    }
}
