//! The vectors of `vectors/iid.json`: device addresses and what both modes make of them.

use std::net::Ipv6Addr;

use data_encoding::HEXLOWER;
use serde::Deserialize;
use sixlowpan::iid::{AddressKind, DeviceAddress, Iid, IidMode};

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    bd_addr: String,
    addr_type: String,
    mode: String,
    iid: String,
    link_local: Ipv6Addr,
    slaac_2001_db8_1_2: Ipv6Addr,
}

#[test]
fn both_modes_make_the_identifiers_of_the_vectors() {
    let file: File = serde_json::from_str(include_str!("vectors/iid.json")).unwrap();
    assert_eq!(file.vectors.len(), 10);
    for vector in file.vectors {
        let kind = match vector.addr_type.as_str() {
            "public" => AddressKind::Public,
            "random" => AddressKind::Random,
            other => panic!("a device address of the kind {other}"),
        };
        let device = DeviceAddress::parse(&vector.bd_addr, kind).unwrap();
        let mode: IidMode = vector.mode.parse().unwrap();
        let iid = Iid::of_device(device, mode);
        assert_eq!(HEXLOWER.encode(&iid.0), vector.iid, "{device} {mode:?}");
        assert_eq!(iid.link_local(), vector.link_local);
        let prefix = "2001:db8:1:2::".parse().unwrap();
        assert_eq!(iid.in_prefix(prefix), vector.slaac_2001_db8_1_2);
        assert_eq!(Iid::of_address(vector.slaac_2001_db8_1_2), iid);
    }
}
