//! Interface identifiers made of Bluetooth device addresses.
//!
//! Two ways to make them are in the field, and the ends of a link have to agree: with elided
//! addresses each end rebuilds its own idea of the packet, and every checksum fails.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use thiserror::Error;

/// The universal/local bit of the first octet (RFC 4291 appendix A).
const UNIVERSAL: u8 = 0x02;
/// The prefix of link-local addresses (RFC 4291 section 2.5.6).
pub(crate) const LINK_LOCAL_PREFIX: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);

/// Whether a device address was assigned to its manufacturer or drawn by the device (Bluetooth
/// Core specification, volume 6, part B, section 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressKind {
    /// Assigned: an EUI-48.
    Public,
    /// Drawn by the device, whether it keeps it (static) or not (private).
    Random,
}

/// A Bluetooth device address, most significant octet first, as it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceAddress {
    /// Its six octets; the air has them in reverse.
    pub octets: [u8; 6],
    /// Where it comes from.
    pub kind: AddressKind,
}

impl DeviceAddress {
    /// An address that was assigned to its manufacturer.
    #[must_use]
    pub const fn public(octets: [u8; 6]) -> Self {
        let kind = AddressKind::Public;
        Self { octets, kind }
    }

    /// An address that the device drew.
    #[must_use]
    pub const fn random(octets: [u8; 6]) -> Self {
        let kind = AddressKind::Random;
        Self { octets, kind }
    }

    /// The octets as the air has them: least significant first.
    #[must_use]
    pub const fn to_le_octets(self) -> [u8; 6] {
        let [a, b, c, d, e, f] = self.octets;
        [f, e, d, c, b, a]
    }

    /// Reads `00:1b:dc:00:00:02`.
    ///
    /// # Errors
    /// If `text` is not six pairs of hexadecimal digits with colons between them.
    pub fn parse(text: &str, kind: AddressKind) -> Result<Self, InvalidDeviceAddress> {
        let mut octets = [0; 6];
        let mut pairs = text.split(':');
        for octet in &mut octets {
            let pair = pairs.next().ok_or(InvalidDeviceAddress)?;
            // from_str_radix would also take a sign.
            if pair.len() != 2 || !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(InvalidDeviceAddress);
            }
            *octet = u8::from_str_radix(pair, 16).map_err(|_| InvalidDeviceAddress)?;
        }
        match pairs.next() {
            None => Ok(Self { octets, kind }),
            Some(_) => Err(InvalidDeviceAddress),
        }
    }
}

impl fmt::Display for DeviceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.octets;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A text is no device address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a device address is six pairs of hexadecimal digits with colons between them")]
pub struct InvalidDeviceAddress;

/// How an interface identifier is made of a device address. All devices of a network have to
/// use the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum IidMode {
    /// The address as it is, with `ff:fe` in the middle (RFC 7668 section 3.2.2). Linux from 4.12
    /// on, Nordic's SDK for the nRF5 from 14 on.
    #[default]
    Rfc7668,
    /// Besides, the universal/local bit tells the kinds apart: set for a public address, clear for
    /// a random one. Linux before 4.12, firmware of 2015 for the nRF51.
    Legacy,
}

impl FromStr for IidMode {
    type Err = UnknownIidMode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "rfc7668" => Ok(Self::Rfc7668),
            "legacy" => Ok(Self::Legacy),
            _ => Err(UnknownIidMode),
        }
    }
}

/// A name is that of no [`IidMode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("interface identifiers are made the way of `rfc7668` or `legacy`")]
pub struct UnknownIidMode;

/// An interface identifier: the second half of an address (RFC 4291 section 2.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Iid(pub [u8; 8]);

impl Iid {
    /// That of a device.
    #[must_use]
    pub const fn of_device(device: DeviceAddress, mode: IidMode) -> Self {
        let [a, b, c, d, e, f] = device.octets;
        let a = match (mode, device.kind) {
            (IidMode::Rfc7668, _) => a,
            (IidMode::Legacy, AddressKind::Public) => a | UNIVERSAL,
            (IidMode::Legacy, AddressKind::Random) => a & !UNIVERSAL,
        };
        Self([a, b, c, 0xff, 0xfe, d, e, f])
    }

    /// The second half of `address`.
    #[must_use]
    pub const fn of_address(address: Ipv6Addr) -> Self {
        let [.., a, b, c, d, e, f, g, h] = address.octets();
        Self([a, b, c, d, e, f, g, h])
    }

    /// The link-local address with this identifier.
    #[must_use]
    pub fn link_local(self) -> Ipv6Addr {
        self.in_prefix(LINK_LOCAL_PREFIX)
    }

    /// The address in the /64 of `prefix` with this identifier, as stateless autoconfiguration
    /// forms it (RFC 4862 section 5.5.3).
    #[must_use]
    pub fn in_prefix(self, prefix: Ipv6Addr) -> Ipv6Addr {
        let iid = u128::from(u64::from_be_bytes(self.0));
        Ipv6Addr::from_bits(prefix.to_bits() >> 64 << 64 | iid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_address_prints_as_it_is_read() {
        let text = "c0:11:22:33:44:55";
        let address = DeviceAddress::parse(text, AddressKind::Random).unwrap();
        assert_eq!(
            address,
            DeviceAddress::random([0xc0, 0x11, 0x22, 0x33, 0x44, 0x55])
        );
        assert_eq!(address.to_string(), text);
        assert_eq!(address.to_le_octets(), [0x55, 0x44, 0x33, 0x22, 0x11, 0xc0]);
    }

    #[test]
    fn what_is_no_device_address_is_refused() {
        let texts = [
            "",
            "00:1b:dc:00:00",
            "00:1b:dc:00:00:02:03",
            "+0:1b:dc:00:00:02",
            "0:1b:dc:00:00:02",
            "é:1b:dc:00:00:02",
        ];
        for text in texts {
            assert!(
                DeviceAddress::parse(text, AddressKind::Public).is_err(),
                "{text}"
            );
        }
    }
}
