//! Interfaces whose time is virtual.

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::super::{HOST_RETRANSMIT, HOSTS_KEEP_VALID, INTERVALS, MAX_RETIRED};
use super::*;
use crate::router::Prefix;
use crate::wire::ethernet::Frame;
use crate::wire::icmpv6;
use crate::wire::ndp::{Information, Lifetime, Received, RouterAdvertisement};

const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const HOUR: u64 = 3600;

/// An interface, and what it sent: when, to whom, and what that says to a host.
struct Play {
    schedule: Schedule,
    start: Instant,
    now: Instant,
    rng: StdRng,
    sent: Vec<(Duration, Ipv6Addr, RouterAdvertisement)>,
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn host(nth: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, nth)
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn settings() -> AdvertiseSettings {
    let settings = AdvertiseSettings {
        prefixes: vec![prefix("2001:db8:85a3:ef11::/64")],
        dns: vec!["2001:db8:85a3:ef00::1".parse().unwrap()],
        search: vec!["kits.example".parse().unwrap()],
        mtu: Some(1420),
        ..AdvertiseSettings::default()
    };
    settings.check().unwrap();
    settings
}

fn link() -> Link {
    Link {
        link_local: ROUTER,
        address: Some(Mac([2, 0, 0, 0, 0, 1])),
        mtu: 1500,
    }
}

impl Play {
    fn new(settings: AdvertiseSettings) -> Self {
        let start = Instant::now();
        Self {
            schedule: Schedule::new(settings, start),
            start,
            now: start,
            rng: StdRng::seed_from_u64(7),
            sent: Vec::new(),
        }
    }

    /// An interface that is up and whose tunnel is.
    fn up() -> Self {
        let mut play = Self::new(settings());
        play.tell(Input::Tunnel { up: true });
        play.tell(Input::LinkUp(link()));
        play
    }

    fn tell(&mut self, input: Input) {
        self.schedule.handle(input, self.now, &mut self.rng);
        while let Some(Send { to, message }) = self.schedule.poll_send() {
            let frame = icmpv6::frame(
                &[[0; 12].as_slice(), &[0x86, 0xdd]].concat(),
                ROUTER,
                to,
                &message,
            );
            assert!(frame.len() <= 14 + 1280);
            let received = Received::in_frame(&Frame::new(&frame).unwrap()).unwrap();
            let read = RouterAdvertisement::parse(&received).unwrap();
            self.sent.push((self.now - self.start, to, read));
        }
    }

    fn asks(&mut self, source: Option<Ipv6Addr>) {
        self.tell(Input::Solicited(RouterSolicitation {
            source,
            link_address: None,
        }));
    }

    /// Lets time pass.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.schedule.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.tell(Input::Timer);
            // Or the shell would turn in circles.
            assert!(self.schedule.deadline().is_none_or(|next| next > self.now));
        }
        self.now = end;
    }

    /// When everybody was told.
    fn told(&self) -> Vec<Duration> {
        let told = self.sent.iter().filter(|(_, to, _)| *to == ALL_NODES);
        told.map(|(at, _, _)| *at).collect()
    }

    fn last(&self) -> &RouterAdvertisement {
        &self.sent.last().unwrap().2
    }

    /// Prefixes of the last advertisement, valid and preferred for so many seconds.
    fn prefixes(&self) -> Vec<(Prefix, u32, u32)> {
        let options = self.last().options.iter();
        let prefixes = options.filter_map(|option| match option {
            Information::Prefix(info) => Some((info.prefix, info.valid.0, info.preferred.0)),
            _ => None,
        });
        prefixes.collect()
    }
}

/// RFC 4861 section 6.2.6.
fn assert_rate(told: &[Duration]) {
    for two in told.windows(2) {
        assert!(two[1] - two[0] >= MIN_DELAY_BETWEEN, "{told:?}");
    }
}

#[test]
fn an_interface_that_comes_up_advertises_at_once_and_soon_again() {
    let mut play = Play::up();
    play.wait(seconds(4 * HOUR));
    let told = play.told();
    assert_eq!(told[0], Duration::ZERO);
    assert_eq!(told[1] - told[0], MAX_INITIAL_INTERVAL);
    assert_eq!(told[2] - told[1], MAX_INITIAL_INTERVAL);
    for two in told[2..].windows(2) {
        let pause = two[1] - two[0];
        assert!((seconds(197)..=seconds(600)).contains(&pause), "{pause:?}");
    }
    assert_eq!(play.told().len(), play.sent.len());
}

#[test]
fn an_advertisement_says_what_the_settings_say() {
    let mut play = Play::up();
    let said = play.last().clone();
    assert_eq!(
        (said.hop_limit, said.managed, said.other),
        (64, false, false)
    );
    assert_eq!(said.lifetime, seconds(1800));
    assert_eq!(said.retransmit, HOST_RETRANSMIT);
    let [address, mtu, Information::Prefix(info), servers, search] = &said.options[..] else {
        panic!("{said:?}");
    };
    assert_eq!(*address, Information::LinkAddress(Mac([2, 0, 0, 0, 0, 1])));
    assert_eq!(*mtu, Information::Mtu(1420));
    assert!(info.on_link && info.autonomous);
    assert_eq!(
        (info.valid, info.preferred),
        (Lifetime(5400), Lifetime(2700))
    );
    let lifetime = Lifetime(1800);
    let dns = settings().dns;
    assert_eq!(
        *servers,
        Information::DnsServers {
            lifetime,
            servers: dns
        }
    );
    let domains = settings().search;
    assert_eq!(*search, Information::SearchList { lifetime, domains });
    // A link that carries less than the tunnel.
    play.wait(seconds(10));
    let (address, mtu) = (None, 1280);
    play.tell(Input::LinkUp(Link {
        address,
        mtu,
        ..link()
    }));
    assert_eq!(play.last().options[0], Information::Mtu(1280));
}

#[test]
fn who_asks_is_answered_alone_and_at_once() {
    let mut play = Play::up();
    play.wait(seconds(60));
    let told = play.told();
    play.asks(Some(host(1)));
    play.asks(Some(host(1)));
    play.asks(Some(host(2)));
    play.wait(MAX_LONE_ANSWER_DELAY);
    let mut answered: Vec<_> = play.sent[told.len()..]
        .iter()
        .map(|(_, to, _)| *to)
        .collect();
    answered.sort_unstable();
    assert_eq!(answered, [host(1), host(2)]);
    assert_eq!(play.told(), told);
}

#[test]
fn who_has_no_address_yet_is_answered_with_everybody() {
    let mut play = Play::up();
    play.wait(seconds(60));
    let before = play.told().len();
    play.asks(None);
    play.wait(MAX_ANSWER_DELAY);
    assert_eq!(play.told().len(), before + 1);
    // The next has to wait until everybody may be told again.
    play.asks(None);
    play.wait(seconds(2));
    assert_eq!(play.told().len(), before + 1);
    play.wait(seconds(2));
    assert_eq!(play.told().len(), before + 2);
    assert_rate(&play.told());
}

#[test]
fn a_flood_of_solicitations_costs_next_to_nothing() {
    let mut play = Play::up();
    play.wait(seconds(60));
    let before = play.sent.len();
    for nth in 0..100_000_u32 {
        let source = (nth % 7 != 0).then(|| host((nth % 20_011) as u16));
        play.asks(source);
        play.wait(Duration::from_micros(100));
    }
    play.wait(seconds(1));
    assert_rate(&play.told());
    let answers = play.sent.len() - before;
    let (burst, interval) = ANSWERS;
    let earned = seconds(11).as_millis() / interval.as_millis();
    assert!(answers <= burst as usize + earned as usize + 4, "{answers}");
    assert!(answers > 400, "{answers}");
    assert!(play.schedule.waiting.is_empty());
}

#[test]
fn the_last_word_is_that_hosts_look_elsewhere() {
    let mut play = Play::up();
    play.wait(seconds(100));
    play.tell(Input::Stop);
    assert!(play.schedule.is_ended());
    assert_eq!(play.schedule.deadline(), None);
    assert_eq!(play.last().lifetime, Duration::ZERO);
    assert_eq!(play.prefixes(), [(settings().prefixes[0], 5400, 0)]);
    let none = Lifetime::NONE;
    let withdrawn = play.last().options.iter().filter(|option| {
        matches!(option, Information::DnsServers { lifetime, .. } | Information::SearchList { lifetime, .. }
            if *lifetime == none)
    });
    assert_eq!(withdrawn.count(), 2);
    let sent = play.sent.len();
    play.asks(Some(host(1)));
    play.wait(seconds(HOUR));
    assert_eq!(play.sent.len(), sent);
}

#[test]
fn the_last_word_waits_until_it_may_be_said() {
    let mut play = Play::up();
    play.wait(seconds(1));
    play.asks(Some(host(1)));
    play.tell(Input::Stop);
    assert!(!play.schedule.is_ended());
    play.wait(seconds(2));
    assert!(play.schedule.is_ended());
    assert_eq!(play.told(), [Duration::ZERO, MIN_DELAY_BETWEEN]);
    assert_eq!(play.sent.len(), 2);
}

#[test]
fn whom_nobody_heard_falls_silent_without_a_word() {
    let mut play = Play::new(settings());
    play.tell(Input::Stop);
    assert!(play.schedule.is_ended() && play.sent.is_empty());
    let mut play = Play::up();
    play.tell(Input::Stop);
    play.tell(Input::LinkDown);
    assert!(play.schedule.is_ended());
    assert_eq!(play.sent.len(), 1);
}

#[test]
fn a_tunnel_that_is_down_for_long_is_not_advertised() {
    let mut play = Play::up();
    play.wait(seconds(HOUR));
    play.tell(Input::Tunnel { up: false });
    play.wait(seconds(179));
    play.tell(Input::Tunnel { up: false });
    assert_eq!(play.last().lifetime, seconds(1800));
    play.wait(seconds(5));
    assert_eq!(play.last().lifetime, Duration::ZERO);
    // Their addresses stay, but others are chosen.
    assert_eq!(play.prefixes(), [(settings().prefixes[0], 5400, 0)]);
    play.wait(seconds(HOUR));
    assert_eq!(play.last().lifetime, Duration::ZERO);
    play.tell(Input::Tunnel { up: true });
    play.wait(seconds(3));
    assert_eq!(play.last().lifetime, seconds(1800));
    assert_eq!(play.prefixes(), [(settings().prefixes[0], 5400, 2700)]);
    assert_rate(&play.told());
}

#[test]
fn a_tunnel_that_never_came_up_is_advertised_as_long_as_one_that_went_down() {
    let mut play = Play::new(settings());
    play.tell(Input::LinkUp(link()));
    assert_eq!(play.last().lifetime, seconds(1800));
    play.wait(seconds(181));
    assert_eq!(play.last().lifetime, Duration::ZERO);
    // One that goes down for a moment is no news.
    let mut play = Play::up();
    play.wait(seconds(60));
    let told = play.told().len();
    play.tell(Input::Tunnel { up: false });
    play.wait(seconds(60));
    play.tell(Input::Tunnel { up: true });
    assert_eq!(play.told().len(), told);
}

#[test]
fn a_prefix_that_was_replaced_is_withdrawn_for_two_hours() {
    let mut play = Play::up();
    play.wait(seconds(HOUR));
    let (old, new) = (settings().prefixes[0], prefix("2001:db8:85a3:ef21::/64"));
    let valid = seconds(86_400);
    let long = AdvertiseSettings {
        valid,
        ..settings()
    };
    play.tell(Input::Configure(long.clone()));
    play.wait(seconds(10));
    let renumbered = AdvertiseSettings {
        prefixes: vec![new],
        ..long
    };
    play.tell(Input::Configure(renumbered.clone()));
    let keep = u32::try_from(HOSTS_KEEP_VALID.as_secs()).unwrap();
    assert_eq!(play.prefixes(), [(new, 86_400, 2700), (old, keep, 0)]);
    play.wait(seconds(HOUR));
    let left = play.prefixes()[1].1;
    assert!((3600..=4200).contains(&left), "{left}");
    play.wait(seconds(HOUR + 600));
    assert_eq!(play.prefixes(), [(new, 86_400, 2700)]);
    // One that comes back is no longer withdrawn.
    play.tell(Input::Configure(AdvertiseSettings {
        prefixes: vec![old],
        ..renumbered.clone()
    }));
    play.wait(seconds(10));
    play.tell(Input::Configure(renumbered));
    play.wait(seconds(10));
    assert_eq!(play.prefixes(), [(new, 86_400, 2700), (old, keep, 0)]);
}

#[test]
fn a_resolver_that_was_replaced_is_withdrawn_as_long_as_it_would_be_asked() {
    let mut play = Play::up();
    let (old, new) = (settings().dns[0], "2001:db8:85a3:ef00::2".parse().unwrap());
    let dns = vec![new];
    play.tell(Input::Configure(AdvertiseSettings { dns, ..settings() }));
    play.wait(seconds(10));
    let gone = |servers| Information::DnsServers {
        lifetime: Lifetime::NONE,
        servers,
    };
    assert!(play.last().options.contains(&gone(vec![old])));
    play.wait(4 * settings().interval);
    assert!(!play.last().options.contains(&gone(vec![old])));
}

/// By radio an answer may take longer than on a cable, so it is left to the hosts how long they wait.
#[test]
fn hosts_of_a_radio_link_are_not_hurried() {
    let mut play = Play::up();
    play.tell(Input::Configure(AdvertiseSettings {
        on_link: false,
        ..settings()
    }));
    play.wait(seconds(10));
    assert_eq!(play.last().retransmit, Duration::ZERO);
}

#[test]
fn prefixes_that_are_replaced_time_and_again_do_not_pile_up() {
    let mut play = Play::up();
    for nth in 0..100_u128 {
        let prefixes = prefix("2001:db8::/32")
            .split(64)
            .skip(nth as usize * 16)
            .take(16)
            .collect();
        play.tell(Input::Configure(AdvertiseSettings {
            prefixes,
            ..settings()
        }));
        play.wait(seconds(5));
    }
    assert_eq!(play.prefixes().len(), 16 + MAX_RETIRED);
    assert_rate(&play.told());
}

#[test]
fn an_interface_that_comes_back_advertises_anew() {
    let mut play = Play::up();
    play.wait(seconds(1));
    play.tell(Input::LinkUp(link()));
    assert_eq!(play.told().len(), 1);
    play.tell(Input::LinkDown);
    play.asks(Some(host(1)));
    play.wait(seconds(HOUR));
    assert_eq!(play.sent.len(), 1);
    play.tell(Input::LinkUp(link()));
    assert_eq!(play.sent.len(), 2);
}

#[test]
fn an_interface_may_advertise_again_after_its_last_word() {
    for wait in [0, 1, 100] {
        let mut play = Play::up();
        play.wait(seconds(10));
        play.tell(Input::Stop);
        assert!(play.schedule.is_ended());
        play.wait(seconds(wait));
        play.tell(Input::Configure(settings()));
        play.wait(seconds(4));
        assert_eq!(play.last().lifetime, seconds(1800));
        assert_rate(&play.told());
    }
}

fn inputs() -> impl Strategy<Value = Input> {
    let changed = |interval: u64, nth: u128| AdvertiseSettings {
        prefixes: prefix("2001:db8::/48")
            .split(64)
            .skip(nth as usize)
            .take(2)
            .collect(),
        interval: seconds(interval),
        ..settings()
    };
    let asks = |source: Option<u16>| {
        Input::Solicited(RouterSolicitation {
            source: source.map(host),
            link_address: None,
        })
    };
    let [min, max] = INTERVALS.map(|interval| interval.as_secs());
    prop_oneof![
        4 => any::<Option<u16>>().prop_map(asks),
        1 => Just(Input::LinkUp(link())),
        1 => (1280..1500_u32).prop_map(|mtu| Input::LinkUp(Link { mtu, ..link() })),
        1 => Just(Input::LinkDown),
        1 => any::<bool>().prop_map(|up| Input::Tunnel { up }),
        1 => (min..=max, 0..40_u128).prop_map(move |(interval, nth)| Input::Configure(changed(interval, nth))),
        1 => Just(Input::Timer),
        1 => Just(Input::Stop),
    ]
}

proptest! {
    #[test]
    fn everybody_is_never_told_more_often_than_rfc_4861_has_it(
        story in prop::collection::vec((inputs(), 0..9000_u64), 1..120),
    ) {
        let mut play = Play::up();
        let count = story.len();
        for (input, millis) in story {
            play.tell(input);
            play.wait(Duration::from_millis(millis));
        }
        play.tell(Input::Stop);
        play.wait(seconds(4));
        prop_assert!(play.schedule.is_ended());
        assert_rate(&play.told());
        prop_assert!(play.sent.len() - play.told().len() <= count);
    }
}
