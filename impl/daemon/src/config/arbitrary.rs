//! Whatever stands in a file, reading it comes to an end and to a sentence.

use std::path::Path;

use proptest::prelude::*;

use super::syntax::parse;
use super::{ConfigSet, HostFile, ServerConfig};
use crate::testing::TempDir;

/// Variables with a meaning of their own, so that values of all kinds are tried on each.
const VARIABLES: [&str; 24] = [
    "Address",
    "AddressFamily",
    "BindToAddress",
    "Broadcast",
    "Cipher",
    "ClampMSS",
    "Compression",
    "ConnectTo",
    "Device",
    "Digest",
    "Forwarding",
    "KeyExpire",
    "MACLength",
    "MaxTimeout",
    "Mode",
    "Name",
    "PingTimeout",
    "PMTU",
    "Port",
    "ProcessPriority",
    "ReplayWindow",
    "Subnet",
    "UDPRcvBuf",
    "Weight",
];

fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        "[0-9a-f:./#]{1,40}",
        "(yes|no|switch|none|direct|aes-256-cbc|sha256|127.0.0.1 655|\\$HOST|\\$X)",
        "[^\n]{1,60}",
    ]
}

fn lines() -> impl Strategy<Value = String> {
    let assignment = (prop::sample::select(&VARIABLES[..]), values());
    let line = prop_oneof![
        9 => assignment.prop_map(|(variable, value)| format!("{variable} = {value}\n")),
        1 => "[^\n]{0,40}\n",
    ];
    prop::collection::vec(line, 0..6).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_assignments_or_name_the_line_that_is_none(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut found = Vec::new();
        if let Err(error) = parse(&bytes, &Path::new("file").into(), &mut found) {
            prop_assert!(error.to_string().contains(" on line "));
        }
        prop_assert!(found.iter().all(|entry| !entry.value.is_empty()));
    }

    #[test]
    fn any_values_are_a_configuration_or_one_line_about_the_first_that_is_wrong(
        ours in lines(),
        host in lines(),
    ) {
        let dir = TempDir::new();
        dir.write("tinc.conf", &format!("Name = me\nMode = switch\n{ours}"));
        dir.write("hosts/me", &host);
        let layout = dir.layout();
        let Ok(set) = ConfigSet::server(&layout, &[]) else {
            return Ok(());
        };
        if let Err(error) = ServerConfig::read(set, &layout, &[]) {
            let said = error.to_string();
            prop_assert!(!said.is_empty() && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn any_host_file_is_read_or_refused_in_one_line(host in lines(), key in ".{0,200}") {
        let dir = TempDir::new();
        let text = format!("{host}-----BEGIN RSA PUBLIC KEY-----\n{key}\n-----END RSA PUBLIC KEY-----\n");
        dir.write("hosts/peer", &text);
        match HostFile::read(&dir.layout(), &"peer".parse().unwrap(), &[]) {
            Ok(_) => {}
            Err(error) => prop_assert!(!error.to_string().contains('\n'), "{error}"),
        }
    }
}
