//! The addresses of an interface and of the whole machine, from the kernel's own tables.

use std::io;
use std::net::{IpAddr, Ipv6Addr};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;

/// One line an address: 32 hex digits, interface number, prefix length, scope, flags, name
/// (Linux, `proc(5)`).
const TABLE: &str = "/proc/net/if_inet6";
/// Not usable yet: its uniqueness is still being checked (Linux, `IFA_F_TENTATIVE`).
const TENTATIVE: u32 = 0x40;
/// Found to be somebody else's (Linux, `IFA_F_DADFAILED`).
const DUPLICATE: u32 = 0x08;

/// The usable IPv6 addresses of an interface, link-local ones included.
///
/// # Errors
/// If the kernel's table cannot be read, for instance where IPv6 is switched off.
pub(crate) fn of_interface(name: &str) -> io::Result<Vec<Ipv6Addr>> {
    Ok(parse(&std::fs::read_to_string(TABLE)?, name))
}

/// Whether an interface is up.
pub(crate) fn is_up(name: &str) -> bool {
    getifaddrs().is_ok_and(|mut all| {
        all.any(|one| one.interface_name == name && one.flags.contains(InterfaceFlags::IFF_UP))
    })
}

/// The addresses at which others can reach the machine, those of `interface` first.
pub(crate) fn of_kernel(interface: &str) -> Vec<IpAddr> {
    let Ok(all) = getifaddrs() else {
        return Vec::new();
    };
    let found = all.filter_map(|entry| {
        let address = address(&entry.address?)?;
        is_reachable(address).then_some((entry.interface_name != interface, address))
    });
    let mut found: Vec<_> = found.collect();
    // Stable: the kernel's order stays, its preferred address first.
    found.sort_by_key(|(elsewhere, _)| *elsewhere);
    found.into_iter().map(|(_, address)| address).collect()
}

fn address(storage: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| v4.ip().into());
    v4.or_else(|| Some(storage.as_sockaddr_in6()?.ip().into()))
}

fn is_reachable(address: IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !address.is_loopback() && !is_link_local
}

/// Whether the kernel forwards IPv6 packets that come in by an interface.
pub(crate) fn forwards(name: &str) -> bool {
    std::fs::read_to_string(format!("/proc/sys/net/ipv6/conf/{name}/forwarding"))
        .is_ok_and(|value| value.trim() == "1")
}

fn parse(table: &str, name: &str) -> Vec<Ipv6Addr> {
    table
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let address = u128::from_str_radix(words.next()?, 16).ok()?;
            let flags = u32::from_str_radix(words.nth(3)?, 16).ok()?;
            let usable = flags & (TENTATIVE | DUPLICATE) == 0;
            (usable && words.next()? == name).then(|| Ipv6Addr::from(address))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_cannot_reach_the_loopback_interface() {
        assert!(of_kernel("lo").iter().all(|address| !address.is_loopback()));
        let is_reachable = |text: &str| is_reachable(text.parse().unwrap());
        assert!(is_reachable("10.0.0.1") && is_reachable("2001:db8::1"));
        assert!(!is_reachable("fe80::1") && !is_reachable("169.254.0.1"));
    }

    #[test]
    fn only_usable_addresses_of_the_interface_are_found() {
        let table = "\
            fe800000000000000000000000000001 03 40 20 80    tap0\n\
            20010db885a3ef000000000000000011 03 40 00 80    tap0\n\
            20010db885a3ef000000000000000012 03 40 00 c0    tap0\n\
            20010db885a3ef000000000000000013 03 40 00 08    tap0\n\
            00000000000000000000000000000001 01 80 10 80      lo\n\
            garbage\n";
        let expected: [Ipv6Addr; 2] = [
            "fe80::1".parse().unwrap(),
            "2001:db8:85a3:ef00::11".parse().unwrap(),
        ];
        assert_eq!(parse(table, "tap0"), expected);
    }
}
