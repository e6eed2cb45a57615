//! From what was seen to what the venue is.

use std::net::SocketAddrV4;

use serde::Serialize;

use super::questions::SeenOutside;
use crate::nat::{Behaviour, Filtering, Hairpin, Mapping};

/// What was seen of a venue. Servers are in the order of ten:3478, ten:3479, twenty:3478, twenty:3479.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// An inner socket.
    pub inner: SocketAddrV4,
    /// That socket as the servers see it.
    pub sources: [SocketAddrV4; 4],
    /// Many sockets of one host as a server sees them.
    pub flows: Vec<SocketAddrV4>,
    /// Which servers may send to a socket that has sent to the first.
    pub admitted: [bool; 4],
    /// Whether a server may send to a socket whose neighbour has sent to it.
    pub leak: bool,
    /// A socket as a server sees it,
    pub rival: SocketAddrV4,
    /// and one of another host with the same inner port as three servers see it.
    pub contended: [SocketAddrV4; 3],
    /// A socket as seen by a server, and by two whose packets came first.
    pub early: [SocketAddrV4; 3],
    /// A socket that sends to its neighbour's external address, by itself and as a server sees it.
    pub neighbour: SeenOutside,
    /// The same as the neighbour sees it, if it does.
    pub hairpin: Option<SocketAddrV4>,
}

/// What was seen is nothing there is a word for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {seen} is no behaviour that RFC 4787 knows")]
pub struct Odd {
    /// Which property.
    pub what: &'static str,
    /// What was seen.
    pub seen: String,
}

impl Sighting {
    /// What the venue is.
    ///
    /// # Errors
    /// When it is nothing there is a word for.
    pub fn behaviour(&self) -> Result<Behaviour, Odd> {
        let b = self.contended[0];
        Ok(Behaviour {
            mapping: self.mapping(),
            preserved: self
                .sources
                .iter()
                .all(|seen| seen.port() == self.inner.port()),
            filtering: self.filtering()?,
            leak: self.leak,
            contention: b != self.rival && self.contended.iter().all(|seen| *seen == b),
            early: ports(&self.early).all(|port| port == self.early[0].port()),
            hairpin: self.hairpin()?,
            paired: self
                .flows
                .iter()
                .all(|seen| seen.ip() == self.flows[0].ip()),
        })
    }

    /// Of ports alone; that there may be several addresses is another property.
    fn mapping(&self) -> Mapping {
        if self.sources.iter().all(|seen| *seen == self.inner) {
            return Mapping::None;
        }
        let [ten, ten_other, twenty, twenty_other] = self.sources.map(|seen| seen.port());
        match (ten == ten_other && twenty == twenty_other, ten == twenty) {
            (true, true) => Mapping::EndpointIndependent,
            (true, false) => Mapping::AddressDependent,
            (false, _) => Mapping::AddressAndPortDependent,
        }
    }

    fn filtering(&self) -> Result<Filtering, Odd> {
        match self.admitted {
            [true, true, true, true] => Ok(Filtering::EndpointIndependent),
            [true, true, false, false] => Ok(Filtering::AddressDependent),
            [true, false, false, false] => Ok(Filtering::AddressAndPortDependent),
            _ => Err(Odd {
                what: "filtering",
                seen: format!("{:?}", self.admitted),
            }),
        }
    }

    fn hairpin(&self) -> Result<Hairpin, Odd> {
        let (inner, outside) = self.neighbour;
        match self.hairpin {
            None => Ok(Hairpin::None),
            Some(seen) if seen == inner => Ok(Hairpin::Internal),
            Some(seen) if seen == outside => Ok(Hairpin::External),
            Some(seen) => Err(Odd {
                what: "hairpin",
                seen: format!("{inner}, outside {outside} and to a neighbour {seen},"),
            }),
        }
    }
}

fn ports(seen: &[SocketAddrV4]) -> impl Iterator<Item = u16> {
    seen.iter().map(SocketAddrV4::port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(port: u16) -> SocketAddrV4 {
        SocketAddrV4::new([192, 168, 7, 100].into(), port)
    }

    fn outside(port: u16) -> SocketAddrV4 {
        SocketAddrV4::new([203, 0, 113, 50].into(), port)
    }

    /// What is seen of a good home router.
    fn good() -> Sighting {
        Sighting {
            inner: inside(20_000),
            sources: [outside(20_000); 4],
            flows: (20_001..20_017).map(outside).collect(),
            admitted: [true, false, false, false],
            leak: false,
            rival: outside(20_020),
            contended: [outside(4711); 3],
            early: [outside(20_021); 3],
            neighbour: (inside(20_022), outside(20_022)),
            hairpin: Some(outside(20_022)),
        }
    }

    fn mapped(ports: [u16; 4]) -> Mapping {
        let sources = ports.map(outside);
        Sighting { sources, ..good() }.behaviour().unwrap().mapping
    }

    #[test]
    fn a_good_router_is_recognised() {
        let expected = Behaviour {
            mapping: Mapping::EndpointIndependent,
            preserved: true,
            filtering: Filtering::AddressAndPortDependent,
            leak: false,
            contention: true,
            early: true,
            hairpin: Hairpin::External,
            paired: true,
        };
        assert_eq!(good().behaviour(), Ok(expected));
    }

    #[test]
    fn mappings_are_told_by_what_they_depend_on() {
        assert_eq!(mapped([7, 7, 7, 7]), Mapping::EndpointIndependent);
        assert_eq!(mapped([7, 7, 8, 8]), Mapping::AddressDependent);
        assert_eq!(mapped([7, 8, 9, 10]), Mapping::AddressAndPortDependent);
        assert_eq!(mapped([7, 8, 7, 8]), Mapping::AddressAndPortDependent);
        let sources = [inside(20_000); 4];
        let routed = Sighting { sources, ..good() };
        assert_eq!(routed.behaviour().unwrap().mapping, Mapping::None);
    }

    #[test]
    fn one_port_that_changes_is_not_preserved() {
        assert!(
            !Sighting {
                sources: [20_000, 20_000, 20_000, 9].map(outside),
                ..good()
            }
            .behaviour()
            .unwrap()
            .preserved
        );
    }

    #[test]
    fn a_filter_that_keeps_out_whom_it_should_let_in_is_odd() {
        let admitted = [true, false, true, true];
        let odd = Sighting { admitted, ..good() }.behaviour().unwrap_err();
        assert_eq!(odd.what, "filtering");
        let admitted = [false; 4];
        assert!(Sighting { admitted, ..good() }.behaviour().is_err());
    }

    #[test]
    fn a_rivals_endpoint_is_not_ones_own() {
        for contended in [[outside(20_020); 3], [outside(1), outside(1), outside(2)]] {
            assert!(
                !Sighting {
                    contended,
                    ..good()
                }
                .behaviour()
                .unwrap()
                .contention
            );
        }
    }

    #[test]
    fn a_hairpin_is_told_by_the_source() {
        let seen = |hairpin| {
            Sighting { hairpin, ..good() }
                .behaviour()
                .map(|seen| seen.hairpin)
        };
        assert_eq!(seen(None), Ok(Hairpin::None));
        assert_eq!(seen(Some(inside(20_022))), Ok(Hairpin::Internal));
        assert!(seen(Some(outside(9))).is_err());
    }

    #[test]
    fn another_address_for_one_flow_is_not_paired() {
        let mut sighting = good();
        sighting.flows[5] = SocketAddrV4::new([203, 0, 113, 51].into(), 20_006);
        assert!(!sighting.behaviour().unwrap().paired);
    }
}
