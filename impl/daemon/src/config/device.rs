//! `DeviceType`, `Device` and `Interface`: what kind of device carries our frames.

use std::net::IpAddr;

use v6router_core::dataplane::Mode;

use super::layout::Layout;
use super::syntax::Assignment;
use super::values::{BadValue, Reader};
use crate::io::device::{CLONE_DEVICE, DeviceSetup, Layer};

/// Linux: `IFNAMSIZ` without its NUL.
const MAX_INTERFACE_NAME: usize = 15;
/// The interface whose frames a raw socket carries unless told otherwise (tinc 1.0).
const RAW_INTERFACE: &str = "eth0";

/// Values of `DeviceType`.
#[derive(Clone, Copy)]
enum Type {
    TunTap(Layer),
    Dummy,
    RawSocket,
    Multicast,
    /// Known to some builds of tincd; why not to us.
    Refused(&'static str),
}

#[rustfmt::skip]
const TYPES: [(&str, Type); 7] = [
    ("tun", Type::TunTap(Layer::Ip)),
    ("tap", Type::TunTap(Layer::Ethernet)),
    ("dummy", Type::Dummy),
    ("raw_socket", Type::RawSocket),
    ("multicast", Type::Multicast),
    ("uml", Type::Refused("User Mode Linux is not carried; it can use a TAP device as well")),
    ("vde", Type::Refused("VDE is not carried; vde_switch can take over a TAP device")),
];

/// Reads which device is to be opened.
///
/// # Errors
/// If there can be no such device.
pub(super) fn device(
    mode: Mode,
    r: &mut Reader<'_>,
    layout: &Layout,
) -> Result<DeviceSetup, BadValue> {
    let interface = interface(r)?;
    let offload = r.yes_no("DeviceOffload").unwrap_or(true);
    let path = r.text("Device").map(|entry| entry.value.clone());
    let entry = r.text("DeviceType");
    let (layer, entry) = match (entry, r.one_of("DeviceType", &TYPES)?) {
        (Some(entry), Some(Type::TunTap(layer))) => (layer, Some(entry)),
        (Some(_), Some(Type::Dummy)) => return Ok(DeviceSetup::Dummy),
        (Some(_), Some(Type::RawSocket)) => {
            let interface = interface.unwrap_or_else(|| RAW_INTERFACE.to_owned());
            let path = path.unwrap_or_else(|| interface.clone());
            return Ok(DeviceSetup::RawSocket { path, interface });
        }
        (Some(entry), Some(Type::Multicast)) => {
            return multicast(entry, r.text("Device"), interface);
        }
        (Some(entry), Some(Type::Refused(why))) => return Err(BadValue::new(entry, why)),
        _ if mode == Mode::Router => (Layer::Ip, None),
        _ => (Layer::Ethernet, None),
    };
    if let Some(entry) = entry.filter(|_| layer == Layer::Ip && mode == Mode::Switch) {
        r.complain(
            entry,
            "a switch finds no MAC addresses in what a tun device carries",
        );
    }
    Ok(DeviceSetup::TunTap {
        layer,
        path: path.unwrap_or_else(|| CLONE_DEVICE.to_owned()),
        // The netname where it can be an interface's name, else the kernel's choice.
        interface: interface.or_else(|| {
            let netname = layout.netname().filter(|net| is_interface_name(net));
            netname.map(str::to_owned)
        }),
        offload,
    })
}

/// `Device = ADDRESS PORT [TTL]` of a multicast device.
fn multicast(
    kind: &Assignment,
    device: Option<&Assignment>,
    interface: Option<String>,
) -> Result<DeviceSetup, BadValue> {
    let wrong = || {
        let want = "multicast needs `Device = ADDRESS PORT [TTL]' with the address of a group";
        BadValue::new(device.unwrap_or(kind), want)
    };
    let path = device.map(|entry| entry.value.clone()).ok_or_else(wrong)?;
    let words: Vec<&str> = path.split_whitespace().collect();
    let (group, port, ttl) = match words.as_slice() {
        [group, port] => (group, port, "1"),
        [group, port, ttl] => (group, port, *ttl),
        _ => return Err(wrong()),
    };
    let group: IpAddr = group.parse().map_err(|_| wrong())?;
    if !group.is_multicast() {
        return Err(wrong());
    }
    Ok(DeviceSetup::Multicast {
        group,
        port: port.parse().map_err(|_| wrong())?,
        ttl: ttl.parse().map_err(|_| wrong())?,
        interface: interface.unwrap_or_default(),
        path,
    })
}

fn interface(r: &Reader<'_>) -> Result<Option<String>, BadValue> {
    match r.text("Interface") {
        Some(entry) if is_interface_name(&entry.value) => Ok(Some(entry.value.clone())),
        Some(entry) => Err(BadValue::new(
            entry,
            format!("an interface name has 1 to {MAX_INTERFACE_NAME} characters and none of / : %"),
        )),
        None => Ok(None),
    }
}

fn is_interface_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && name.len() <= MAX_INTERFACE_NAME
        && name
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '/' | ':' | '%'))
}

#[cfg(test)]
mod tests {
    use super::super::set::ConfigSet;
    use super::*;
    use crate::testing::TempDir;

    fn read(text: &str, mode: Mode, net: Option<&str>) -> Result<DeviceSetup, BadValue> {
        let dir = TempDir::new();
        let base = Some(dir.path().to_owned());
        let layout = Layout::new(net.map(str::to_owned), base, None, None).unwrap();
        device(mode, &mut Reader::new(&ConfigSet::from_text(text)), &layout)
    }

    fn tun_tap(layer: Layer, interface: Option<&str>) -> DeviceSetup {
        DeviceSetup::TunTap {
            layer,
            path: CLONE_DEVICE.to_owned(),
            interface: interface.map(str::to_owned),
            offload: true,
        }
    }

    #[test]
    fn the_mode_decides_between_tun_and_tap_unless_the_type_is_given() {
        for (text, mode, layer) in [
            ("", Mode::Router, Layer::Ip),
            ("", Mode::Switch, Layer::Ethernet),
            ("", Mode::Hub, Layer::Ethernet),
            ("DeviceType = TAP\n", Mode::Router, Layer::Ethernet),
            ("DeviceType = tun\n", Mode::Hub, Layer::Ip),
        ] {
            assert_eq!(read(text, mode, None), Ok(tun_tap(layer, None)), "{text}");
        }
    }

    #[test]
    fn the_netname_names_the_interface_if_it_can() {
        for (net, text, expected) in [
            (Some("vpn"), "", Some("vpn")),
            (Some("vpn"), "Interface = tap7\n", Some("tap7")),
            (Some("a_name_longer_than_linux_allows"), "", None),
            (None, "", None),
        ] {
            let wanted = tun_tap(Layer::Ip, expected);
            assert_eq!(read(text, Mode::Router, net), Ok(wanted));
        }
    }

    #[test]
    fn the_other_types_have_their_own_use_of_device_and_interface() {
        let read = |text| read(text, Mode::Switch, Some("vpn"));
        assert_eq!(read("DeviceType = dummy\n"), Ok(DeviceSetup::Dummy));
        let raw = |interface: &str, path: &str| DeviceSetup::RawSocket {
            interface: interface.to_owned(),
            path: path.to_owned(),
        };
        assert_eq!(read("DeviceType = raw_socket\n"), Ok(raw("eth0", "eth0")));
        assert_eq!(
            read("DeviceType = raw_socket\nInterface = lan0\nDevice = x\n"),
            Ok(raw("lan0", "x"))
        );
        assert_eq!(
            read("DeviceType = multicast\nDevice = 239.1.2.3 4000 7\n"),
            Ok(DeviceSetup::Multicast {
                group: [239, 1, 2, 3].into(),
                port: 4000,
                ttl: 7,
                interface: String::new(),
                path: "239.1.2.3 4000 7".to_owned(),
            })
        );
    }

    #[test]
    fn what_cannot_be_opened_ends_the_start_with_its_place() {
        for (text, says) in [
            (
                "DeviceType = uml\n",
                "tinc.conf line 1: DeviceType = uml: User Mode Linux",
            ),
            (
                "DeviceType = vde\n",
                "tinc.conf line 1: DeviceType = vde: VDE",
            ),
            (
                "DeviceType = fd\n",
                "tinc.conf line 1: DeviceType = fd: expected one of tun, tap",
            ),
            (
                "DeviceType = multicast\n",
                "line 1: DeviceType = multicast: multicast needs",
            ),
            (
                "Device = 10.0.0.1 5\nDeviceType = multicast\n",
                "line 1: Device = 10.0.0.1 5: ",
            ),
            (
                "Device = ff02::1\nDeviceType = multicast\n",
                "line 1: Device = ff02::1: ",
            ),
            (
                "Interface = a/b\n",
                "tinc.conf line 1: Interface = a/b: an interface name",
            ),
        ] {
            let error = read(text, Mode::Switch, None).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
