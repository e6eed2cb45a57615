//! What a node and its router say to each other, from the opening of the channel on, as tshark
//! reads it in the recording.

#[path = "support/air.rs"]
mod air;
#[path = "support/packet.rs"]
mod packet;
#[path = "support/tshark.rs"]
mod tshark;

use std::net::Ipv6Addr;
use std::time::Duration;

use sixlowpan::MTU;
use sixlowpan::context::{Context, ContextId, Contexts};
use sixlowpan::iid::{DeviceAddress, Iid, IidMode};
use sixlowpan::iphc::{self, NextHeaders};
use sixlowpan::link::Link;
use sixlowpan::nd::{
    AddressRegistration, ContextOption, Minutes, NdMessage, NdOption, NdPacket, PrefixInformation,
    Status,
};

use air::{Air, End};
use packet::{ICMPV6, UDP, ipv6, with_checksum};
use tshark::tshark;

const ROUTER: DeviceAddress = DeviceAddress::public([0xb8, 0x27, 0xeb, 0, 0, 1]);
const NODE: DeviceAddress = DeviceAddress::random([0xc0, 0x11, 0x22, 0x33, 0x44, 0x55]);
const PREFIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, 0);
const WWW: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0x80);

/// A node that came to the link, and its router; both know one context.
struct Talk {
    air: Air,
    /// As the router sees it.
    link: Link,
    contexts: Contexts,
}

impl Talk {
    fn new() -> Self {
        let mut contexts = Contexts::default();
        contexts.set(ContextId::DEFAULT, Context::new(PREFIX, 64, true).unwrap());
        Self {
            air: Air::open(ROUTER, NODE, 247),
            link: Link::new(ROUTER, NODE, IidMode::Rfc7668),
            contexts,
        }
    }

    /// A packet passes; the other end has the same.
    fn say(&mut self, from: End, packet: &[u8]) {
        let there = Link {
            own: self.link.peer.clone(),
            peer: self.link.own.clone(),
        };
        let (sender, receiver) = match from {
            End::Router => (&self.link, &there),
            End::Node => (&there, &self.link),
        };
        let payload =
            iphc::compress(packet, sender, &self.contexts, NextHeaders::default()).unwrap();
        assert_eq!(
            iphc::decompress(&payload, receiver, &self.contexts).as_deref(),
            Ok(packet)
        );
        self.air.send(from, &payload);
    }
}

#[test]
fn tshark_reads_a_whole_dialogue_with_good_checksums() {
    let iid = Iid::of_device(NODE, IidMode::Rfc7668);
    let router = Iid::of_device(ROUTER, IidMode::Rfc7668).link_local();
    let (node, global) = (iid.link_local(), iid.in_prefix(PREFIX));
    let mut talk = Talk::new();
    let solicitation = NdPacket {
        source: node,
        destination: "ff02::2".parse().unwrap(),
        message: NdMessage::RouterSolicitation,
        options: vec![NdOption::SourceLinkAddress(NODE.octets)],
    };
    talk.say(End::Node, &solicitation.to_vec());
    talk.say(End::Router, &advertisement(router, node).to_vec());
    let registration = NdPacket {
        source: global,
        destination: router,
        message: NdMessage::NeighbourSolicitation { target: router },
        options: vec![
            NdOption::SourceLinkAddress(NODE.octets),
            NdOption::AddressRegistration(AddressRegistration::plain(iid.0, Minutes(60))),
        ],
    };
    talk.say(End::Node, &registration.to_vec());
    let answer = registration
        .answer(Status::SUCCESS, ROUTER.octets, node)
        .unwrap();
    talk.say(End::Router, &answer.to_vec());
    let echo = |kind| {
        let filler: Vec<u8> = (0..=255).cycle().take(MTU - 40 - 8).collect();
        [&[kind, 0, 0, 0, 0x12, 0x34, 0, 1][..], &filler].concat()
    };
    let request = with_checksum(WWW, global, ICMPV6, echo(128));
    talk.say(End::Router, &ipv6(WWW, global, ICMPV6, 57, &request));
    let reply = with_checksum(global, WWW, ICMPV6, echo(129));
    talk.say(End::Node, &ipv6(global, WWW, ICMPV6, 64, &reply));
    // GET /coffee, and what it is answered with (RFC 7252).
    let get = [&[0x40, 1, 0, 7, 0xb6][..], b"coffee"].concat();
    let get = with_checksum(WWW, global, UDP, udp(40_000, 5683, &get));
    talk.say(End::Router, &ipv6(WWW, global, UDP, 57, &get));
    let content = [&[0x60, 0x45, 0, 7, 0xff][..], b"brewing"].concat();
    let content = with_checksum(global, WWW, UDP, udp(5683, 40_000, &content));
    talk.say(End::Node, &ipv6(global, WWW, UDP, 64, &content));

    let file = talk.air.lost();
    let fields = [
        "ipv6.src",
        "ipv6.dst",
        "ipv6.hlim",
        "ipv6.plen",
        "icmpv6.checksum.status",
        "udp.checksum.status",
        "btl2cap.le_sdu.fragment.count",
        "icmpv6.type",
        "icmpv6.opt.linkaddr",
        "icmpv6.opt.prefix",
        "icmpv6.opt.6co.context_prefix",
        "icmpv6.opt.aro.status",
        "icmpv6.opt.aro.registration_lifetime",
        "coap.code",
        "coap.mid",
        "coap.opt.uri_path",
    ];
    // Good checksums are 1; a packet in several frames has the count of them.
    let expected = [
        format!("{node}|ff02::2|255|16|1|||133|{NODE}|||||||"),
        format!("{router}|{node}|255|72|1|||134|{ROUTER}|{PREFIX}|{PREFIX}|||||"),
        format!("{global}|{router}|255|48|1|||135|{NODE}|||0|60|||"),
        format!("{router}|{global}|255|48|1|||136|{ROUTER}|||0|60|||"),
        format!("{WWW}|{global}|57|1240|1||6|128||||||||"),
        format!("{global}|{WWW}|64|1240|1||6|129||||||||"),
        format!("{WWW}|{global}|57|19||1||||||||1|7|coffee"),
        format!("{global}|{WWW}|64|20||1||||||||69|7|"),
    ];
    assert_eq!(lines(&file, "ipv6", &fields), expected);
    let flags = [
        "icmpv6.opt.prefix.flag.l",
        "icmpv6.opt.prefix.flag.a",
        "icmpv6.opt.6co.flag.c",
        "icmpv6.opt.6co.flag.cid",
    ];
    let read = lines(&file, "icmpv6.type == 134", &flags);
    assert_eq!(read, ["0|1|1|0"]);
    // The connection begins and ends, and nothing in between is malformed.
    let events = ["bthci_evt.bd_addr", "bthci_evt.role", "bthci_evt.reason"];
    let read = lines(&file, "bthci_evt.connection_handle", &events);
    assert_eq!(read, [&format!("{NODE}|0x00|"), "||0x08"]);
    let malformed = "_ws.malformed || btl2cap.sdulength.bad";
    assert_eq!(lines(&file, malformed, &["frame.number"]), [] as [&str; 0]);
}

/// The fields of the packets that `filter` lets through, a line for each packet.
fn lines(file: &[u8], filter: &str, fields: &[&str]) -> Vec<String> {
    let mut arguments = vec!["-o", "6lowpan.context0:2001:db8:1:2::/64", "-Y", filter];
    arguments.extend(["-T", "fields", "-E", "separator=|"]);
    for field in fields {
        arguments.extend(["-e", field]);
    }
    let read = tshark("dialogue.pcap", file, &arguments);
    // Versions of tshark spell flags differently.
    let spelt = read.replace("False", "0").replace("True", "1");
    spelt.lines().map(str::to_owned).collect()
}

/// Prefix, context and device address, as a node hears them that asked.
fn advertisement(router: Ipv6Addr, node: Ipv6Addr) -> NdPacket<'static> {
    NdPacket {
        source: router,
        destination: node,
        message: NdMessage::RouterAdvertisement {
            hop_limit: 64,
            flags: 0,
            router_lifetime: Duration::from_secs(1800),
            reachable_time: Duration::ZERO,
            retransmit_timer: Duration::ZERO,
        },
        options: vec![
            NdOption::Prefix(PrefixInformation {
                prefix: PREFIX,
                length: 64,
                on_link: false,
                autonomous: true,
                valid_lifetime: Duration::from_secs(86_400),
                preferred_lifetime: Duration::from_secs(14_400),
            }),
            NdOption::Context(ContextOption {
                id: ContextId::DEFAULT,
                context: Context::new(PREFIX, 64, true).unwrap(),
                lifetime: Minutes(240),
            }),
            NdOption::SourceLinkAddress(ROUTER.octets),
        ],
    }
}

/// A datagram without its checksum.
fn udp(source: u16, destination: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + data.len()).unwrap();
    let header = [source, destination, length, 0].map(u16::to_be_bytes);
    [header.as_flattened(), data].concat()
}
