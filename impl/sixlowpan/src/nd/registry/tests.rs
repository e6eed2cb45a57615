use proptest::prelude::*;

use super::*;

const A: Owner = Owner::Of64([0xa; 8]);
const B: Owner = Owner::Of64([0xb; 8]);
const HOUR: Minutes = Minutes(60);

fn address(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, last)
}

fn request(owner: Owner, lifetime: Minutes, transaction: Option<u8>) -> AddressRegistration {
    AddressRegistration {
        owner,
        transaction,
        ..AddressRegistration::plain([0; 8], lifetime)
    }
}

fn registry() -> Registry<u8> {
    Registry::new(Limits {
        total: 4,
        per_channel: 2,
    })
}

fn after(start: Instant, minutes: u16) -> Instant {
    start + Duration::from(Minutes(minutes))
}

#[test]
fn an_address_is_kept_for_its_lifetime_and_then_given_up() {
    let (mut registry, now) = (registry(), Instant::now());
    let added = registry.register(1, address(1), &request(A, HOUR, None), now);
    assert_eq!(added, Outcome::done(Some(Change::Added)));
    assert_eq!(registry.next_expiry(), Some(after(now, 60)));
    assert_eq!(registry.expire(after(now, 59)), []);
    assert_eq!(registry.expire(after(now, 60)), [(address(1), 1)]);
    assert_eq!(registry.get(address(1)), None);
    assert_eq!(registry.next_expiry(), None);
}

#[test]
fn registering_again_prolongs_and_changes_no_route() {
    let (mut registry, now) = (registry(), Instant::now());
    registry.register(1, address(1), &request(A, HOUR, None), now);
    let again = registry.register(1, address(1), &request(A, HOUR, None), after(now, 30));
    assert_eq!(again, Outcome::done(None));
    assert_eq!(registry.expire(after(now, 60)), []);
    assert_eq!(registry.expire(after(now, 90)), [(address(1), 1)]);
}

#[test]
fn a_lifetime_of_zero_gives_the_address_up() {
    let (mut registry, now) = (registry(), Instant::now());
    registry.register(1, address(1), &request(A, HOUR, None), now);
    let gone = request(A, Minutes(0), None);
    assert_eq!(
        registry.register(1, address(1), &gone, now),
        Outcome::done(Some(Change::Removed))
    );
    assert_eq!(
        registry.register(1, address(1), &gone, now),
        Outcome::done(None)
    );
}

#[test]
fn the_address_of_another_owner_can_neither_be_taken_nor_given_up() {
    let (mut registry, now) = (registry(), Instant::now());
    registry.register(1, address(1), &request(A, HOUR, None), now);
    for lifetime in [HOUR, Minutes(0)] {
        let refused = registry.register(2, address(1), &request(B, lifetime, None), now);
        assert_eq!(refused, Outcome::refused(Status::DUPLICATE));
    }
    assert_eq!(registry.get(address(1)).unwrap().channel, 1);
    let later = registry.register(2, address(1), &request(B, HOUR, None), after(now, 60));
    assert_eq!(later, Outcome::done(Some(Change::Moved { from: 1 })));
}

#[test]
fn an_owner_that_comes_by_another_channel_takes_its_address_along() {
    let (mut registry, now) = (registry(), Instant::now());
    registry.register(1, address(1), &request(A, HOUR, None), now);
    let moved = registry.register(2, address(1), &request(A, HOUR, None), now);
    assert_eq!(moved, Outcome::done(Some(Change::Moved { from: 1 })));
    assert_eq!(registry.channel_lost(1), [] as [Ipv6Addr; 0]);
    assert_eq!(registry.channel_lost(2), [address(1)]);
}

#[test]
fn neither_one_node_nor_all_can_register_without_end() {
    let (mut registry, now) = (registry(), Instant::now());
    let mut status = |channel, last| {
        let outcome = registry.register(channel, address(last), &request(A, HOUR, None), now);
        outcome.status
    };
    assert_eq!([status(1, 1), status(1, 2)], [Status::SUCCESS; 2]);
    assert_eq!(status(1, 3), Status::CACHE_FULL, "the third of a channel");
    assert_eq!([status(2, 4), status(3, 5)], [Status::SUCCESS; 2]);
    assert_eq!(status(3, 6), Status::CACHE_FULL, "the fifth of all");
    assert_eq!(status(1, 1), Status::SUCCESS, "one that is there");
    registry.expire(after(now, 60));
    let room = registry.register(1, address(7), &request(A, HOUR, None), after(now, 60));
    assert_eq!(room.status, Status::SUCCESS);
}

#[test]
fn what_no_router_has_routes_for_is_not_registered() {
    let (mut registry, now) = (registry(), Instant::now());
    for text in ["fe80::1", "ff02::1", "::", "::1"] {
        let outcome = registry.register(1, text.parse().unwrap(), &request(A, HOUR, None), now);
        assert_eq!(
            outcome,
            Outcome::refused(Status::TOPOLOGICALLY_INCORRECT),
            "{text}"
        );
    }
}

#[test]
fn an_old_transaction_does_not_undo_a_newer_one() {
    let (mut registry, now) = (registry(), Instant::now());
    registry.register(1, address(1), &request(A, HOUR, Some(7)), now);
    let old = registry.register(2, address(1), &request(A, Minutes(0), Some(6)), now);
    assert_eq!(old, Outcome::refused(Status::MOVED));
    assert_eq!(
        registry.register(1, address(1), &request(A, HOUR, Some(7)), now),
        Outcome::done(None)
    );
    let new = registry.register(2, address(1), &request(A, HOUR, Some(8)), now);
    assert_eq!(new, Outcome::done(Some(Change::Moved { from: 1 })));
    let restarted = registry.register(2, address(1), &request(A, HOUR, Some(240)), now);
    assert_eq!(restarted, Outcome::done(None));
}

#[test]
fn transactions_that_cannot_be_ordered_count_by_their_own_channel_only() {
    let (mut registry, now) = (registry(), Instant::now());
    registry.register(1, address(1), &request(A, HOUR, Some(0)), now);
    let far = request(A, HOUR, Some(60));
    assert_eq!(
        registry.register(2, address(1), &far, now),
        Outcome::refused(Status::MOVED)
    );
    assert_eq!(
        registry.register(1, address(1), &far, now),
        Outcome::done(None)
    );
}

#[test]
fn transactions_are_ordered_as_rfc_6550_has_it() {
    assert_eq!(is_newer(5, 240), Some(false), "restarted since");
    assert_eq!(is_newer(240, 5), Some(true));
    assert_eq!(is_newer(0, 240), Some(true), "went on after a restart");
    assert_eq!(is_newer(240, 0), Some(false));
    assert_eq!(is_newer(0, 127), Some(true));
    assert_eq!(is_newer(127, 0), Some(false));
    assert_eq!(is_newer(16, 0), Some(true));
    assert_eq!(is_newer(17, 0), None);
    assert_eq!(is_newer(144, 128), Some(true));
    assert_eq!(is_newer(145, 128), None);
    assert_eq!(is_newer(9, 9), Some(false));
}

proptest! {
    #[test]
    fn of_two_transactions_not_both_are_newer(a: u8, b: u8) {
        prop_assert!(!(is_newer(a, b) == Some(true) && is_newer(b, a) == Some(true)));
        prop_assert_eq!(is_newer(a, b).is_none(), is_newer(b, a).is_none());
    }

    /// Whoever follows the changes knows at any time what is registered, and where.
    #[test]
    fn changes_tell_all_that_happens(
        steps in prop::collection::vec((0..4_u8, 0..3_u16, 0..2_u8, 0..3_u16, 0..40_u16), 0..60),
    ) {
        let (mut registry, mut now) = (registry(), Instant::now());
        let mut routes = BTreeMap::new();
        for (channel, last, owner, lifetime, minutes) in steps {
            now = after(now, minutes);
            let address = address(last);
            if minutes.is_multiple_of(3) {
                for (address, channel) in registry.expire(now) {
                    prop_assert_eq!(routes.remove(&address), Some(channel));
                }
            }
            if minutes.is_multiple_of(7) {
                for address in registry.channel_lost(channel) {
                    prop_assert_eq!(routes.remove(&address), Some(channel));
                }
            }
            let request = request([A, B][usize::from(owner)], Minutes(lifetime * 20), None);
            match registry.register(channel, address, &request, now).change {
                Some(Change::Added) => prop_assert_eq!(routes.insert(address, channel), None),
                Some(Change::Moved { from }) => {
                    prop_assert_eq!(routes.insert(address, channel), Some(from));
                }
                Some(Change::Removed) => prop_assert!(routes.remove(&address).is_some()),
                None => {}
            }
            let known: BTreeMap<_, _> = registry.iter().map(|(address, known)| (address, known.channel)).collect();
            prop_assert_eq!(&known, &routes);
            prop_assert!(known.len() <= 4);
        }
    }
}
