use super::*;

fn deeds_of(text: &str) -> Vec<Deed> {
    let variables = Variables::from([("INTERFACE".to_owned(), Some("vpn".to_owned()))]);
    read(text, variables)
        .into_iter()
        .map(|act| act.deed)
        .collect()
}

fn vpn() -> Device {
    Device::Named("vpn".to_owned())
}

fn on(text: &str) -> Deed {
    let (address, len) = address(text).unwrap();
    Deed::Address {
        device: vpn(),
        address,
        link: Some(mapped(address, len)),
    }
}

fn route(to: &str, gateway: Option<&str>, device: Option<Device>) -> Deed {
    let (net, len) = match to {
        "default" => ("::".parse().unwrap(), 0),
        to => address(to).unwrap(),
    };
    Deed::Route(Route {
        to: mapped(net, len),
        shown: to.to_owned(),
        way: Way::Through {
            gateway: gateway.map(|text| text.parse().unwrap()),
            device,
            on_link: false,
        },
        repeatable: false,
    })
}

#[test]
fn the_commands_people_use_are_understood() {
    for (text, wanted) in [
        ("ip link set $INTERFACE up", vec![Deed::Up(vpn())]),
        (
            "/sbin/ip l s dev $INTERFACE mtu 1400 up",
            vec![Deed::Up(vpn())],
        ),
        ("ip link set up dev $INTERFACE", vec![Deed::Up(vpn())]),
        ("ip link set $INTERFACE address 02:00:00:00:00:01", vec![]),
        ("ip link set $INTERFACE master br0", vec![Deed::Port(vpn())]),
        (
            "ip -6 addr add 2001:db8::1/64 dev $INTERFACE",
            vec![on("2001:db8::1/64")],
        ),
        (
            "ip a a dev $INTERFACE 10.0.0.1/24 brd + scope global",
            vec![on("10.0.0.1/24")],
        ),
        ("ip addr del 10.0.0.1/24 dev $INTERFACE", vec![]),
        (
            "ifconfig $INTERFACE 10.0.0.1 netmask 255.255.0.0",
            vec![on("10.0.0.1/16"), Deed::Up(vpn())],
        ),
        (
            "ifconfig $INTERFACE inet6 add 2001:db8::1/64 up",
            vec![on("2001:db8::1/64"), Deed::Up(vpn())],
        ),
        ("brctl addif br0 $INTERFACE", vec![Deed::Port(vpn())]),
        (
            "ip -6 route add default via 2001:db8::1",
            vec![route("default", Some("2001:db8::1"), None)],
        ),
        (
            "route -A inet6 add 2001:db8:1::/48 gw 2001:db8::1 dev $INTERFACE",
            vec![route("2001:db8:1::/48", Some("2001:db8::1"), Some(vpn()))],
        ),
        (
            "route add -net 10.1.0.0 netmask 255.255.0.0 $INTERFACE",
            vec![route("10.1.0.0/16", None, Some(vpn()))],
        ),
        ("ip netns exec x ip link set up", vec![]),
        ("ip -batch file", vec![Deed::Unknown]),
        ("/usr/local/bin/own-script", vec![Deed::Unknown]),
    ] {
        let mut wanted = wanted;
        // Shown as it is written.
        if let [Deed::Route(route)] = wanted.as_mut_slice() {
            route.shown = match text.contains("10.1.0.0") {
                true => "10.1.0.0".to_owned(),
                false => route.shown.clone(),
            };
        }
        assert_eq!(deeds_of(text), wanted, "{text}");
    }
}

#[test]
fn a_command_that_lost_its_interface_is_seen() {
    use Missing::{Empty, Unexpanded, Unset};
    for (text, missing) in [
        ("ip link set  up", Empty),
        ("ip link set dev  up", Empty),
        ("ip -6 addr add 2001:db8::1/64 dev ", Empty),
        ("ip -6 route add 2001:db8::/56 dev ", Empty),
        ("ifconfig  up", Empty),
        ("ifconfig 10.0.0.1 netmask 255.0.0.0", Empty),
        ("echo 2 > /proc/sys/net/ipv6/conf//accept_ra", Empty),
        ("sysctl -w net.ipv6.conf..accept_ra=2", Empty),
        ("ip link set '$INTERFACE' up", Unexpanded),
        ("ip link set \\$INTERFACE up", Unexpanded),
        ("ip link set $INTERFCE up", Unset("INTERFCE".to_owned())),
    ] {
        let deeds = deeds_of(text);
        assert_eq!(deeds.first(), Some(&Deed::NoInterface(missing)), "{text}");
    }
}

#[test]
fn settings_are_in_force_or_on_paper() {
    let setting = |value: Option<&str>, kept_in: Option<&str>| Deed::Setting {
        key: "net.ipv6.conf.all.forwarding".to_owned(),
        value: value.map(str::to_owned),
        kept_in: kept_in.map(str::to_owned),
    };
    let paper = Some("/etc/sysctl.conf");
    for (text, wanted) in [
        (
            "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
            setting(Some("1"), None),
        ),
        (
            "echo 1 | sudo tee /proc/sys/net/ipv6/conf/all/forwarding",
            setting(Some("1"), None),
        ),
        (
            "cat /run/before > /proc/sys/net/ipv6/conf/all/forwarding",
            setting(None, None),
        ),
        (
            "sysctl -w net.ipv6.conf.all.forwarding=1",
            setting(Some("1"), None),
        ),
        (
            "sysctl -q net/ipv6/conf/all/forwarding=1",
            setting(Some("1"), None),
        ),
        (
            "echo net.ipv6.conf.all.forwarding=1 >> /etc/sysctl.conf",
            setting(Some("1"), paper),
        ),
        (
            "echo 'net.ipv6.conf.all.forwarding = 1' | tee -a /etc/sysctl.conf",
            setting(Some("1"), paper),
        ),
    ] {
        assert_eq!(deeds_of(text), [wanted], "{text}");
    }
    assert_eq!(deeds_of("sysctl -p"), [Deed::Load]);
}
