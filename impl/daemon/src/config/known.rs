//! Every variable of tinc 1.0, and those of ours: what this version does with it, and the nearest
//! one to a typing error.

use strsim::levenshtein;

use super::set::ConfigSet;
use super::values::BadValue;

/// What becomes of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It has its effect, here or where it is read.
    Works,
    /// It is accepted and changes nothing; why.
    NoEffect(&'static str),
}

use Fate::{NoEffect, Works};

const OF_1_1: &str = "a variable of tinc 1.1; ignored, as tinc 1.0 ignores it";

/// Variables of tinc.conf and of host files (tinc manual, "Main configuration variables" and
/// "Host configuration variables"); `DeviceOffload`, `UDPCoalescing` and `UDPSegmentation` are ours.
#[rustfmt::skip]
const VARIABLES: &[(&str, Fate)] = &[
    ("Address", Works), ("AddressFamily", Works), ("BindToAddress", Works),
    ("BindToInterface", Works), ("Broadcast", Works), ("Cipher", Works), ("ClampMSS", Works),
    ("Compression", Works), ("ConnectTo", Works), ("DecrementTTL", Works), ("Device", Works),
    ("DeviceOffload", Works), ("DeviceType", Works), ("Digest", Works), ("DirectOnly", Works), ("Forwarding", Works),
    ("GraphDumpFile", Works), ("Hostnames", Works),
    ("IffOneQueue", NoEffect("without effect since Linux 3.8")), ("IndirectData", Works),
    ("Interface", Works), ("KeyExpire", Works), ("LocalDiscovery", Works), ("MACExpire", Works),
    ("MACLength", Works), ("MaxOutputBufferSize", Works), ("MaxTimeout", Works),
    ("MinTimeout", Works), ("Mode", Works), ("Name", Works), ("PingInterval", Works),
    ("PingTimeout", Works), ("PMTU", Works), ("PMTUDiscovery", Works), ("Port", Works),
    ("PriorityInheritance", Works), ("PrivateKey", Works), ("PrivateKeyFile", Works),
    ("ProcessPriority", Works), ("Proxy", Works), ("PublicKey", Works), ("PublicKeyFile", Works),
    ("ReplayWindow", Works), ("ScriptsInterpreter", Works), ("StrictSubnets", Works),
    ("Subnet", Works), ("TCPOnly", Works), ("TunnelServer", Works), ("UDPCoalescing", Works),
    ("UDPRcvBuf", Works), ("UDPSegmentation", Works), ("UDPSndBuf", Works), ("Weight", Works),
    ("AutoConnect", NoEffect(OF_1_1)), ("BroadcastSubnet", NoEffect(OF_1_1)),
    ("DeviceStandby", NoEffect(OF_1_1)), ("Ed25519PrivateKeyFile", NoEffect(OF_1_1)),
    ("Ed25519PublicKey", NoEffect(OF_1_1)), ("ExperimentalProtocol", NoEffect(OF_1_1)),
    ("InvitationExpire", NoEffect(OF_1_1)),
    ("ListenAddress", NoEffect("a variable of tinc 1.1; tinc 1.0 has BindToAddress")),
    ("LocalDiscoveryAddress", NoEffect(OF_1_1)), ("LogLevel", NoEffect(OF_1_1)),
    ("MaxConnectionBurst", NoEffect(OF_1_1)), ("Sandbox", NoEffect(OF_1_1)),
    ("UPnP", NoEffect(OF_1_1)),
];

/// Variables of ours whose new value is in force after `SIGHUP`, or is for others only.
const AT_RUN_TIME: [&str; 7] = [
    "Address",
    "BindToInterface",
    "ConnectTo",
    "GraphDumpFile",
    "Hostnames",
    "PMTU",
    "ScriptsInterpreter",
];

/// The variables that differ between two sets and whose new value only a restart puts in force.
pub(crate) fn need_restart(old: &ConfigSet, new: &ConfigSet) -> Vec<&'static str> {
    let values = |set: &ConfigSet, name: &str| -> Vec<String> {
        set.all(name).map(|entry| entry.value.clone()).collect()
    };
    VARIABLES
        .iter()
        .filter(|(name, fate)| *fate == Works && !AT_RUN_TIME.contains(name))
        .filter(|(name, _)| values(old, name) != values(new, name))
        .map(|(name, _)| *name)
        .collect()
}

/// One line for every entry that will not do what its author expects.
pub(crate) fn remarks(set: &ConfigSet) -> Vec<BadValue> {
    set.iter()
        .filter_map(|entry| {
            let known = VARIABLES
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(&entry.key));
            match known {
                Some((_, Works)) => None,
                Some((_, NoEffect(why))) => Some(BadValue::new(entry, *why)),
                None => {
                    let why = match nearest(&entry.key) {
                        Some(name) => format!("unknown variable; {name}?"),
                        None => "unknown variable".to_owned(),
                    };
                    // It may be `PrivateKey` with a typing error.
                    Some(BadValue::new(&entry.hidden(), why))
                }
            }
        })
        .collect()
}

/// The variable that somebody means who writes `key`.
fn nearest(key: &str) -> Option<&'static str> {
    nearest_of(key, VARIABLES.iter().map(|(name, _)| *name))
}

/// The one of `words` that differs from `found` by at most a third of its letters.
pub(crate) fn nearest_of<'w>(
    found: &str,
    words: impl IntoIterator<Item = &'w str>,
) -> Option<&'w str> {
    let found = found.to_ascii_lowercase();
    words
        .into_iter()
        .map(|word| (levenshtein(&found, &word.to_ascii_lowercase()), word))
        .min()
        .filter(|(distance, word)| *distance <= word.len().div_ceil(3))
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_answered_with_the_nearest_variable() {
        assert_eq!(nearest("ConectTo"), Some("ConnectTo"));
        assert_eq!(nearest("subnets"), Some("Subnet"));
        assert_eq!(nearest("xyzzy"), None);
    }

    #[test]
    fn what_needs_a_restart_is_named() {
        let set = |text| ConfigSet::from_text(text);
        let old = set("Name = a\nPort = 655\nConnectTo = b\nSubnet = 10.0.0.0/8\n");
        let new = set("Name = a\nport = 656\nConnectTo = c\nPMTU = 1400\nMode = hub\n");
        assert_eq!(need_restart(&old, &new), ["Mode", "Port", "Subnet"]);
        assert!(need_restart(&old, &old.clone()).is_empty());
    }

    #[test]
    fn only_what_has_no_effect_is_remarked_on() {
        let set = ConfigSet::from_text("name = x\nPortt = 1\nUPnP = yes\nfoobarbaz = 1\n");
        assert_eq!(
            remarks(&set)
                .iter()
                .map(BadValue::to_string)
                .collect::<Vec<_>>(),
            [
                "tinc.conf line 2: Portt = ...: unknown variable; Port?".to_owned(),
                format!("tinc.conf line 3: UPnP = yes: {OF_1_1}"),
                "tinc.conf line 4: foobarbaz = ...: unknown variable".to_owned(),
            ]
        );
    }

    #[test]
    fn a_secret_under_a_misspelt_name_is_not_told() {
        let set = ConfigSet::from_text("PrivatKey = 565995A0\nPrxy = socks5 h 1 me secret\n");
        let said: Vec<String> = remarks(&set).iter().map(BadValue::to_string).collect();
        assert_eq!(
            said,
            [
                "tinc.conf line 1: PrivatKey = ...: unknown variable; PrivateKey?",
                "tinc.conf line 2: Prxy = ...: unknown variable; Proxy?",
            ]
        );
    }
}
