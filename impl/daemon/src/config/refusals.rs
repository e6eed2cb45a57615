//! What this version does not carry out, and whether it can start without it.
//!
//! Ignoring a variable ends the start if that would change who can reach whom or what is kept
//! out; otherwise it gets a complaint.

use super::syntax::Assignment;
use super::values::{BadValue, Reader};

/// Variables that are `yes` or `no`, and what ignoring a `yes` would do.
const SWITCHES: [(&str, &str); 2] = [
    (
        "StrictSubnets",
        "ignoring it would believe subnets it keeps out",
    ),
    ("TunnelServer", "ignoring it would tell nodes of each other"),
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
    if r.yes_no("LocalDiscovery") == Some(true)
        && let Some(entry) = r.text("LocalDiscovery")
    {
        r.complain(entry, "not carried out by this version; ignored");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::set::ConfigSet;
    use super::*;

    #[test]
    fn what_must_not_be_ignored_ends_the_start() {
        for bad in ["StrictSubnets = yes", "TunnelServer = yes"] {
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
        let set =
            ConfigSet::from_text("StrictSubnets = no\nTunnelServer = no\nLocalDiscovery = no\n");
        let mut reader = Reader::new(&set);
        assert!(check(&mut reader).is_ok());
        assert!(reader.into_complaints().is_empty());
    }
}
