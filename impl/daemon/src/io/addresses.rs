//! The IPv6 addresses of an interface, from the kernel's own tables.

use std::io;
use std::net::Ipv6Addr;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

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
