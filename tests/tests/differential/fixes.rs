//! Where ours differs from tincd 1.0 on purpose. A difference that no entry here explains is a defect.

use crate::outcome::Difference;
use crate::script::Script;

/// A documented difference.
pub(crate) struct Fix {
    /// What it is called, and why it is so.
    pub(crate) name: &'static str,
    /// Whether a line of a script, in words, can bring it about.
    cause: fn(&[&str]) -> bool,
    /// Whether a difference looks like it.
    effect: fn(&Difference) -> bool,
}

impl Fix {
    /// Whether it explains a difference that came of a script.
    pub(crate) fn explains(&self, script: &Script, difference: &Difference) -> bool {
        let says = script.says.iter().map(|said| {
            let line = String::from_utf8_lossy(said);
            line.lines().next().unwrap_or_default().to_owned()
        });
        let meta_key = script.meta_key.map(|numbers| format!("1 {numbers}"));
        let caused = says
            .chain(meta_key)
            .any(|line| (self.cause)(&line.split_whitespace().collect::<Vec<_>>()));
        caused && (self.effect)(difference)
    }
}

/// Those that can show in a script.
pub(crate) fn of(script: &Script) -> &'static [Fix] {
    match script.in_handshake {
        Some(_) => IN_HANDSHAKE,
        None => ONCE_ACTIVE,
    }
}

const IN_HANDSHAKE: &[Fix] = &[
    // The reference takes a block cipher for the meta connection, whose last bytes then wait for more, and whose lines
    // never end: it hangs until the time-out. Ours says so at once.
    Fix {
        name: "a meta connection wants a stream cipher",
        cause: |words| matches!(words, ["1", "427", ..]),
        effect: |found| found.what == "answered" && found.ours.is_empty(),
    },
];

const ONCE_ACTIVE: &[Fix] = &[
    // The reference dies of SIGABRT when a node can be reached whose only address is a name, so that any authenticated
    // neighbour can end every daemon of a mesh.
    Fix {
        name: "names as addresses end no daemon",
        cause: |words| matches!(words, ["12", _, _, _, host, ..] if !is_numeric(host)),
        effect: Difference::reference_died,
    },
    // The reference begins the handshake anew in the middle of a connection, and dies when ACK comes twice.
    Fix {
        name: "no handshake once active",
        cause: |words| matches!(words, ["0" | "1" | "2" | "3" | "4", ..]),
        effect: |found| {
            found.reference_died()
                || found.ours_gave_up()
                || (found.what == "answered" && found.ours.is_empty())
        },
    },
    // The reference reads `8x` and 2^32 + 8 as 8. No daemon says such things; somebody who does is not one.
    Fix {
        name: "numbers of requests are numbers",
        cause: |words| {
            words
                .first()
                .is_some_and(|word| word.parse::<u8>().is_err() && !is_misread_request(word))
        },
        effect: Difference::ours_gave_up,
    },
    // The reference reads what it can of a number and loses bits of one that is too large. Ours does not guess, and
    // does not close either: an honest neighbour passes such lines on.
    Fix {
        name: "lines with misread numbers are ignored",
        cause: |words| match words {
            ["10" | "11", nonce, ..] if is_cut(nonce) => true,
            ["10" | "11", _, _, subnet, ..] => subnet.split(['.', ':', '/', '#']).any(is_misread),
            ["12", _, _, _, _, port, options, weight, ..] => {
                port.parse::<u16>().is_err()
                    || u32::from_str_radix(options, 16).is_err()
                    || weight.parse::<i32>().is_err()
            }
            [number, ..] => is_misread_request(number),
            [] => false,
        },
        effect: |found| ["forwarded", "known"].contains(&found.what) && found.ours.is_empty(),
    },
    // What the reference leaves of a nonce, it takes for the next field; whether the line is one after all, the end of
    // it tells. Some such lines pass, so that ours closes for none.
    Fix {
        name: "fields behind a cut nonce are not read",
        cause: |words| matches!(words, ["10" | "11" | "12" | "13" | "14", nonce, ..] if is_cut(nonce)),
        effect: |found| found.ends == ["nothing", "connection"],
    },
    // The reference resolves `http` to 80 and knows its own interfaces in `fe80::1%eth0`; both may mean something else
    // to whoever said it.
    Fix {
        name: "services and scopes stay text",
        cause: |words| {
            matches!(words, ["12", _, _, _, host, port, ..]
                if host.contains('%') || !is_port(port))
        },
        effect: |found| {
            found.what == "known"
                && found
                    .both()
                    .all(|line| line.starts_with("edge ") || line.starts_with("node "))
        },
    },
    // The reference takes any text as the place to send datagrams to.
    Fix {
        name: "reflexive addresses are numeric",
        cause: |words| matches!(words, ["16", _, _, _, _, _, _, _, host, ..] if !is_numeric(host)),
        effect: Difference::only_moves_nodes,
    },
    // The reference searches the graph after every line, and keeps the first address that it finds; ours searches once
    // for the lines that came together, and finds the last.
    Fix {
        name: "lines that come together are one change",
        cause: |words| matches!(words, ["12", ..]),
        effect: Difference::only_moves_nodes,
    },
    // The reference passes on that its own keys are void, whoever says so, and keeps them.
    Fix {
        name: "nobody else revokes our keys",
        cause: |words| matches!(words, ["14", _, "subject", ..]),
        effect: |found| {
            found.what == "forwarded"
                && found.ours.is_empty()
                && found
                    .theirs
                    .iter()
                    .all(|line| line.starts_with("14 ") && line.contains(" subject"))
        },
    },
    // A frame of EtherType 0 is a probe, which somebody without a key has sent by TCP; the reference hands it on like
    // any other.
    Fix {
        name: "probes by TCP go nowhere",
        cause: |words| matches!(words, ["17", ..]),
        effect: |found| {
            found.what == "forwarded"
                && found.ours.is_empty()
                && found.theirs.iter().all(|line| is_probe(line))
        },
    },
];

/// Whether a frame, as heard, has EtherType 0.
fn is_probe(line: &str) -> bool {
    let mut words = line.split(' ');
    words.next() == Some("17")
        && words
            .nth(1)
            .is_some_and(|hex| hex.get(24..28) == Some("0000"))
}

/// A word that is no number, but for the reference that of a request which is passed on as it came.
fn is_misread_request(word: &str) -> bool {
    let end = word.find(|c: char| !c.is_ascii_digit());
    let digits = &word[..end.unwrap_or(word.len())];
    let read = digits.parse::<u64>().unwrap_or(0) % (1 << 32);
    word.parse::<u8>().is_err() && (10..=16).contains(&read)
}

/// A nonce that ends before its word does.
fn is_cut(nonce: &str) -> bool {
    nonce.bytes().any(|byte| !byte.is_ascii_hexdigit())
}

/// A group of an address with a sign, with `0x`, or with more digits than it has room for.
fn is_misread(group: &str) -> bool {
    group.starts_with(['+', '-']) || group.starts_with("0x") || group.len() > 4
}

/// A number that the reference neither resolves nor reduces.
fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

fn is_numeric(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok()
}

impl Difference {
    /// The reference died, and with it all that it could have told.
    fn reference_died(&self) -> bool {
        self.ends[1] == "daemon" && (self.what == "ended" || self.theirs.is_empty())
    }

    /// Ours gave the connection up and the reference did not, with all that follows.
    fn ours_gave_up(&self) -> bool {
        self.ends == ["connection", "nothing"]
    }

    /// The lines of both.
    fn both(&self) -> impl Iterator<Item = &String> {
        self.ours.iter().chain(&self.theirs)
    }

    /// The same nodes are known, at other addresses.
    fn only_moves_nodes(&self) -> bool {
        let placeless = |lines: &[String]| -> Vec<String> {
            let lines = lines.iter().map(|line| {
                let (before, after) = line.split_once(" at ").unwrap_or((line, ""));
                let after = after
                    .split_once(" options ")
                    .map_or(after, |(_, after)| after);
                format!("{before} {after}")
            });
            lines.collect()
        };
        self.what == "known"
            && self.both().all(|line| line.starts_with("node "))
            && placeless(&self.ours) == placeless(&self.theirs)
    }
}
