//! `Mode`, `Forwarding` and what else decides where frames go (tinc manual, "Main configuration
//! variables").

use v6router_core::dataplane::{Broadcast, Mode, Policy, Transit};

use super::values::{BadValue, Reader};

/// Reads what becomes of frames; every variable has tinc's default.
///
/// # Errors
/// At the first value that is none of its variable's.
pub(super) fn policy(r: &mut Reader<'_>) -> Result<Policy, BadValue> {
    const MODES: [(&str, Mode); 3] = [
        ("router", Mode::Router),
        ("switch", Mode::Switch),
        ("hub", Mode::Hub),
    ];
    const TRANSIT: [(&str, Transit); 3] = [
        ("off", Transit::Off),
        ("internal", Transit::Internal),
        ("kernel", Transit::Kernel),
    ];
    const BROADCAST: [(&str, Broadcast); 4] = [
        ("no", Broadcast::No),
        ("yes", Broadcast::Tree),
        ("mst", Broadcast::Tree),
        ("direct", Broadcast::Direct),
    ];
    Ok(Policy {
        mode: r.one_of("Mode", &MODES)?.unwrap_or_default(),
        transit: r.one_of("Forwarding", &TRANSIT)?.unwrap_or_default(),
        broadcast: r.one_of("Broadcast", &BROADCAST)?.unwrap_or_default(),
        direct_only: r.yes_no("DirectOnly") == Some(true),
        decrement_ttl: r.yes_no("DecrementTTL") == Some(true),
        priority_inheritance: r.yes_no("PriorityInheritance") == Some(true),
    })
}

#[cfg(test)]
mod tests {
    use super::super::set::ConfigSet;
    use super::*;

    fn read(text: &str) -> Policy {
        policy(&mut Reader::new(&ConfigSet::from_text(text))).unwrap()
    }

    #[test]
    fn nothing_said_is_tincs_default() {
        assert_eq!(read(""), Policy::default());
        assert_eq!(read("").mode, Mode::Router);
    }

    #[test]
    fn every_word_of_the_manual_is_known() {
        let all = read(
            "Mode = Hub\nForwarding = KERNEL\nBroadcast = direct\nDirectOnly = yes\n\
             DecrementTTL = yes\nPriorityInheritance = yes\n",
        );
        let wanted = Policy {
            mode: Mode::Hub,
            transit: Transit::Kernel,
            broadcast: Broadcast::Direct,
            direct_only: true,
            decrement_ttl: true,
            priority_inheritance: true,
        };
        assert_eq!(all, wanted);
        assert_eq!(read("Broadcast = yes\n").broadcast, Broadcast::Tree);
        assert_eq!(read("Forwarding = off\n").transit, Transit::Off);
    }
}
