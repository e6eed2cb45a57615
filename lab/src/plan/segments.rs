//! Plans for tests that want no scenario: machines on Ethernets, and nothing in between that routes.

use super::build::number_interfaces;
use super::wiring::Wiring;
use super::{Net, Plan, Role, sysctls};

/// Host number of a segment's first member.
const FIRST_MEMBER: u32 = 10;

/// One Ethernet and who is on it.
#[derive(Debug, Clone)]
pub struct Segment<'a> {
    /// Networks in which each member has an address.
    pub networks: &'a [Net],
    /// Names of machines. One that is on several segments has an interface on each, and forwards nothing.
    pub members: &'a [&'a str],
}

pub(super) fn build(title: &str, segments: &[Segment<'_>]) -> Plan {
    let mut builder = Wiring::default();
    for (n, segment) in segments.iter().enumerate() {
        for member in segment.members {
            if builder.find(member).is_none() {
                builder.add(member, Role::Server, sysctls::host());
            }
        }
        let cables: Vec<(&str, String)> = segment
            .members
            .iter()
            .map(|member| (*member, builder.next_ethernet(member)))
            .collect();
        match cables.as_slice() {
            [(one, ours), (other, theirs)] => builder.cable(one, ours, other, theirs),
            cables => {
                let switch = format!("switch{n}");
                builder.add(&switch, Role::Core, sysctls::host());
                let cables: Vec<_> = cables.iter().map(|(m, i)| (*m, i.as_str())).collect();
                builder.bridge(&switch, "br0", "eth", &cables);
            }
        }
        for (host, (member, interface)) in (FIRST_MEMBER..).zip(&cables) {
            for network in segment.networks {
                builder.address(member, interface, network.nth(host), None);
            }
        }
    }
    let mut plan = Plan {
        title: title.to_owned(),
        nodes: builder.nodes,
        links: builder.links,
        overlay: None,
        passages: Vec::new(),
        places: Vec::new(),
        seed: 0,
    };
    number_interfaces(&mut plan);
    plan
}
