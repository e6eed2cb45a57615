//! Radio links: a Pi, and the kits that it is connected to by Bluetooth Low Energy.
//!
//! Both ends call the interface `bt0`, which is there while they are connected. A kit's address follows from its device
//! address, so that it is known before anybody has spoken.

use std::fmt;
use std::net::IpAddr;

use serde::{Serialize, Serializer};
use sixlowpan::iid::{DeviceAddress, Iid};

use super::wiring::Wiring;
use super::{AddressPlan, Downstream, InterfacePlan, Net, Plan, Role, sysctls};
use crate::model::{Identifiers, Kit, Pi, Scenario};
use crate::radio::INTERFACE;

/// The addresses of Pis: of those for documentation (RFC 7042 section 2.1.2).
const PIS: [u8; 5] = [0x00, 0x00, 0x5e, 0x00, 0x53];

/// How the addresses begin that kits have drawn. The universal/local bit is set, so that it matters who regards it.
const KITS: [u8; 3] = [0xc2, b'v', b'6'];

/// A Bluetooth interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Radio {
    /// Its device address.
    #[serde(serialize_with = "as_text")]
    pub device: DeviceAddress,
    /// How it makes interface identifiers.
    pub identifiers: Identifiers,
    /// Which end it is.
    pub end: RadioEnd,
}

/// An end of radio links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RadioEnd {
    /// The border router, which looks for its nodes and connects to them.
    Router {
        /// To whom.
        connections: Vec<Connection>,
        /// Whether it tells contexts for compression.
        contexts: bool,
    },
    /// A node, which waits for that one.
    Node {
        /// Name of the machine that is the router.
        router: String,
        /// Whether it registers its addresses.
        registers: bool,
    },
}

/// What the router wants of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Connection {
    /// The node's device address.
    #[serde(serialize_with = "as_text")]
    pub node: DeviceAddress,
    /// The connection interval in milliseconds: how often the two hear each other.
    pub interval: u16,
    /// Packets of the link layer each sends then, of at most 27 octets.
    pub packets: u8,
}

impl Wiring {
    /// The radio of a Pi and the kits it is connected to, if there are any.
    pub(super) fn radio(
        &mut self,
        scenario: &Scenario,
        pi: &Pi,
        prefix: Net,
    ) -> Option<Downstream> {
        let number = scenario
            .pis
            .iter()
            .position(|other| other.name == pi.name)?;
        let [.., high, low] = number.to_be_bytes();
        let kits = scenario.kits.iter().filter(|kit| kit.behind == pi.name);
        let kits: Vec<(&Kit, DeviceAddress)> = (1..=u8::MAX)
            .zip(kits)
            .map(|(n, kit)| {
                let [a, b, c] = KITS;
                let drawn = DeviceAddress::random([a, b, c, high, low, n]);
                (kit, kit.device().unwrap_or(drawn))
            })
            .collect();
        if kits.is_empty() {
            return None;
        }
        let name = pi.name.get_ref();
        let gateway = prefix.nth(1)?;
        let (IpAddr::V6(network), IpAddr::V6(first)) = (prefix.addr, gateway.addr) else {
            return None;
        };
        let connections = kits.iter().map(|(kit, node)| Connection {
            node: *node,
            interval: kit.interval(),
            packets: kit.packets(),
        });
        let [a, b, c, d, e] = PIS;
        let router = Radio {
            device: DeviceAddress::public([a, b, c, d, e, low]),
            identifiers: pi.identifiers,
            end: RadioEnd::Router {
                connections: connections.collect(),
                contexts: pi.contexts.unwrap_or(true),
            },
        };
        self.bluetooth(name, router, gateway);
        for (kit, device) in &kits {
            let kit_name = kit.name.get_ref();
            self.add(kit_name, Role::Kit, sysctls::host());
            let iid = Iid::of_device(*device, kit.identifiers.into());
            let own = Net {
                addr: iid.in_prefix(network).into(),
                len: prefix.len,
            };
            let node = Radio {
                device: *device,
                identifiers: kit.identifiers,
                end: RadioEnd::Node {
                    router: name.clone(),
                    registers: kit.registers(),
                },
            };
            self.bluetooth(kit_name, node, own);
        }
        Some(Downstream {
            interface: INTERFACE.to_owned(),
            prefix,
            gateway: first,
            hosts: kits
                .iter()
                .map(|(kit, _)| kit.name.get_ref().clone())
                .collect(),
        })
    }

    /// An interface whose address is given to it once it is there.
    fn bluetooth(&mut self, name: &str, radio: Radio, address: Net) {
        let interface = self.interface(name, INTERFACE);
        *interface = InterfacePlan {
            name: INTERFACE.to_owned(),
            mac: radio.device.octets,
            mtu: u32::try_from(sixlowpan::MTU).unwrap_or(u32::MAX),
            bridge: false,
            port_of: None,
            addresses: vec![AddressPlan {
                net: address,
                label: None,
                leased: true,
            }],
            radio: Some(radio),
        };
    }
}

impl Plan {
    /// How a node is connected.
    #[must_use]
    pub fn connection_of(&self, node: &Radio) -> Option<&Connection> {
        let radios = self.nodes.iter().flat_map(|node| &node.interfaces);
        let routers = radios.filter_map(|interface| match &interface.radio.as_ref()?.end {
            RadioEnd::Router { connections, .. } => Some(connections),
            RadioEnd::Node { .. } => None,
        });
        routers
            .flatten()
            .find(|connection| connection.node == node.device)
    }

    /// Machines that are joined by radio, the router first.
    pub fn radio_links(&self) -> impl Iterator<Item = [&str; 2]> {
        self.nodes.iter().flat_map(|node| {
            node.interfaces
                .iter()
                .filter_map(|interface| match &interface.radio.as_ref()?.end {
                    RadioEnd::Node { router, .. } => Some([router.as_str(), node.name.as_str()]),
                    RadioEnd::Router { .. } => None,
                })
        })
    }
}

impl fmt::Display for Radio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.end {
            RadioEnd::Router {
                connections,
                contexts,
            } => {
                write!(f, "radio")?;
                for Connection {
                    node,
                    interval,
                    packets,
                } in connections
                {
                    write!(f, ", to {node} {packets} packets each {interval} ms")?;
                }
                if !contexts {
                    write!(f, ", tells no contexts")?;
                }
            }
            RadioEnd::Node { router, registers } => {
                write!(f, "radio, to {router}")?;
                if !registers {
                    write!(f, ", registers nothing")?;
                }
            }
        }
        match self.identifiers {
            Identifiers::Rfc7668 => Ok(()),
            Identifiers::Legacy => write!(f, ", with legacy identifiers"),
        }
    }
}

/// As it is printed; what kind of address it is can be seen of it.
fn as_text<S: Serializer>(device: &DeviceAddress, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(device)
}
