//! Between which NATs two hosts can reach each other, by theory (RFC 5128 section 3.3).

use super::{Behaviour, Filtering, Mapping};

/// Whether two hosts, told by a server as whom it sees the other, reach each other by UDP when both send there and
/// answer to where packets come from. It can matter whose packet is `first`.
#[must_use]
pub fn can_be_punched(first: &Behaviour, second: &Behaviour) -> bool {
    let first_is_known = is_known(first);
    // The first packet has come before the second host sends, and where that costs the port, it is not as it was told.
    let second_is_known = is_known(second) && second.early;
    lets_in(first, first_is_known, second, second_is_known)
        || lets_in(second, second_is_known, first, first_is_known)
}

/// Whether a peer sees the host as the server sees it.
fn is_known(host: &Behaviour) -> bool {
    let same_port = matches!(host.mapping, Mapping::None | Mapping::EndpointIndependent);
    same_port && host.paired
}

/// Whether the peer's packet gets in to a host that has sent to where the peer was said to be. The host's answer then
/// goes back the same way.
fn lets_in(host: &Behaviour, host_is_known: bool, peer: &Behaviour, peer_is_known: bool) -> bool {
    let peer_passes = match host.filtering {
        Filtering::EndpointIndependent => true,
        Filtering::AddressDependent => peer.paired,
        Filtering::AddressAndPortDependent => peer_is_known,
    };
    host_is_known && peer_passes
}

#[cfg(test)]
mod tests {
    use super::super::Hairpin;
    use super::*;
    use Filtering::{
        AddressAndPortDependent as Apdf, AddressDependent as Adf, EndpointIndependent as Eif,
    };
    use Mapping::{AddressAndPortDependent as Apdm, EndpointIndependent as Eim};

    fn nat(mapping: Mapping, filtering: Filtering, early: bool) -> Behaviour {
        Behaviour {
            mapping,
            preserved: true,
            filtering,
            leak: false,
            contention: true,
            early,
            hairpin: Hairpin::None,
            paired: true,
        }
    }

    #[test]
    fn two_symmetric_ones_cannot() {
        let symmetric = nat(Apdm, Apdf, false);
        assert!(!can_be_punched(&symmetric, &symmetric));
        assert!(!can_be_punched(&symmetric, &nat(Eim, Apdf, true)));
        assert!(!can_be_punched(&nat(Eim, Apdf, true), &symmetric));
    }

    #[test]
    fn one_that_does_not_filter_by_port_is_enough() {
        let symmetric = nat(Apdm, Apdf, false);
        for filtering in [Eif, Adf] {
            let loose = nat(Eim, filtering, true);
            assert!(can_be_punched(&symmetric, &loose));
            assert!(can_be_punched(&loose, &symmetric));
        }
    }

    #[test]
    fn whoever_loses_the_port_to_an_early_packet_must_be_first() {
        let (good, naive) = (nat(Eim, Apdf, true), nat(Eim, Apdf, false));
        assert!(can_be_punched(&good, &good));
        assert!(can_be_punched(&naive, &good));
        assert!(!can_be_punched(&good, &naive));
        assert!(!can_be_punched(&naive, &naive));
    }

    #[test]
    fn a_port_at_another_address_is_another_endpoint() {
        let arbitrary = Behaviour {
            paired: false,
            ..nat(Eim, Apdf, true)
        };
        assert!(!can_be_punched(&arbitrary, &nat(Eim, Apdf, true)));
        assert!(!can_be_punched(&arbitrary, &nat(Eim, Adf, true)));
        assert!(can_be_punched(&arbitrary, &nat(Eim, Eif, true)));
    }
}
