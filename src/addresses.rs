//! The addresses that this machine's interfaces have at this moment.

use std::io;
use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

/// Every address on an interface of this machine (of this network namespace).
///
/// Asked of the kernel and not by a trial `bind`: with `ip_nonlocal_bind=1` a bind to anybody's address works.
///
/// # Errors
/// When the kernel does not answer the netlink request; the sentence says what was asked.
pub fn of_this_machine() -> io::Result<Vec<IpAddr>> {
    let addresses = getifaddrs().map_err(|error| {
        io::Error::new(
            io::Error::from(error).kind(),
            format!("asking the kernel for this machine's addresses: {error}"),
        )
    })?;
    Ok(addresses.filter_map(|interface| interface.address.as_ref().and_then(ip)).collect())
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(IpAddr::V4(v4.ip()));
    }
    address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_with_a_loopback_interface_has_its_address() {
        let found = of_this_machine().expect("getifaddrs answers");
        assert!(found.contains(&"127.0.0.1".parse().expect("an address")), "{found:?}");
    }
}
