mod properties;

use super::*;
use crate::subnet::SubnetError;

fn parse(line: &str) -> Result<Request, RequestError> {
    Request::parse(line.as_bytes())
}

fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

/// One line of every request, as tincd 1.0.36 prints it.
const LINES: [&str; 17] = [
    "0 alpha 17",
    "0 alpha 17.7",
    "1 429 672 0 0 00FF7A",
    "2 0A0B",
    "3 DEADBEEF",
    "4 655 12 700000c",
    "8",
    "9",
    "10 1f alpha 10.0.0.0/8#10",
    "11 ffffffff alpha fd00:1:2:0:0:0:0:0/48#-7",
    "12 a alpha beta 10.99.10.2 655 c 40",
    "13 0 alpha beta",
    "14 7 alpha",
    "15 alpha beta",
    "16 alpha beta 00AB 427 672 4 0",
    "16 alpha beta 00AB 427 672 4 0 2001:db8::1 655",
    "17 1514",
];

#[test]
fn every_request_prints_byte_for_byte_as_it_came() {
    let mut numbers = Vec::new();
    for line in LINES {
        let request = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(request.to_string(), line);
        assert!(line.starts_with(&request.number().to_string()));
        numbers.push(request.number());
    }
    numbers.dedup();
    assert_eq!(
        numbers,
        [0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]
    );
}

#[test]
fn fields_are_read_into_their_places() {
    assert_eq!(
        parse("1 429 672 3 99 00ff"),
        Ok(Request::MetaKey(MetaKey {
            cipher: 429,
            digest: 672,
            mac_length: 3,
            compression: 99,
            key: vec![0, 0xff],
        }))
    );
    assert_eq!(
        parse("12 a alpha beta some.host tinc 700000c -4"),
        Ok(Request::AddEdge(AddEdge {
            nonce: 10,
            from: name("alpha"),
            to: name("beta"),
            endpoint: Endpoint::parse("some.host", "tinc").unwrap(),
            options: Options(0x0700_000c),
            weight: -4,
        }))
    );
}

#[test]
fn any_white_space_separates_and_more_of_it_changes_nothing() {
    assert_eq!(parse("15 \t a\x0b\x0c  b \r"), parse("15 a b"));
    assert_eq!(parse("  8"), Ok(Request::Ping));
}

#[test]
fn fields_after_the_known_ones_are_ignored() {
    for line in LINES {
        // A single further word of ANS_KEY could be half an address; two would be one.
        if line.starts_with("16 ") {
            continue;
        }
        assert_eq!(parse(&format!("{line} x y z")), parse(line), "{line}");
    }
    let relayed = "16 a b 00 0 0 0 0 192.0.2.1 655";
    assert_eq!(parse(&format!("{relayed} x y")), parse(relayed));
    assert_eq!(
        parse("16 a b 00 0 0 0 0 192.0.2.1"),
        parse("16 a b 00 0 0 0 0")
    );
}

#[test]
fn the_longer_edges_and_shorter_subnets_of_tinc_1_1_are_understood() {
    assert_eq!(
        parse("12 5 n alpha 10.99.10.2 655 c 40 10.99.10.1 655"),
        parse("12 5 n alpha 10.99.10.2 655 c 40")
    );
    for (compact, canonical) in [
        ("10.50.0.1", "10.50.0.1/32#10"),
        ("fd00:1:2::/48#7", "fd00:1:2:0:0:0:0:0/48#7"),
        ("02:00:00:00:00:aa", "2:0:0:0:0:aa#10"),
    ] {
        assert_eq!(
            parse(&format!("10 5 n {compact}")),
            parse(&format!("10 5 n {canonical}"))
        );
    }
}

#[test]
fn the_version_is_its_leading_number() {
    let version = |text: &str| match parse(&format!("0 a {text}")) {
        Ok(Request::Id { version, .. }) => Some((version.major, version.minor)),
        _ => None,
    };
    assert_eq!(version("17"), Some((17, None)));
    assert_eq!(version("17.7"), Some((17, Some(7))));
    assert_eq!(version("17."), Some((17, None)));
    assert_eq!(version("17rubbish"), Some((17, None)));
    assert_eq!(version("17.99999999999"), Some((17, None)));
    assert_eq!(version("x17"), None);
    assert_eq!(version("99999999999"), None);
}

#[test]
fn a_nul_byte_is_an_error_wherever_it_stands() {
    for line in LINES {
        for at in 0..=line.len() {
            let mut bytes = line.as_bytes().to_vec();
            bytes.insert(at, 0);
            assert_eq!(Request::parse(&bytes), Err(RequestError::Nul));
        }
    }
}

#[test]
fn the_longest_line_is_read_and_a_longer_one_refused() {
    let longest = format!("8 {}", "x ".repeat(2000))[..MAX_LINE - 1].to_owned();
    assert_eq!(parse(&longest), Ok(Request::Ping));
    assert_eq!(
        parse(&format!("{longest}x")),
        Err(RequestError::TooLong { found: MAX_LINE })
    );
}

#[test]
fn what_is_beyond_the_longest_word_is_the_next_word() {
    let word = "A0".repeat(MAX_WORD / 2);
    assert_eq!(parse(&format!("2 {word}F")), parse(&format!("2 {word}")));
    let key = "0".repeat(MAX_WORD);
    assert_eq!(
        parse(&format!("16 a b {key}427 672 4 0")),
        parse(&format!("16 a b {key} 427 672 4 0"))
    );
    assert!(parse(&format!("16 a b {key}427 672 4 0")).is_ok());
}

#[test]
fn a_number_is_one_word_however_long_it_is() {
    let zeros = "0".repeat(MAX_WORD);
    for (before, number) in [
        ("", "10 1f a 10.0.0.0/8"),
        ("10 ", "1f a 10.0.0.0/8"),
        ("12 1 a b 192.0.2.1 655 ", "c 5"),
        ("12 1 a b 192.0.2.1 655 c ", "5"),
        ("16 a b 00 ", "427 672 4 0"),
        ("17 ", "100"),
    ] {
        let short = parse(&format!("{before}{number}"));
        assert!(short.is_ok());
        assert_eq!(parse(&format!("{before}{zeros}{number}")), short);
    }
}

#[test]
fn numbers_that_no_request_has_are_refused() {
    for number in [-1, 5, 6, 7, 18, i32::MAX, i32::MIN] {
        assert_eq!(
            parse(&format!("{number} a b c")),
            Err(RequestError::Unknown { number })
        );
    }
    for line in ["", " ", "x", "PING", "8x", "99999999999", "\u{fffd}"] {
        assert_eq!(parse(line), Err(RequestError::NotANumber), "{line:?}");
    }
    assert_eq!(Request::parse(b"\xff8"), Err(RequestError::NotANumber));
}

#[test]
fn no_request_can_do_without_any_of_its_fields() {
    for line in LINES {
        let whole: Vec<&str> = line.split(' ').collect();
        let needed = if whole[0] == "16" { 8 } else { whole.len() };
        for count in 1..needed {
            assert!(
                matches!(
                    parse(&whole[..count].join(" ")),
                    Err(RequestError::Missing { .. })
                ),
                "{count} words of {line}"
            );
        }
    }
}

#[test]
fn a_field_that_is_not_of_its_type_is_named() {
    for (line, field) in [
        ("0 a .17", "version"),
        ("1 x 672 0 0 00", "cipher"),
        ("1 429 672 0 0 0", "key"),
        ("1 429 672 0 0 0G", "key"),
        ("2 ABC", "challenge"),
        ("3 xy", "reply"),
        ("4 655 heavy c", "weight"),
        ("4 655 1 options", "options"),
        ("10 nonce a 10.0.0.0/8", "nonce"),
        ("12 1 a b 192.0.2.1 655 z 5", "options"),
        ("16 a b 00 427 672 four 0", "MAC length"),
        ("17 -1", "length"),
        ("17 2177", "length"),
        ("17 99999999999999999999", "length"),
    ] {
        assert!(
            matches!(parse(line), Err(RequestError::Malformed { field: found, .. }) if found == field),
            "{line}: {:?}",
            parse(line)
        );
    }
    assert_eq!(parse("17 2176"), Ok(Request::Packet { len: 2176 }));
}

#[test]
fn names_subnets_and_edges_are_judged_at_the_door() {
    for line in ["0 a-b 17", "15 a ../b", "14 1 na\u{ef}ve"] {
        assert!(
            matches!(parse(line), Err(RequestError::Name { .. })),
            "{line}"
        );
    }
    for line in ["12 1 a a 192.0.2.1 655 c 5", "13 1 a a"] {
        assert!(
            matches!(parse(line), Err(RequestError::SelfEdge { .. })),
            "{line}"
        );
    }
    assert_eq!(
        parse("10 1 a 10.0.0.0/33"),
        Err(RequestError::Subnet {
            request: "ADD_SUBNET",
            source: SubnetError::Prefix { max: 32 },
        })
    );
}

#[test]
fn only_limits_that_tincd_lacks_are_said_to_be_ours() {
    let long = "n".repeat(251);
    let ours = [
        format!("14 1 {long}"),
        "12 1 a b \x1b[2J 655 c 5".to_owned(),
        "12 1 a b h\u{f6}st 655 c 5".to_owned(),
        "10 1 a 65537.2.3.4".to_owned(),
        "10 1 a 10.0.0.0/8#99999999999".to_owned(),
        "14 12g a".to_owned(),
        format!("14 12{long}"),
        "10 12g 10.0.0.0/8".to_owned(),
        "10 12g a 10.0.0.0/8".to_owned(),
        "4294967306 1f a 10.0.0.0/8".to_owned(),
        "-4294967286 1f a 10.0.0.0/8".to_owned(),
        "10f a 10.0.0.0/8".to_owned(),
        "14-1 a".to_owned(),
        "15a b".to_owned(),
        "4294967312 a b 00 427 672 4 0".to_owned(),
        "13 12g a b".to_owned(),
        "12 1 a b 192.0.2.1 655 0x10 5".to_owned(),
        "12 1 a b 192.0.2.1 655 1-5".to_owned(),
        "10 1 a 10.0.0.0/4294967304".to_owned(),
        "10 1 a 2001:0x10::/48".to_owned(),
        "12 1 a b 192.0.2.1 655 c 5x".to_owned(),
        "12 1 a b 192.0.2.1 655 123456789 5".to_owned(),
        format!("12 1 a b {} 655 c 5", "h".repeat(256)),
        "16 a b 00 427 672 4 99999999999".to_owned(),
    ];
    for line in ours {
        assert!(parse(&line).unwrap_err().is_only_ours(), "{line}");
    }
    for line in [
        "14 1 a-b",
        "99",
        "10 1 a rubbish",
        "13 1 a a",
        "12 1 a b",
        "12 1 a b 192.0.2.1 655 c heavy",
        "12 1 a b 192.0.2.1 655 1x 5",
        "12 1 a b 192.0.2.1 655 -3",
        "14 1.2.3 a",
        "10x 1f a 10.0.0.0/8",
        "15-b",
        "8x",
        "4294967300 655 1 c",
        "4294967313 100",
        "17x 100",
        "10 1 a 10.0.0.0/99999999999",
        "10 1 a 2001:0x::/48",
        "16 a b 00 427x 672 4 0",
        "17 99999999999",
        "17 1x",
    ] {
        assert!(!parse(line).unwrap_err().is_only_ours(), "{line}");
    }
    assert_eq!(
        parse(&format!("14 1 {long}")),
        Err(RequestError::Name {
            request: "KEY_CHANGED",
            source: NameError::TooLong { found: 251 },
        })
    );
}

#[test]
fn the_key_of_ans_key_is_kept_as_it_came_and_never_shown() {
    let Ok(Request::AnsKey(key)) = parse("16 a b 00aBcD 427 672 4 0") else {
        panic!("an ANS_KEY");
    };
    assert_eq!(key.key.bytes().unwrap().as_slice(), [0, 0xab, 0xcd]);
    assert_eq!(
        Request::AnsKey(key.clone()).to_string(),
        "16 a b 00aBcD 427 672 4 0"
    );
    assert!(!format!("{key:?}").to_lowercase().contains("abcd"));
    let Ok(Request::AnsKey(foreign)) = parse("16 a b not-hex/+ 0 0 0 0") else {
        panic!("an ANS_KEY");
    };
    assert_eq!(foreign.key.bytes(), None);
}
