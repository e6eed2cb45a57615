use proptest::prelude::*;

use super::super::*;
use super::parse;
use crate::subnet::{Mac, SubnetAddr};

fn names() -> impl Strategy<Value = NodeName> {
    "[A-Za-z0-9_]{1,250}".prop_map(|text| text.parse().unwrap())
}

/// Two different names, as an edge needs them.
fn pairs() -> impl Strategy<Value = (NodeName, NodeName)> {
    (names(), names()).prop_filter("no edge to itself", |(from, to)| from != to)
}

fn endpoints() -> impl Strategy<Value = Endpoint> {
    let hosts = prop_oneof![
        any::<std::net::IpAddr>().prop_map(|ip| ip.to_string()),
        "[!-~]{1,255}",
    ];
    let ports = prop_oneof![any::<u16>().prop_map(|port| port.to_string()), "[!-~]{1,9}"];
    (hosts, ports).prop_map(|(host, port)| Endpoint::parse(&host, &port).unwrap())
}

fn subnets() -> impl Strategy<Value = Subnet> {
    let addr = prop_oneof![
        any::<[u8; 6]>().prop_map(|mac| SubnetAddr::Mac(Mac(mac))),
        (any::<u32>(), 0..=32_u8).prop_map(|(addr, len)| SubnetAddr::V4 {
            addr: addr.into(),
            len
        }),
        (any::<u128>(), 0..=128_u8).prop_map(|(addr, len)| SubnetAddr::V6 {
            addr: addr.into(),
            len
        }),
    ];
    (addr, any::<i32>()).prop_map(|(addr, weight)| Subnet { addr, weight })
}

fn data(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 1..=longest)
}

fn requests() -> impl Strategy<Value = Request> {
    let version =
        (0..i32::MAX, any::<Option<u32>>()).prop_map(|(major, minor)| Version { major, minor });
    let numbers = (any::<i32>(), any::<i32>(), any::<i32>(), any::<i32>());
    prop_oneof![
        (names(), version).prop_map(|(name, version)| Request::Id { name, version }),
        (numbers, data(1024)).prop_map(|((cipher, digest, mac_length, compression), key)| {
            Request::MetaKey(MetaKey {
                cipher,
                digest,
                mac_length,
                compression,
                key,
            })
        }),
        data(1024).prop_map(Request::Challenge),
        data(64).prop_map(Request::ChalReply),
        (endpoints(), any::<i32>(), any::<u32>()).prop_map(|(endpoint, weight, options)| {
            Request::Ack(Ack {
                port: endpoint.port,
                weight,
                options: Options(options),
            })
        }),
        Just(Request::Ping),
        Just(Request::Pong),
        (any::<u32>(), names(), subnets()).prop_map(|(nonce, owner, subnet)| {
            Request::AddSubnet {
                nonce,
                owner,
                subnet,
            }
        }),
        (any::<u32>(), names(), subnets()).prop_map(|(nonce, owner, subnet)| {
            Request::DelSubnet {
                nonce,
                owner,
                subnet,
            }
        }),
        (
            any::<u32>(),
            pairs(),
            endpoints(),
            any::<u32>(),
            any::<i32>()
        )
            .prop_map(
                |(nonce, (from, to), endpoint, options, weight)| Request::AddEdge(AddEdge {
                    nonce,
                    from,
                    to,
                    endpoint,
                    options: Options(options),
                    weight,
                })
            ),
        (any::<u32>(), pairs()).prop_map(|(nonce, (from, to))| Request::DelEdge {
            nonce,
            from,
            to
        }),
        (any::<u32>(), names()).prop_map(|(nonce, node)| Request::KeyChanged { nonce, node }),
        (names(), names()).prop_map(|(from, to)| Request::ReqKey { from, to }),
        (
            names(),
            names(),
            data(48),
            numbers,
            prop::option::of(endpoints())
        )
            .prop_map(
                |(from, to, key, (cipher, digest, mac_length, compression), endpoint)| {
                    Request::AnsKey(AnsKey {
                        from,
                        to,
                        key: AnsKeyMaterial::from_bytes(&key),
                        cipher,
                        digest,
                        mac_length,
                        compression,
                        endpoint,
                    })
                }
            ),
        (0..=MAX_LINE).prop_map(|len| Request::Packet { len }),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_is_read_as_the_same(request in requests()) {
        prop_assert_eq!(parse(&request.to_string()), Ok(request));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..2300)) {
        let _ = Request::parse(&bytes);
    }

    #[test]
    fn no_words_after_any_number_panic(number in -1..20_i32, words in "[ -~\\t]{0,300}|\\PC{0,100}") {
        let _ = parse(&format!("{number} {words}"));
    }

    #[test]
    fn a_request_with_one_byte_changed_never_panics(
        request in requests(), at: prop::sample::Index, byte: u8,
    ) {
        let mut line = request.to_string().into_bytes();
        let at = at.index(line.len());
        line[at] = byte;
        let _ = Request::parse(&line);
    }
}
