//! What a kit does about what its router says.

use sixlowpan::nd::ContextOption;

use super::*;

const DEVICE: DeviceAddress = DeviceAddress::random([0xc2, 0, 0, 0, 0, 1]);
const ROUTER: DeviceAddress = DeviceAddress::public([0, 0, 0x5e, 0, 0x53, 1]);
const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3600);

fn host(registers: bool) -> (Host, Instant) {
    let now = Instant::now();
    let mut host = Host::new(DEVICE, IidMode::Rfc7668, registers, now);
    let asked = host.on_time(now);
    let [Action::Send(packet)] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    let packet = NdPacket::parse(packet).unwrap().unwrap();
    assert_eq!(packet.message, NdMessage::RouterSolicitation);
    (host, now)
}

fn link_local(device: DeviceAddress) -> Ipv6Addr {
    Iid::of_device(device, IidMode::Rfc7668).link_local()
}

fn own() -> Ipv6Addr {
    "2001:db8::c200:ff:fe00:1".parse().unwrap()
}

fn prefix(valid: Duration, preferred: Duration) -> NdOption<'static> {
    NdOption::Prefix(PrefixInformation {
        prefix: "2001:db8::".parse().unwrap(),
        length: 64,
        on_link: false,
        autonomous: true,
        valid_lifetime: valid,
        preferred_lifetime: preferred,
    })
}

fn advertisement(options: Vec<NdOption<'_>>) -> Vec<u8> {
    NdPacket {
        source: link_local(ROUTER),
        destination: link_local(DEVICE),
        message: NdMessage::RouterAdvertisement {
            hop_limit: 64,
            flags: 0,
            router_lifetime: Duration::from_secs(1800),
            reachable_time: Duration::ZERO,
            retransmit_timer: Duration::ZERO,
        },
        options,
    }
    .to_vec()
}

/// The router's answer to what the host has sent.
fn answer(asked: &[Action], status: Status) -> Vec<u8> {
    let sent = asked.iter().filter_map(|action| match action {
        Action::Send(packet) => NdPacket::parse(packet).unwrap(),
        _ => None,
    });
    let mut requests = sent.filter(|packet| packet.request().is_some());
    let sent = requests.next();
    let sent = sent.expect("a registration");
    assert_eq!(sent.request().unwrap().0, own());
    let answer = sent.answer(status, ROUTER.octets, link_local(DEVICE));
    answer.unwrap().to_vec()
}

fn have(valid: Duration, preferred: Duration) -> Action {
    Action::Have {
        address: own(),
        lifetimes: [valid, preferred],
        router: link_local(ROUTER),
    }
}

#[test]
fn a_router_is_asked_for_less_and_less_often() {
    let (mut host, begun) = host(true);
    let mut asked = Vec::new();
    while asked.len() < 7 {
        let now = host.due();
        assert_eq!(host.on_time(now).len(), 1);
        asked.push((now - begun).as_secs());
    }
    assert_eq!(asked, [10, 20, 30, 50, 90, 150, 210]);
}

#[test]
fn an_address_is_had_once_it_is_registered() {
    let (mut host, now) = host(true);
    let asked = host.receive(&advertisement(vec![prefix(DAY, HOUR)]), now);
    let answered = host.receive(&answer(&asked.unwrap(), Status::SUCCESS), now);
    assert_eq!(
        answered.unwrap(),
        [Action::Registered(own()), have(DAY, HOUR)]
    );
    // And asked for again in time, of which nothing new comes.
    let again = host.on_time(now + RENEWAL);
    let answered = host.receive(&answer(&again, Status::SUCCESS), now + RENEWAL);
    assert_eq!(answered.unwrap(), []);
}

#[test]
fn a_request_that_is_lost_is_repeated() {
    let (mut host, now) = host(true);
    host.receive(&advertisement(vec![prefix(DAY, HOUR)]), now);
    assert_eq!(host.due(), now + RETRANSMISSION);
    let again = host.on_time(host.due());
    let answered = host.receive(&answer(&again, Status::SUCCESS), host.due());
    assert_eq!(answered.unwrap().len(), 2);
}

#[test]
fn an_address_that_somebody_else_has_is_not_had() {
    let (mut host, now) = host(true);
    let asked = host.receive(&advertisement(vec![prefix(DAY, HOUR)]), now);
    let answered = host.receive(&answer(&asked.unwrap(), Status::DUPLICATE), now);
    assert_eq!(answered.unwrap(), []);
    let told = host.receive(&advertisement(vec![prefix(DAY, HOUR)]), now);
    assert_eq!(told.unwrap(), []);
}

#[test]
fn who_does_not_register_has_its_address_at_once() {
    let (mut host, now) = host(false);
    let told = host.receive(&advertisement(vec![prefix(DAY, HOUR)]), now);
    assert_eq!(told.unwrap(), [have(DAY, HOUR)]);
}

#[test]
fn a_withdrawn_prefix_is_left_within_two_hours() {
    let (mut host, now) = host(false);
    host.receive(&advertisement(vec![prefix(DAY, DAY)]), now);
    let told = host.receive(
        &advertisement(vec![prefix(Duration::ZERO, Duration::ZERO)]),
        now,
    );
    assert_eq!(told.unwrap(), [have(TWO_HOURS, Duration::ZERO)]);
    let told = host.receive(
        &advertisement(vec![prefix(HOUR, HOUR)]),
        now + HOUR + HOUR / 2,
    );
    assert_eq!(told.unwrap(), [have(HOUR, HOUR)]);
}

#[test]
fn contexts_are_used_as_told() {
    let (mut host, now) = host(true);
    let context = Context::new("2001:db8::".parse().unwrap(), 64, true).unwrap();
    let option = |lifetime| {
        NdOption::Context(ContextOption {
            id: ContextId::DEFAULT,
            context,
            lifetime: Minutes(lifetime),
        })
    };
    let told = host.receive(&advertisement(vec![option(10)]), now);
    let set = Action::Context(ContextId::DEFAULT, Some(context));
    assert_eq!(told.unwrap(), [set]);
    let told = host.receive(&advertisement(vec![option(0)]), now);
    assert_eq!(told.unwrap(), [Action::Context(ContextId::DEFAULT, None)]);
}

#[test]
fn linux_is_told_that_an_address_is_ours_and_not_that_others_are() {
    let (mut host, now) = host(false);
    host.receive(&advertisement(vec![prefix(DAY, HOUR)]), now);
    let ask = |target| {
        NdPacket {
            source: link_local(ROUTER),
            destination: target,
            message: NdMessage::NeighbourSolicitation { target },
            options: vec![NdOption::SourceLinkAddress(ROUTER.octets)],
        }
        .to_vec()
    };
    let told = host.receive(&ask(own()), now).unwrap();
    let [Action::Send(answer)] = told.as_slice() else {
        panic!("{told:?}");
    };
    let answer = NdPacket::parse(answer).unwrap().unwrap();
    assert_eq!(answer.source, own());
    assert_eq!(
        host.receive(&ask("2001:db8::1".parse().unwrap()), now),
        Some(Vec::new())
    );
}

#[test]
fn what_is_no_discovery_is_the_kernels() {
    let (mut host, now) = host(true);
    let mut echo = advertisement(Vec::new());
    echo[40] = 128;
    assert_eq!(host.receive(&echo, now), None);
}
