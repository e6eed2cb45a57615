//! Kernel settings of a machine, as they are before anybody has configured it.

use crate::model::UdpTimeout;

type Sysctls = Vec<(String, String)>;

/// A machine that forwards nothing, as systems are installed.
///
/// Duplicate address detection is off, since it would make every address unusable for a second.
pub(super) fn host() -> Sysctls {
    owned(&[
        ("net/ipv6/conf/all/accept_dad", "0"),
        ("net/ipv6/conf/default/accept_dad", "0"),
    ])
}

/// A router, of IPv4 and perhaps of IPv6.
pub(super) fn router(ipv6: bool) -> Sysctls {
    let mut all = host();
    all.extend(owned(&[("net/ipv4/ip_forward", "1")]));
    if ipv6 {
        all.extend(forward_ipv6());
    }
    all
}

/// What makes a router of IPv4 one of IPv6 too.
pub(super) fn forward_ipv6() -> Sysctls {
    owned(&[("net/ipv6/conf/all/forwarding", "1")])
}

/// How long connection tracking keeps UDP flows.
pub(super) fn udp_timeout(timeout: UdpTimeout) -> Sysctls {
    let key = |name: &str| format!("net/netfilter/nf_conntrack_udp_{name}");
    vec![
        (key("timeout"), timeout.unreplied.to_string()),
        (key("timeout_stream"), timeout.replied.to_string()),
    ]
}

fn owned(pairs: &[(&str, &str)]) -> Sysctls {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}
