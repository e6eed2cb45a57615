//! Where the daemon listens and how it finds others: sockets, addresses, networks that change.

mod support;

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::machine::ip;
use support::{BOTH, Kind, ONE, Site, TWO, TempDir, alone, pair};

/// Gives this test a resolver configuration of its own.
fn resolve_with(dir: &TempDir, text: &str) {
    let Ok(real) = fs::canonicalize("/etc/resolv.conf") else {
        // Where it leads to `/run`, which is this test's own and empty.
        let real = Path::new("/etc").join(fs::read_link("/etc/resolv.conf").unwrap());
        fs::create_dir_all(real.parent().unwrap()).unwrap();
        assert!(
            fs::canonicalize(real.parent().unwrap())
                .unwrap()
                .starts_with("/run")
        );
        fs::write(real, text).unwrap();
        return;
    };
    let ours = dir.path().join("resolv.conf");
    fs::write(&ours, text).unwrap();
    let mut mount = Command::new("mount");
    mount.arg("--bind").arg(&ours).arg(real);
    assert!(mount.status().unwrap().success());
}

#[test]
fn an_inherited_socket_is_listened_on() {
    alone("an_inherited_socket_is_listened_on", || {
        for kind in BOTH {
            let dir = TempDir::new();
            let (one, two) = pair(&dir, "");
            let socket = TcpListener::bind("127.0.0.1:655").unwrap();
            // The shell moves it to where the protocol wants it and becomes the daemon.
            let inner = one.command(kind);
            let mut command = Command::new("sh");
            command
                .args([
                    "-c",
                    "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" \"$@\" 3<&0 0</dev/null",
                ])
                .arg(inner.get_program())
                .args(inner.get_args())
                .args(["-D", "-d3"])
                .stdin(Stdio::from(OwnedFd::from(socket)));
            let _one = one.spawn(command);
            one.wait_for_log("Ready");
            assert!(!one.log().contains("Can't bind"), "{}", one.log());
            let _two = two.start(Kind::Tincd, &[]);
            two.wait_for_log("activated");
        }
    });
}

#[test]
fn the_port_that_the_kernel_chose_is_announced() {
    alone("the_port_that_the_kernel_chose_is_announced", || {
        let dir = TempDir::new();
        let conf = "ConnectTo = node_one\nBindToAddress = 127.0.0.1 0\nBindToAddress = ::1 0\n";
        let anywhere = ("node_two", "");
        let one = Site::new(dir.path(), "node_one", "", &[ONE, anywhere]);
        let two = Site::new(dir.path(), "node_two", conf, &[ONE, anywhere]);
        let _one = one.start(Kind::Tincd, &[]);
        one.wait_for_log("Ready");
        let _two = two.start(Kind::Ours, &[]);
        two.wait_for_log("activated");
        let log = two.log();
        let port = log
            .split("Listening on 127.0.0.1 port ")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next())
            .unwrap();
        assert!(
            log.contains(&format!("Listening on ::1 port {port}\n")),
            "{log}"
        );
        one.kill(Kind::Tincd, "USR2");
        one.wait_for_log(&format!(
            "node_one to node_two at 127.0.0.1 port {port} options"
        ));
    });
}

#[test]
fn another_network_is_noticed_at_once() {
    alone("another_network_is_noticed_at_once", || {
        let dir = TempDir::new();
        let far = ("node_one", "Port = 655\nAddress = 10.9.9.9");
        let one = Site::new(dir.path(), "node_one", "", &[far, TWO]);
        // Left to its own, it would try again after five minutes.
        let conf = "ConnectTo = node_one\nMinTimeout = 300\n";
        let two = Site::new(dir.path(), "node_two", conf, &[far, TWO]);
        let _one = one.start(Kind::Tincd, &[]);
        one.wait_for_log("Ready");
        let _two = two.start(Kind::Ours, &[]);
        two.wait_for_log("next attempt to connect to node_one in 300s");
        ip("address add 10.9.9.9/32 dev lo");
        two.wait_for_log("The network has changed");
        two.wait_for_log("activated");
        // Our own device is no news.
        let news = two.log().matches("The network has changed").count();
        let device = two.log();
        let device = device
            .split("interface ")
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap();
        ip(&format!("link set {device} up"));
        ip(&format!("address add 10.8.8.8/24 dev {device}"));
        two.kill(Kind::Ours, "USR1");
        two.wait_for_log("End of connections.");
        let known = |log: String| log.matches("The network has changed").count();
        assert!(known(two.log()) <= news + 1, "{}", two.log());
    });
}

#[test]
fn neither_a_dead_address_nor_a_hanging_resolver_costs_a_time_out() {
    alone(
        "neither_a_dead_address_nor_a_hanging_resolver_costs_a_time_out",
        || {
            let dir = TempDir::new();
            // A link on which nobody answers.
            ip("link add dead type veth peer name end");
            ip("link set dead up");
            ip("link set end up");
            ip("address add 10.7.7.1/24 dev dead");
            // A name server that says nothing.
            let _silent = UdpSocket::bind("127.0.0.53:53").unwrap();
            resolve_with(&dir, "nameserver 127.0.0.53\noptions timeout:30\n");
            let host =
                "Port = 655\nAddress = hangs.example\nAddress = 10.7.7.7\nAddress = 127.0.0.1";
            let far = ("node_one", host);
            let one = Site::new(dir.path(), "node_one", "", &[far, TWO]);
            let conf = "ConnectTo = node_one\nPingTimeout = 30\n";
            let two = Site::new(dir.path(), "node_two", conf, &[far, TWO]);
            let _one = one.start(Kind::Tincd, &[]);
            one.wait_for_log("Ready");
            let _two = two.start(Kind::Ours, &[]);
            two.wait_for_log("Ready");
            let began = Instant::now();
            two.wait_for_log("activated");
            // The name alone would cost ten seconds, the address thirty.
            assert!(
                began.elapsed() < Duration::from_secs(9),
                "{:?}",
                began.elapsed()
            );
            assert!(two.log().contains("(10.7.7.7 port 655)"), "{}", two.log());
        },
    );
}
