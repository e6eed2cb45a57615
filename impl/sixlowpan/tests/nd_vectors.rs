//! The vectors of `vectors/nd.json`: messages are read, written again to the same octets, and
//! say what their names tell; their packets are compressed to the payloads beside them and back.

#[path = "support/hex.rs"]
mod hex;
#[path = "support/link.rs"]
mod link;

use std::time::Duration;

use serde::Deserialize;
use sixlowpan::context::{Context, ContextId, Contexts};
use sixlowpan::iid::{DeviceAddress, Iid, IidMode};
use sixlowpan::iphc::{self, NextHeaders};
use sixlowpan::nd::{Minutes, NdError, NdMessage, NdOption, NdPacket, Status};

use hex::Hex;
use link::link;

const NODE: DeviceAddress = DeviceAddress::public([0x00, 0x1b, 0xdc, 0, 0, 2]);
const ROUTER: DeviceAddress = DeviceAddress::public([0xb8, 0x27, 0xeb, 0, 0, 1]);

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    l2_src: String,
    l2_dst: String,
    iphc: Hex,
    iphc_context0: bool,
    ipv6: Hex,
}

fn vectors() -> Vec<Vector> {
    let file: File = serde_json::from_str(include_str!("vectors/nd.json")).unwrap();
    assert_eq!(file.vectors.len(), 14);
    file.vectors
}

fn packets() -> Vec<(String, Vec<u8>)> {
    vectors()
        .into_iter()
        .map(|vector| (vector.name, vector.ipv6.0))
        .collect()
}

fn packet(name: &str) -> Vec<u8> {
    let packets = packets().into_iter();
    packets
        .filter(|(other, _)| other == name)
        .map(|(_, packet)| packet)
        .next()
        .unwrap()
}

#[test]
fn messages_are_written_as_they_were_read() {
    for (name, octets) in packets() {
        let read = NdPacket::parse(&octets).unwrap().unwrap();
        assert_eq!(read.to_vec(), octets, "{name}");
        assert!(
            !read
                .options
                .iter()
                .any(|option| matches!(option, NdOption::Other(_))),
            "{name}: {:?}",
            read.options
        );
    }
}

#[test]
fn messages_are_compressed_to_the_payloads_of_the_vectors_and_back() {
    for vector in vectors() {
        let mut contexts = Contexts::default();
        if vector.iphc_context0 {
            let context = Context::new("2001:db8:1:2::".parse().unwrap(), 64, true).unwrap();
            contexts.set(ContextId::DEFAULT, context);
        }
        let (there, back) = (
            link(&vector.l2_src, &vector.l2_dst),
            link(&vector.l2_dst, &vector.l2_src),
        );
        let packet = iphc::decompress(&vector.iphc.0, &back, &contexts);
        assert_eq!(packet, Ok(vector.ipv6.0.clone()), "{}", vector.name);
        let payload = iphc::compress(&vector.ipv6.0, &there, &contexts, NextHeaders::default());
        assert_eq!(payload, Ok(vector.iphc.0), "{}", vector.name);
    }
}

#[test]
fn an_advertisement_tells_prefix_context_and_border_router() {
    let octets = packet("ra_unicast_pio_6co_abro");
    let read = NdPacket::parse(&octets).unwrap().unwrap();
    let NdMessage::RouterAdvertisement {
        hop_limit,
        router_lifetime,
        ..
    } = read.message
    else {
        panic!("{:?}", read.message);
    };
    assert_eq!(
        (hop_limit, router_lifetime),
        (64, Duration::from_secs(1800))
    );
    let [
        NdOption::Prefix(prefix),
        NdOption::Context(context),
        NdOption::BorderRouter(border),
        NdOption::SourceLinkAddress(device),
    ] = &read.options[..]
    else {
        panic!("{:?}", read.options);
    };
    assert!(prefix.autonomous && !prefix.on_link);
    assert_eq!(prefix.valid_lifetime, Duration::from_secs(2_592_000));
    assert_eq!((context.id.get(), context.lifetime), (0, Minutes(16)));
    assert_eq!(
        (context.context.prefix(), context.context.length()),
        (prefix.prefix, 64)
    );
    assert!(context.context.may_compress());
    assert_eq!(
        (border.version, border.valid_for()),
        (1, Duration::from_secs(600_000))
    );
    assert_eq!(*device, ROUTER.octets);
}

#[test]
fn a_context_may_be_for_decompression_only_and_as_long_as_an_address() {
    for (name, length, compress) in [
        ("ra_6co_not_for_compression", 64, false),
        ("ra_6co_128", 128, true),
    ] {
        let octets = packet(name);
        let read = NdPacket::parse(&octets).unwrap().unwrap();
        let context = read.options.iter().find_map(|option| match option {
            NdOption::Context(option) => Some(option.context),
            _ => None,
        });
        let context = context.unwrap();
        assert_eq!(
            (context.length(), context.may_compress()),
            (length, compress),
            "{name}"
        );
    }
}

#[test]
fn requests_are_answered_with_the_advertisements_of_the_vectors() {
    let node = Iid::of_device(NODE, IidMode::Rfc7668).link_local();
    for (request, answer, status) in [
        ("ns_aro_register", "na_aro_success", Status::SUCCESS),
        ("ns_aro_register", "na_aro_duplicate", Status::DUPLICATE),
        ("ns_aro_register", "na_aro_full", Status::CACHE_FULL),
        ("ns_earo_register", "na_earo_success", Status::SUCCESS),
    ] {
        let octets = packet(request);
        let asked = NdPacket::parse(&octets).unwrap().unwrap();
        let (address, registration) = asked.request().unwrap();
        assert_eq!(address.to_string(), "2001:db8:1:2:1b:dcff:fe00:2");
        assert_eq!(registration.lifetime, Minutes(60));
        let answered = asked.answer(status, ROUTER.octets, node).unwrap();
        assert_eq!(answered.to_vec(), packet(answer), "{answer}");
    }
}

#[test]
fn a_plain_solicitation_registers_nothing() {
    let octets = packet("ns_plain_from_linux_router");
    let asked = NdPacket::parse(&octets).unwrap().unwrap();
    assert_eq!(asked.request(), None);
    assert_eq!(asked.link_address(), Some(ROUTER.octets));
}

#[test]
fn what_rfc_4861_has_discarded_is_discarded() {
    let good = packet("ns_aro_register");
    for (at, error) in [
        (7, NdError::HopLimit(254)),
        (41, NdError::Code(1)),
        (42, NdError::Checksum),
        (5, NdError::Checksum),
    ] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let read = NdPacket::parse(&bad);
        assert!(
            read == Err(error) || (at == 5 && read.is_err()),
            "{at}: {read:?}"
        );
    }
    let mut read = NdPacket::parse(&good).unwrap().unwrap();
    for option in &mut read.options {
        if let NdOption::AddressRegistration(registration) = option {
            registration.status = Status::DUPLICATE;
        }
    }
    let bad = read.to_vec();
    assert_eq!(
        NdPacket::parse(&bad),
        Err(NdError::StatusInRequest(Status::DUPLICATE))
    );
    read.message = NdMessage::NeighbourSolicitation {
        target: "ff02::1".parse().unwrap(),
    };
    assert!(matches!(
        NdPacket::parse(&read.to_vec()),
        Err(NdError::MulticastTarget(_))
    ));
}

#[test]
fn an_advertisement_is_taken_from_a_link_local_address_only() {
    let octets = packet("ra_unicast_pio_6co");
    let mut read = NdPacket::parse(&octets).unwrap().unwrap();
    read.source = "2001:db8::1".parse().unwrap();
    assert_eq!(
        NdPacket::parse(&read.to_vec()),
        Err(NdError::SourceNotLinkLocal(read.source))
    );
}

#[test]
fn nobody_has_no_device_address_and_registers_nothing() {
    let octets = packet("ns_aro_register");
    let mut read = NdPacket::parse(&octets).unwrap().unwrap();
    read.source = std::net::Ipv6Addr::UNSPECIFIED;
    assert_eq!(
        NdPacket::parse(&read.to_vec()),
        Err(NdError::LinkAddressOfNobody)
    );
    read.options.remove(0);
    assert_eq!(
        NdPacket::parse(&read.to_vec()),
        Err(NdError::NobodyAsksOne(read.destination))
    );
    read.destination = "ff02::1:ff00:1".parse().unwrap();
    let bare = read.to_vec();
    assert_eq!(NdPacket::parse(&bare).unwrap().unwrap().request(), None);
}

#[test]
fn other_packets_are_none_of_its_business() {
    assert_eq!(NdPacket::parse(&[]), Ok(None));
    let mut udp = packet("rs");
    udp[6] = 17;
    assert_eq!(NdPacket::parse(&udp), Ok(None));
    let mut echo = packet("rs");
    echo[40] = 128;
    assert_eq!(NdPacket::parse(&echo), Ok(None));
}

proptest::proptest! {
    #[test]
    fn no_octets_make_it_panic(
        which in 0..14_usize,
        changes in proptest::collection::vec((0..200_usize, proptest::num::u8::ANY), 0..6),
        len in 0..200_usize,
    ) {
        let (_, mut octets) = packets().swap_remove(which);
        for (at, octet) in changes {
            if let Some(place) = octets.get_mut(at) {
                *place = octet;
            }
        }
        octets.truncate(len);
        let _ = NdPacket::parse(&octets);
    }
}
