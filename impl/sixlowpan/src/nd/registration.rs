//! The address registration option, plain (RFC 6775 section 4.1) and extended (RFC 8505 section 4.1).
//! A plain one is an extended one in which all that was added is zero.

use super::option::Minutes;

/// The R flag: the router is asked to have others reach the address (RFC 8505 section 4.1).
const ROUTE: u8 = 0b10;
/// The T flag: there is a transaction identifier (RFC 8505 section 4.1).
const TRANSACTION: u8 = 0b01;
/// Where the two bits stand that say what the opaque octet means.
const OPAQUE_KIND_AT: u32 = 2;

/// A request to register an address, or the answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AddressRegistration {
    /// What became of it; [`Status::SUCCESS`] in a request.
    pub status: Status,
    /// For others than the two ends (RFC 8505 section 4.1).
    pub opaque: u8,
    /// What [`Self::opaque`] means, 0 to 3.
    pub opaque_kind: u8,
    /// Whether the router is asked to have others reach the address.
    pub route: bool,
    /// Orders the registrations of one owner; a plain option has none.
    pub transaction: Option<u8>,
    /// How long the address is to be kept; 0 ends that.
    pub lifetime: Minutes,
    /// Who registers.
    pub owner: Owner,
}

impl AddressRegistration {
    /// A request in the manner of RFC 6775.
    #[must_use]
    pub const fn plain(owner: [u8; 8], lifetime: Minutes) -> Self {
        Self {
            status: Status::SUCCESS,
            opaque: 0,
            opaque_kind: 0,
            route: false,
            transaction: None,
            lifetime,
            owner: Owner::Of64(owner),
        }
    }

    /// The same with what became of it, as an answer has it (RFC 6775 section 6.5).
    #[must_use]
    pub fn answered(&self, status: Status) -> Self {
        Self {
            status,
            ..self.clone()
        }
    }

    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let (&[status, opaque, flags, transaction, a, b], owner) = body.split_first_chunk()?;
        Some(Self {
            status: Status(status),
            opaque,
            opaque_kind: flags >> OPAQUE_KIND_AT & 0b11,
            route: flags & ROUTE != 0,
            transaction: (flags & TRANSACTION != 0).then_some(transaction),
            lifetime: Minutes(u16::from_be_bytes([a, b])),
            owner: Owner::parse(owner)?,
        })
    }

    pub(super) fn body(&self) -> Vec<u8> {
        let route = if self.route { ROUTE } else { 0 };
        let transaction = if self.transaction.is_some() {
            TRANSACTION
        } else {
            0
        };
        let flags = (self.opaque_kind & 0b11) << OPAQUE_KIND_AT | route | transaction;
        let [a, b] = self.lifetime.0.to_be_bytes();
        let Status(status) = self.status;
        let head = [
            status,
            self.opaque,
            flags,
            self.transaction.unwrap_or(0),
            a,
            b,
        ];
        [&head[..], self.owner.octets()].concat()
    }
}

/// What tells the registrations of one node from those of others: an EUI-64, or a longer proof of
/// ownership (RFC 8505 section 5.3). Implementations differ in how they make it of a device
/// address, therefore it is compared with itself only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// 64 bits, as RFC 6775 knows it.
    Of64([u8; 8]),
    /// 128 bits.
    Of128([u8; 16]),
    /// 192 bits.
    Of192([u8; 24]),
    /// 256 bits.
    Of256([u8; 32]),
}

impl Owner {
    fn parse(octets: &[u8]) -> Option<Self> {
        let of64 = octets.try_into().map(Self::Of64);
        let of128 = || octets.try_into().map(Self::Of128);
        let of192 = || octets.try_into().map(Self::Of192);
        let of256 = || octets.try_into().map(Self::Of256);
        of64.or_else(|_| of128())
            .or_else(|_| of192())
            .or_else(|_| of256())
            .ok()
    }

    /// Its octets: 8, 16, 24 or 32.
    #[must_use]
    pub const fn octets(&self) -> &[u8] {
        match self {
            Self::Of64(octets) => octets,
            Self::Of128(octets) => octets,
            Self::Of192(octets) => octets,
            Self::Of256(octets) => octets,
        }
    }
}

/// What became of a registration (RFC 6775 section 4.1, RFC 8505 section 12.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Status(pub u8);

impl Status {
    /// The address is registered, or no longer if that was asked.
    pub const SUCCESS: Self = Self(0);
    /// Another owner has the address.
    pub const DUPLICATE: Self = Self(1);
    /// The router can remember no more.
    pub const CACHE_FULL: Self = Self(2);
    /// The owner has registered the address elsewhere since.
    pub const MOVED: Self = Self(3);
    /// The router has given the address up.
    pub const REMOVED: Self = Self(4);
    /// The router wants a proof of ownership.
    pub const VALIDATION_REQUESTED: Self = Self(5);
    /// Another owner has the address the request came from.
    pub const DUPLICATE_SOURCE: Self = Self(6);
    /// The request came from an address that cannot be used for that.
    pub const INVALID_SOURCE: Self = Self(7);
    /// The address is none that can be used on this link.
    pub const TOPOLOGICALLY_INCORRECT: Self = Self(8);
    /// The network can remember no more.
    pub const REGISTRY_SATURATED: Self = Self(9);
    /// The proof of ownership does not hold.
    pub const VALIDATION_FAILED: Self = Self(10);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_have_whole_units() {
        for len in [8, 16, 24, 32] {
            let body = vec![0; 6 + len];
            assert_eq!(
                AddressRegistration::parse(&body)
                    .unwrap()
                    .owner
                    .octets()
                    .len(),
                len
            );
        }
        for len in [0, 7, 9, 40] {
            assert_eq!(AddressRegistration::parse(&vec![0; 6 + len]), None);
        }
    }

    #[test]
    fn a_transaction_counts_only_where_its_flag_says_so() {
        let plain = [0, 0, 0, 7, 0, 60, 0, 0, 0, 0, 0, 0, 0, 1];
        let read = AddressRegistration::parse(&plain).unwrap();
        assert_eq!(
            read,
            AddressRegistration::plain([0, 0, 0, 0, 0, 0, 0, 1], Minutes(60))
        );
        let extended = [0, 5, 0b1111, 7, 0, 60, 0, 0, 0, 0, 0, 0, 0, 1];
        let read = AddressRegistration::parse(&extended).unwrap();
        assert_eq!((read.transaction, read.route), (Some(7), true));
        assert_eq!((read.opaque, read.opaque_kind), (5, 3));
        assert_eq!(read.body(), extended);
    }
}
