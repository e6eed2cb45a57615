//! The families of scripts.

use std::fmt;

use rand::{Rng as _, RngExt as _};

use crate::script::{Script, TALKER, WATCHER, Writer};
use crate::stranger::SUBJECT;

/// Scripts of one kind.
#[derive(Clone)]
pub(crate) struct Family {
    name: &'static str,
    write: fn(&mut Writer),
}

/// All families.
pub(crate) const ALL: &[Family] = &[
    family("edges", edges),
    family("subnets", subnets),
    family("contradictions", contradictions),
    family("repeats", repeats),
    family("malformed", malformed),
    family("unknown_requests", unknown_requests),
    family("long_lines", long_lines),
    family("pings", pings),
    family("keys", keys),
    family("packets", packets),
    family("opaque_addresses", opaque_addresses),
    family("odd_numbers", odd_numbers),
    family("odd_requests", odd_requests),
    family("handshake", handshake),
];

const fn family(name: &'static str, write: fn(&mut Writer)) -> Family {
    Family { name, write }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Family {
    /// The script of that seed, always the same.
    pub(crate) fn script(&self, seed: u64) -> Script {
        let mut writer = Writer::new(seed);
        (self.write)(&mut writer);
        writer.script
    }
}

/// Edges come and go in any order, among nodes that are known and such that are not.
fn edges(w: &mut Writer) {
    for _ in 0..w.rng.random_range(2..12) {
        let (from, to) = (w.other(), w.other());
        if from == to {
            continue;
        }
        if w.rng.random_range(0..4) == 0 {
            let nonce = w.nonce();
            w.say(format!("13 {nonce} {from} {to}"));
        } else {
            let line = w.edge(&from, &to);
            w.say(line);
            if w.rng.random() {
                let back = w.edge(&to, &from);
                w.say(back);
            }
        }
    }
}

/// Subnets of reachable and of unknown owners, given and taken.
fn subnets(w: &mut Writer) {
    let near = w.far();
    w.attach(&near);
    let mut given = Vec::new();
    for _ in 0..w.rng.random_range(2..10) {
        let owner = w.other();
        let nonce = w.nonce();
        let taken = w.rng.random_range(0..3) == 0 && !given.is_empty();
        if taken {
            let at = w.rng.random_range(0..given.len());
            let (owner, subnet) = given.swap_remove(at);
            w.say(format!("11 {nonce} {owner} {subnet}"));
        } else {
            let subnet = w.subnet();
            w.say(format!("10 {nonce} {owner} {subnet}"));
            given.push((owner, subnet));
        }
    }
}

/// What others claim about the daemon's own edges and subnets.
fn contradictions(w: &mut Writer) {
    for _ in 0..w.rng.random_range(1..7) {
        let nonce = w.nonce();
        let other = w.other();
        let subnet = w.subnet();
        let line = match w.rng.random_range(0..5) {
            0 => w.edge(SUBJECT, &other),
            1 => format!("13 {nonce} {SUBJECT} {other}"),
            2 => format!("10 {nonce} {SUBJECT} {subnet}"),
            3 => format!("11 {nonce} {SUBJECT} {subnet}"),
            _ => format!("11 {nonce} {SUBJECT} 10.77.0.0/16"),
        };
        w.say(line);
    }
}

/// The same lines again, also with words and blanks that nobody reads.
fn repeats(w: &mut Writer) {
    let near = w.far();
    w.attach(&near);
    for _ in 0..w.rng.random_range(1..6) {
        let line = w.some_line();
        w.say(&line);
        match w.rng.random_range(0..4) {
            0 => w.say(&line),
            1 => w.say(format!("{line} and more")),
            2 => w.say(line.replace(' ', "  ")),
            _ => w.say(format!("{line} ")),
        }
    }
}

/// A line that lacks something, or has the wrong thing, after one that is right.
fn malformed(w: &mut Writer) {
    let right = w.some_line();
    w.say(right);
    let line = w.some_line();
    let words: Vec<&str> = line.split(' ').collect();
    let at = w.rng.random_range(1..words.len());
    let rubbish = w.one_of(&[
        "",
        "no-name",
        "zz",
        "1.2.3.4.5",
        "10.0.0.0/33",
        "*",
        "ä",
        "-",
        "12x",
    ]);
    let wrong = match w.rng.random_range(0..4) {
        0 => words[..at].join(" "),
        1 => {
            let mut changed = words.clone();
            changed[at] = rubbish;
            changed.join(" ")
        }
        2 => {
            let mut less = words.clone();
            less.remove(at);
            less.join(" ")
        }
        _ => {
            let far = w.far();
            w.edge(&far, &far)
        }
    };
    w.say(wrong);
    let after = w.some_line();
    w.say(after);
}

/// Numbers that nobody has given a meaning, handshake requests when there is no handshake, and no number at all.
fn unknown_requests(w: &mut Writer) {
    let first = w.some_line();
    w.say(first);
    let line = w.one_of(&[
        "5",
        "6 0 what",
        "7",
        "18",
        "19 a b c",
        "99999",
        "-1",
        "4294967304",
        "x",
        "",
        " ",
        "PING",
        "0x8",
        "0 talker 17",
        "2 5A",
        "3 5A",
        "4 655 1 c",
        "1 429 672 0 0 5A",
    ]);
    w.say(line);
    let after = w.some_line();
    w.say(after);
}

/// Lines around the longest there may be, made long by words that nobody reads, or by one.
fn long_lines(w: &mut Writer) {
    let line = w.some_line();
    // With the line feed 2,176 bytes are allowed.
    let wanted = w.rng.random_range(2172..2179) - 1;
    let filler = if w.rng.random() { " x" } else { "x" };
    let mut long = format!("{line} ");
    while long.len() < wanted {
        long.push_str(filler);
    }
    long.truncate(wanted);
    w.say(long);
    let after = w.some_line();
    w.say(after);
}

/// Pings and pongs, asked for and not, with words that nobody reads.
fn pings(w: &mut Writer) {
    for _ in 0..w.rng.random_range(1..6) {
        let line = w.one_of(&[
            "8", "8 x y", "9", "9 z", "8  ", "8\t1", " 8", "08", "+8", "8x",
        ]);
        w.say(line);
    }
}

/// Keys asked for, given and revoked: the daemon's own business, and what it is to pass on.
fn keys(w: &mut Writer) {
    let near = w.far();
    w.attach(&near);
    for _ in 0..w.rng.random_range(1..8) {
        let from = if w.rng.random() {
            TALKER.to_owned()
        } else {
            w.far()
        };
        let to = match w.rng.random_range(0..4) {
            0 => WATCHER.to_owned(),
            1 => w.far(),
            _ => SUBJECT.to_owned(),
        };
        let nonce = w.nonce();
        let key = "0123456789ABCDEF".repeat(8);
        let line = match w.rng.random_range(0..8) {
            0 | 1 => format!("15 {from} {to}"),
            2 => format!("14 {nonce} {from}"),
            3 => format!("14 {nonce} {to}"),
            _ => {
                // Length of the key in digits, and whether it fits is as may be.
                let (len, numbers) = match w.rng.random_range(0..9) {
                    0 => (96, "427 672 4 0"),
                    1 => (96, "427 672 32 0"),
                    2 => (64, "419 64 20 0"),
                    3 => (64, "427 672 4 0"),
                    4 => (95, "427 672 4 0"),
                    5 => (96, "427 672 33 0"),
                    6 => (96, "427 672 4 12"),
                    7 => (96, "99999 672 4 0"),
                    _ => (2, "0 0 0 0"),
                };
                let more = w.one_of(&["", "", " 192.0.2.77 655", " and.more 1"]);
                format!("16 {from} {to} {} {numbers}{more}", &key[..len])
            }
        };
        w.say(line);
    }
}

/// Frames of every length, to everybody and to nobody.
fn packets(w: &mut Writer) {
    for _ in 0..w.rng.random_range(1..5) {
        let len = match w.rng.random_range(0..8) {
            0 => w.rng.random_range(0..20),
            1 => w.rng.random_range(1510..1520),
            2 => w.rng.random_range(1655..1670),
            3 => w.rng.random_range(2170..2180),
            _ => w.rng.random_range(14..1514),
        };
        let mut frame = vec![0; len];
        w.rng.fill_bytes(&mut frame);
        let to = w.one_of(&["ffffffffffff", "01005e000001", "027636000009"]);
        let ethertype = w.one_of(&["88b5", "88b5", "0806", "0000"]);
        let header = format!("{to}027636000001{ethertype}");
        let header = data_encoding::HEXLOWER.decode(header.as_bytes());
        for (at, byte) in frame.iter_mut().zip(header.unwrap_or_default()) {
            *at = byte;
        }
        w.script
            .says
            .push([format!("17 {len}\n").as_bytes(), &frame].concat());
    }
}

/// Nodes whose address is a name, which only somebody else could look up.
fn opaque_addresses(w: &mut Writer) {
    let far = w.far();
    let host = w.one_of(&[
        "some.host.name",
        "unknown",
        "localhost",
        "192.0.2.1.",
        "fe80::1%eth0",
    ]);
    let (port, nonce) = (w.one_of(&["655", "unknown", "http"]), w.nonce());
    w.say(format!("12 {nonce} {TALKER} {far} {host} {port} c 5"));
    if w.rng.random_range(0..3) == 0 {
        let subnet = w.subnet();
        let nonce = w.nonce();
        w.say(format!("10 {nonce} {far} {subnet}"));
    }
    if w.rng.random() {
        let back = w.edge(&far, TALKER);
        w.say(back);
    }
}

/// Numbers of all shapes where numbers are due.
fn odd_numbers(w: &mut Writer) {
    let (far, nonce) = (w.far(), w.nonce());
    let number = w.one_of(&[
        "-1",
        "+1",
        "0x10",
        "1x",
        "65536",
        "65537",
        "99999999999",
        "00",
        "",
        "x",
        "1.5",
        "-0",
    ]);
    let line = match w.rng.random_range(0..8) {
        0 => format!("10 {nonce} {far} 10.{number}.0.0/16"),
        1 => format!("10 {nonce} {far} 10.0.0.0/{number}"),
        2 => format!("10 {nonce} {far} 10.0.0.0/8#{number}"),
        3 => format!("10 {nonce} {far} 2001:{number}::/48"),
        4 => format!("12 {nonce} {TALKER} {far} 192.0.2.1 {number} c 5"),
        5 => format!("12 {nonce} {TALKER} {far} 192.0.2.1 655 {number} 5"),
        6 => format!("12 {nonce} {TALKER} {far} 192.0.2.1 655 c {number}"),
        _ => format!("12 {number} {TALKER} {far} 192.0.2.1 655 c 5"),
    };
    // Where it is the nonce, it stays as it is.
    w.script.nonces.insert(number.to_owned());
    w.say(line);
    let after = w.some_line();
    w.say(after);
}

/// Requests by numbers that are too large, that end within their word, or that are longer than text may be.
fn odd_requests(w: &mut Writer) {
    let near = w.far();
    w.attach(&near);
    let (nonce, subnet) = (w.nonce(), w.subnet());
    let long = format!("{nonce:0>2060}");
    w.script.nonces.insert(long.clone());
    let line = match w.rng.random_range(0..5) {
        0 => format!("4294967306 {nonce} {near} {subnet}"),
        1 => format!("10f {near} {subnet}"),
        2 => format!("10 {nonce}{near} {subnet}"),
        3 => format!("{:0>2060} {nonce} {near} {subnet}", 10),
        _ => format!("10 {long} {near} {subnet}"),
    };
    w.say(line);
}

/// Something else where a request of the handshake is due.
fn handshake(w: &mut Writer) {
    let due = w.rng.random_range(0..5);
    w.script.in_handshake = Some(due);
    let long = "5A".repeat(256);
    match w.rng.random_range(0..4) {
        0 => {
            // A request that has another place, or none.
            let other = w.one_of(&[
                "3 5A",
                "4 655 1 c",
                "8",
                "12 1 a b 192.0.2.1 655 c 5",
                "18",
                "x",
            ]);
            w.say(other);
        }
        _ => match due {
            0 => {
                let id = w.one_of(&[
                    "0 talker 17.7",
                    "0 talker 16",
                    "0 talker 18",
                    "0 talker",
                    "0 talker 17 more",
                    "0 subject 17",
                    "0 nobody 17",
                    "0 no-name 17",
                    "0  talker  17",
                    "0 talker 17x",
                    "0 ../talker 17",
                ]);
                w.say(id);
            }
            1 => {
                let numbers = w.one_of(&[
                    "0 672 0 0",
                    "429 0 0 0",
                    "427 672 0 0",
                    "9999 672 0 0",
                    "429 9999 0 0",
                    "429 672 33 0",
                    "429 672 -1 0",
                    "429 672 32 0",
                    "429 672 0 99",
                    "429 672 0 -1",
                    "429 64 0 0",
                    "429 674 0 0",
                ]);
                w.script.meta_key = Some(numbers);
            }
            2 => {
                let challenge = match w.rng.random_range(0..4) {
                    0 => format!("2 {}", &long[2..]),
                    1 => format!("2 {long}5A"),
                    2 => format!("2 {}ZZ", &long[2..]),
                    _ => format!("2 {} more", long.to_lowercase()),
                };
                w.say(challenge);
            }
            3 => {
                let reply = match w.rng.random_range(0..3) {
                    0 => format!("3 {}", &long[..64]),
                    1 => format!("3 {}", &long[..62]),
                    _ => "3".to_owned(),
                };
                w.say(reply);
            }
            _ => {
                let ack = w.one_of(&[
                    "4 655 1 c more",
                    "4 655 1",
                    "4 655 x c",
                    "4 655 1 zz",
                    "4 http 1 c",
                    "4 0 1 c",
                    "4 655 -5 c",
                ]);
                w.say(ack);
            }
        },
    }
}
