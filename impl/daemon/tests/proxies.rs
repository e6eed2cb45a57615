//! Real proxies between our daemon and Debian's tincd.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use support::{Kind, PATIENCE, Site, TempDir, alone};

/// Serves one dialogue; returns where the client wanted to go.
type Serve = fn(&mut TcpStream) -> String;

/// Starts a proxy; whatever is asked for, it connects to the tincd of these tests.
fn proxy(serve: Serve) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, asked) = channel();
    thread::spawn(move || {
        for client in listener.incoming() {
            let told = told.clone();
            thread::spawn(move || relay(client.unwrap(), serve, &told));
        }
    });
    (port, asked)
}

fn relay(mut client: TcpStream, serve: Serve, told: &Sender<String>) {
    let target = serve(&mut client);
    let server = TcpStream::connect("127.0.0.1:655").unwrap();
    let _ = told.send(target);
    let (mut from_client, mut to_server) =
        (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let (mut from_server, mut to_client) = (server, client);
    let _ = std::io::copy(&mut from_server, &mut to_client);
    let _ = to_client.shutdown(Shutdown::Both);
}

fn take<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

fn take_word(stream: &mut TcpStream) -> String {
    let mut word = String::new();
    loop {
        match take::<1>(stream) {
            [0] => return word,
            [byte] => word.push(char::from(byte)),
        }
    }
}

fn take_counted(stream: &mut TcpStream) -> String {
    let [count] = take::<1>(stream);
    let mut word = vec![0; count.into()];
    stream.read_exact(&mut word).unwrap();
    String::from_utf8(word).unwrap()
}

fn socks4(stream: &mut TcpStream) -> String {
    let [4, 1, p, q, a, b, c, d] = take(stream) else {
        panic!("no SOCKS 4 request")
    };
    let user = take_word(stream);
    let host = match [a, b, c, d] {
        [0, 0, 0, 1] => take_word(stream),
        _ => format!("{a}.{b}.{c}.{d}"),
    };
    stream.write_all(&[0, 0x5a, 0, 0, 0, 0, 0, 0]).unwrap();
    format!("{user}@{host}:{}", u16::from_be_bytes([p, q]))
}

/// As RFC 1928 and RFC 1929 have it, with the longest kind of answer.
fn socks5(stream: &mut TcpStream) -> String {
    let [5, count] = take(stream) else {
        panic!("no SOCKS 5 greeting")
    };
    let mut methods = vec![0; count.into()];
    stream.read_exact(&mut methods).unwrap();
    let mut user = String::new();
    if methods.contains(&2) {
        stream.write_all(&[5, 2]).unwrap();
        assert_eq!(take(stream), [1]);
        user = format!("{}:{}", take_counted(stream), take_counted(stream));
        stream.write_all(&[1, 0]).unwrap();
    } else {
        stream.write_all(&[5, 0]).unwrap();
    }
    let [5, 1, 0, kind] = take(stream) else {
        panic!("no SOCKS 5 request")
    };
    let host = match kind {
        1 => std::net::Ipv4Addr::from(take::<4>(stream)).to_string(),
        4 => std::net::Ipv6Addr::from(take::<16>(stream)).to_string(),
        _ => take_counted(stream),
    };
    let port = u16::from_be_bytes(take(stream));
    stream
        .write_all(b"\x05\0\0\x03\x0aproxy.test\x04\x38")
        .unwrap();
    format!("{user}@{host}:{port}")
}

/// A proxy of the last century.
fn http(stream: &mut TcpStream) -> String {
    let mut header = String::new();
    while !header.ends_with("\r\n\r\n") {
        header.push(char::from(take::<1>(stream)[0]));
    }
    stream
        .write_all(b"HTTP/1.0 200 Connection established\r\nProxy-Agent: test\r\n\r\n")
        .unwrap();
    header.split(' ').nth(1).unwrap().to_owned()
}

/// Our daemon connects to a real tincd, called `address` in its host file.
fn connects(conf: &str, address: &str) -> (TempDir, Site, Vec<support::Daemon>) {
    let dir = TempDir::new();
    let one = ("node_one", format!("Port = 655\nAddress = {address}"));
    let hosts = [(one.0, one.1.as_str()), ("node_two", "Port = 1655")];
    let conf = format!("ConnectTo = node_one\n{conf}\n");
    let server = Site::new(dir.path(), "node_one", "", &hosts);
    let client = Site::new(dir.path(), "node_two", &conf, &hosts);
    let mut daemons = vec![server.start(Kind::Tincd, &[])];
    server.wait_for_log("Ready");
    daemons.push(client.start(Kind::Ours, &[]));
    client.wait_for_log("activated");
    server.wait_for_log("activated");
    (dir, client, daemons)
}

fn goes_through(serve: Serve, conf: &str, address: &str, asked: &str) {
    let (port, targets) = proxy(serve);
    let conf = format!("Proxy = {}", conf.replace("PORT", &port.to_string()));
    let _running = connects(&conf, address);
    assert_eq!(targets.recv_timeout(PATIENCE).unwrap(), asked, "{conf}");
}

#[test]
fn socks4_is_told_an_address() {
    alone("socks4_is_told_an_address", || {
        goes_through(
            socks4,
            "socks4 127.0.0.1 PORT me",
            "192.0.2.7",
            "me@192.0.2.7:655",
        );
    });
}

#[test]
fn socks4a_is_told_a_name_that_we_cannot_look_up() {
    alone("socks4a_is_told_a_name_that_we_cannot_look_up", || {
        goes_through(
            socks4,
            "socks4a 127.0.0.1 PORT",
            "pi.invalid 700",
            "@pi.invalid:700",
        );
    });
}

#[test]
fn socks5_is_told_addresses_names_and_who_we_are() {
    alone("socks5_is_told_addresses_names_and_who_we_are", || {
        goes_through(
            socks5,
            "socks5 127.0.0.1 PORT",
            "2001:db8::7",
            "@2001:db8::7:655",
        );
        goes_through(
            socks5,
            "socks5 localhost PORT me secret",
            "pi.invalid",
            "me:secret@pi.invalid:655",
        );
    });
}

#[test]
fn http_is_told_names_and_ipv6_in_brackets() {
    alone("http_is_told_names_and_ipv6_in_brackets", || {
        goes_through(
            http,
            "http 127.0.0.1 PORT",
            "2001:db8::7",
            "[2001:db8::7]:655",
        );
        goes_through(
            http,
            "http 127.0.0.1 PORT",
            "pi.invalid 700",
            "pi.invalid:700",
        );
    });
}

#[test]
fn a_command_can_be_the_connection() {
    alone("a_command_can_be_the_connection", || {
        let command = "Proxy = exec exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/$REMOTEPORT; cat <&3 & exec cat >&3'";
        let (_dir, client, _daemons) = connects(command, "192.0.2.7");
        assert!(client.log().contains("192.0.2.7"), "{}", client.log());
    });
}

#[test]
fn a_proxy_that_refuses_is_named_and_we_go_on() {
    alone("a_proxy_that_refuses_is_named_and_we_go_on", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let _ = client.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n");
                // Read what came, so that closing does not take the answer back.
                let _ = client.shutdown(Shutdown::Write);
                let _ = client.read_to_end(&mut Vec::new());
            }
        });
        let dir = TempDir::new();
        let hosts = [
            ("node_one", "Address = 192.0.2.7"),
            ("node_two", "Port = 1655"),
        ];
        let conf = format!("ConnectTo = node_one\nProxy = http 127.0.0.1 {port}\n");
        let site = Site::new(dir.path(), "node_two", &conf, &hosts);
        let _daemon = site.start(Kind::Ours, &[]);
        site.wait_for("two refusals", || {
            site.log()
                .matches("the proxy refused: 403 Forbidden")
                .count()
                >= 2
        });
    });
}
