//! Who owns an IP address: longest-prefix look-up over the subnets of a mesh.

use std::cmp::Reverse;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Subnet, SubnetAddr};

/// One subnet of one node, as [`IpTable::new`] takes it.
#[derive(Debug, Clone, Copy)]
pub struct Claim<T> {
    /// What is owned.
    pub subnet: Subnet,
    /// By whom.
    pub owner: T,
    /// The owner can be reached.
    pub reachable: bool,
}

/// An immutable table of the owners of IPv4 and IPv6 addresses.
///
/// The address space is cut where the answer changes, so that a look-up is one binary search.
#[derive(Debug, Clone)]
pub struct IpTable<T> {
    v4: Vec<(u32, Option<T>)>,
    v6: Vec<(u128, Option<T>)>,
}

impl<T> Default for IpTable<T> {
    fn default() -> Self {
        Self {
            v4: Vec::new(),
            v6: Vec::new(),
        }
    }
}

impl<T: Copy> IpTable<T> {
    /// A table of `claims`, which come in the order of their owners' names; MAC addresses among
    /// them are left out.
    ///
    /// Of several subnets that hold an address the first with a reachable owner counts: longer
    /// prefixes before shorter ones, then by address as announced, weight and owner. If nobody
    /// is reachable it is the last one (tinc 1.0).
    #[must_use]
    pub fn new(claims: impl IntoIterator<Item = Claim<T>>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for claim in claims {
            match claim.subnet.addr {
                SubnetAddr::Mac(_) => {}
                SubnetAddr::V4 { addr, len } => {
                    let last = u32::MAX.checked_shr(len.into()).unwrap_or(0);
                    v4.push(Block::new(addr.to_bits().into(), last.into(), claim));
                }
                SubnetAddr::V6 { addr, len } => {
                    let last = u128::MAX.checked_shr(len.into()).unwrap_or(0);
                    v6.push(Block::new(addr.to_bits(), last, claim));
                }
            }
        }
        let in_v4 = |(start, owner)| Some((u32::try_from(start).ok()?, owner));
        Self {
            // A cut behind the last address of all is none.
            v4: cuts(v4).into_iter().filter_map(in_v4).collect(),
            v6: cuts(v6),
        }
    }

    /// Who owns an IPv4 address.
    #[must_use]
    pub fn v4(&self, address: Ipv4Addr) -> Option<T> {
        find(&self.v4, address.to_bits())
    }

    /// Who owns an IPv6 address.
    #[must_use]
    pub fn v6(&self, address: Ipv6Addr) -> Option<T> {
        find(&self.v6, address.to_bits())
    }
}

/// A claim as a range of addresses.
#[derive(Clone, Copy)]
struct Block<T> {
    first: u128,
    last: u128,
    announced: u128,
    claim: Claim<T>,
}

impl<T> Block<T> {
    fn new(announced: u128, host_bits: u128, claim: Claim<T>) -> Self {
        Self {
            first: announced & !host_bits,
            last: announced | host_bits,
            announced,
            claim,
        }
    }
}

/// The owner of a range and of all within it that has no better one.
#[derive(Clone, Copy)]
struct Scope<T> {
    last: u128,
    owner: T,
    reachable: bool,
}

/// Where the owner changes, in order; everything before the first cut is nobody's.
fn cuts<T: Copy>(mut blocks: Vec<Block<T>>) -> Vec<(u128, Option<T>)> {
    // Stable, so that the owners of one prefix and weight stay in the order of their names.
    blocks.sort_by_key(|block| {
        let weight = block.claim.subnet.weight;
        (block.first, Reverse(block.last), block.announced, weight)
    });
    let mut cuts = Vec::new();
    // Prefixes around the one at hand, the shortest first.
    let mut around: Vec<Scope<T>> = Vec::new();
    for same in blocks.chunk_by(|a, b| (a.first, a.last) == (b.first, b.last)) {
        let Some((first, last)) = same.first().zip(same.last()) else {
            continue;
        };
        leave(&mut around, &mut cuts, |scope| scope.last < first.first);
        let best = same.iter().find(|block| block.claim.reachable);
        let (owner, reachable) = match (best, around.last()) {
            (Some(best), _) => (best.claim.owner, true),
            (None, Some(outer)) => (outer.owner, outer.reachable),
            (None, None) => (last.claim.owner, false),
        };
        cut(&mut cuts, first.first, Some(owner));
        around.push(Scope {
            last: first.last,
            owner,
            reachable,
        });
    }
    leave(&mut around, &mut cuts, |_| true);
    cuts
}

/// Ends the innermost scopes as long as `is_over` says so.
fn leave<T: Copy>(
    around: &mut Vec<Scope<T>>,
    cuts: &mut Vec<(u128, Option<T>)>,
    is_over: impl Fn(&Scope<T>) -> bool,
) {
    while let Some(scope) = around.pop_if(|scope| is_over(scope)) {
        if let Some(next) = scope.last.checked_add(1) {
            cut(cuts, next, around.last().map(|outer| outer.owner));
        }
    }
}

/// Of several cuts at one place the last one holds.
fn cut<T>(cuts: &mut Vec<(u128, Option<T>)>, at: u128, owner: Option<T>) {
    match cuts.last_mut() {
        Some(last) if last.0 == at => last.1 = owner,
        _ => cuts.push((at, owner)),
    }
}

fn find<A: Copy + Ord, T: Copy>(cuts: &[(A, Option<T>)], address: A) -> Option<T> {
    let behind = cuts.partition_point(|(start, _)| *start <= address);
    cuts.get(behind.checked_sub(1)?)?.1
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    fn claim(subnet: &str, owner: u8, reachable: bool) -> Claim<u8> {
        Claim {
            subnet: subnet.parse().unwrap(),
            owner,
            reachable,
        }
    }

    fn look_up(table: &IpTable<u8>, address: &str) -> Option<u8> {
        match address.parse().unwrap() {
            IpAddr::V4(address) => table.v4(address),
            IpAddr::V6(address) => table.v6(address),
        }
    }

    #[test]
    fn the_longest_prefix_owns_an_address() {
        let table = IpTable::new([
            claim("0.0.0.0/0", 1, true),
            claim("10.0.0.0/8", 2, true),
            claim("10.1.0.0/16", 3, true),
            claim("10.1.255.255", 4, true),
            claim("2001:db8::/32", 5, true),
        ]);
        for (address, owner) in [
            ("9.255.255.255", Some(1)),
            ("10.0.255.255", Some(2)),
            ("10.1.0.0", Some(3)),
            ("10.1.255.255", Some(4)),
            ("10.2.0.0", Some(2)),
            ("255.255.255.255", Some(1)),
            ("2001:db8:ffff::1", Some(5)),
            ("2001:db9::", None),
            ("::", None),
        ] {
            assert_eq!(look_up(&table, address), owner, "{address}");
        }
    }

    #[test]
    fn of_equal_prefixes_the_lowest_weight_then_the_first_name_counts() {
        let table = IpTable::new([
            claim("10.0.0.0/8#20", 1, true),
            claim("10.0.0.0/8#-1", 2, true),
            claim("10.0.0.0/8#-1", 3, true),
        ]);
        assert_eq!(look_up(&table, "10.0.0.1"), Some(2));
    }

    #[test]
    fn a_reachable_owner_of_a_shorter_prefix_comes_before_an_unreachable_one() {
        let table = IpTable::new([
            claim("10.1.0.0/16", 1, false),
            claim("10.0.0.0/8", 2, true),
            claim("0.0.0.0/0", 3, true),
        ]);
        assert_eq!(look_up(&table, "10.1.0.1"), Some(2));
    }

    #[test]
    fn if_nobody_is_reachable_the_last_match_is_named() {
        let table = IpTable::new([
            claim("10.1.0.0/16", 1, false),
            claim("10.0.0.0/8#5", 2, false),
            claim("10.0.0.0/8#6", 3, false),
        ]);
        assert_eq!(look_up(&table, "10.1.0.1"), Some(3));
    }

    /// The rule as it is written down, without any table.
    fn scan(claims: &[Claim<u8>], address: IpAddr) -> Option<u8> {
        let holds = |claim: &&Claim<u8>| match (claim.subnet.addr, address) {
            (SubnetAddr::V4 { addr, len }, IpAddr::V4(address)) => {
                let differs = addr.to_bits() ^ address.to_bits();
                differs.leading_zeros() >= len.into()
            }
            (SubnetAddr::V6 { addr, len }, IpAddr::V6(address)) => {
                let differs = addr.to_bits() ^ address.to_bits();
                differs.leading_zeros() >= len.into()
            }
            _ => false,
        };
        let mut matching: Vec<_> = claims.iter().filter(holds).collect();
        matching.sort_by_key(|claim| (claim.subnet, claim.owner));
        let reachable = matching.iter().find(|claim| claim.reachable);
        let last = matching.last();
        reachable.or(last).map(|claim| claim.owner)
    }

    /// Addresses that often fall into each other's prefixes.
    fn any_claims() -> impl Strategy<Value = Vec<Claim<u8>>> {
        let bits =
            prop::sample::select(vec![0, 1, u32::MAX, 0x8000_0000, 0x0a01_0000, 0x0a01_ffff]);
        let addr =
            (any::<bool>(), bits, 0..=32u8, 0..=128u8).prop_map(|(v6, bits, v4_len, v6_len)| {
                if v6 {
                    let bits = u128::from(bits) << 96 | u128::from(bits);
                    let addr = bits.into();
                    SubnetAddr::V6 { addr, len: v6_len }
                } else {
                    let addr = bits.into();
                    SubnetAddr::V4 { addr, len: v4_len }
                }
            });
        let claim = (addr, 9..12i32, any::<bool>());
        prop::collection::vec(claim, 0..24).prop_map(|claims| {
            (0..)
                .zip(claims)
                .map(|(owner, (addr, weight, reachable))| Claim {
                    subnet: Subnet { addr, weight },
                    owner,
                    reachable,
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn the_table_answers_as_a_scan_of_all_subnets_does(claims in any_claims(), strays: [u32; 8]) {
            let table = IpTable::new(claims.iter().copied());
            let near = claims.iter().flat_map(|claim| match claim.subnet.addr {
                SubnetAddr::V4 { addr, len } => {
                    let host = u32::MAX.checked_shr(len.into()).unwrap_or(0);
                    let (first, last) = (addr.to_bits() & !host, addr.to_bits() | host);
                    [first.wrapping_sub(1), first, last, last.wrapping_add(1)]
                        .map(|bits| IpAddr::V4(bits.into()))
                }
                SubnetAddr::V6 { addr, len } => {
                    let host = u128::MAX.checked_shr(len.into()).unwrap_or(0);
                    let (first, last) = (addr.to_bits() & !host, addr.to_bits() | host);
                    [first.wrapping_sub(1), first, last, last.wrapping_add(1)]
                        .map(|bits| IpAddr::V6(bits.into()))
                }
                SubnetAddr::Mac(_) => [IpAddr::V4(Ipv4Addr::UNSPECIFIED); 4],
            });
            let strays = strays.into_iter().map(|bits| IpAddr::V4(bits.into()));
            for address in near.chain(strays) {
                let found = match address {
                    IpAddr::V4(address) => table.v4(address),
                    IpAddr::V6(address) => table.v6(address),
                };
                prop_assert_eq!(found, scan(&claims, address), "{}", address);
            }
        }
    }
}
