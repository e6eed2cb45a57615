//! What this version does not carry out, and whether it can start without it.
//!
//! Ignoring a variable ends the start if that would change who can reach whom or what is kept
//! out; otherwise it gets a complaint.

use v6router_core::dataplane::Mode;

use super::layout::Layout;
use super::server::ServerError;
use super::syntax::Assignment;
use super::values::{BadValue, Reader};
use crate::io::device::CLONE_DEVICE;

/// `Mode`; tinc's default, router, is none of what we have.
pub(super) fn mode(r: &Reader<'_>, layout: &Layout) -> Result<Mode, ServerError> {
    const WORDS: [(&str, Option<Mode>); 3] = [
        ("switch", Some(Mode::Switch)),
        ("hub", Some(Mode::Hub)),
        ("router", None),
    ];
    const LATER: &str = "this version has `Mode = switch' and `Mode = hub' only";
    let Some(entry) = r.text("Mode") else {
        return Err(ServerError::Missing(format!(
            "{}: Mode is not set, and tinc's default is router: {LATER}",
            layout.tinc_conf().display()
        )));
    };
    match r.one_of("Mode", &WORDS)? {
        Some(Some(mode)) => Ok(mode),
        _ => Err(BadValue::new(entry, LATER).into()),
    }
}

/// Variables that are `yes` or `no`, and what ignoring a `yes` would do.
const SWITCHES: [(&str, &str); 3] = [
    (
        "StrictSubnets",
        "ignoring it would believe subnets it keeps out",
    ),
    ("TunnelServer", "ignoring it would tell nodes of each other"),
    (
        "DirectOnly",
        "ignoring it would send packets through relays",
    ),
];

/// Variables with one value that asks for nothing.
const CHOICES: [(&str, &str, &str); 2] = [
    ("Device", CLONE_DEVICE, "another device would be opened"),
    (
        "DeviceType",
        "tap",
        "frames would go to another kind of device",
    ),
];

/// Everything else that this version does not carry out.
///
/// # Errors
/// At the first variable that must not be ignored.
pub(super) fn check(r: &mut Reader<'_>) -> Result<(), BadValue> {
    let refuse = |entry: &Assignment, why: &str| {
        Err(BadValue::new(
            entry,
            format!(
                "not carried out by this version: {why}; remove the line to start all the same"
            ),
        ))
    };
    for (key, why) in SWITCHES {
        if r.yes_no(key) == Some(true)
            && let Some(entry) = r.text(key)
        {
            return refuse(entry, why);
        }
    }
    for (key, harmless, why) in CHOICES {
        if let Some(entry) = r
            .text(key)
            .filter(|e| !e.value.eq_ignore_ascii_case(harmless))
        {
            return refuse(entry, why);
        }
    }
    if let Some(entry) = r
        .text("Forwarding")
        .filter(|e| e.value.eq_ignore_ascii_case("kernel"))
    {
        return refuse(
            entry,
            "frames would be passed on without the kernel's rules",
        );
    }
    for key in ["PrivateKey", "PublicKey"] {
        if let Some(entry) = r.text(key) {
            // The value may be a secret.
            let value = "...".to_owned();
            let hidden = Assignment {
                value,
                ..entry.clone()
            };
            let why = "keys in hexadecimal are obsolete; make a new pair with -K";
            return Err(BadValue::new(&hidden, why));
        }
    }
    for key in ["DecrementTTL", "LocalDiscovery", "PriorityInheritance"] {
        if r.yes_no(key) == Some(true)
            && let Some(entry) = r.text(key)
        {
            r.complain(entry, "not carried out by this version; ignored");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::set::ConfigSet;
    use super::*;

    #[test]
    fn what_must_not_be_ignored_ends_the_start() {
        for bad in [
            "StrictSubnets = yes",
            "TunnelServer = yes",
            "DirectOnly = yes",
            "DeviceType = tun",
            "Device = /dev/tap0",
            "Forwarding = kernel",
        ] {
            let set = ConfigSet::from_text(bad);
            let text = check(&mut Reader::new(&set)).unwrap_err().to_string();
            assert!(
                text.starts_with(&format!("tinc.conf line 1: {bad}: not carried out")),
                "{text}"
            );
        }
    }

    #[test]
    fn saying_no_to_it_is_fine() {
        let set = ConfigSet::from_text(
            "StrictSubnets = no\nTunnelServer = no\nDeviceType = TAP\nDecrementTTL = no\n",
        );
        let mut reader = Reader::new(&set);
        assert!(check(&mut reader).is_ok());
        assert!(reader.into_complaints().is_empty());
    }

    #[test]
    fn a_secret_in_the_configuration_does_not_reach_the_log() {
        let set = ConfigSet::from_text("PrivateKey = 123456ABCDEF\n");
        let text = check(&mut Reader::new(&set)).unwrap_err().to_string();
        assert!(!text.contains("123456"), "{text}");
    }

    #[test]
    fn tincs_default_mode_is_refused_with_a_remedy() {
        let dir = crate::testing::TempDir::new();
        for text in ["", "Mode = router\n", "Mode = swich\n"] {
            let set = ConfigSet::from_text(text);
            let error = mode(&Reader::new(&set), &dir.layout())
                .unwrap_err()
                .to_string();
            assert!(error.contains("switch"), "{error}");
        }
    }
}
