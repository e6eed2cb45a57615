//! Wireshark's reading of a file.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What tshark prints of `file`, which is kept under `name` in the build directory.
pub(crate) fn tshark(name: &str, file: &[u8], arguments: &[&str]) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, file).unwrap();
    let output = Command::new("tshark")
        .args(["-n", "-o", "udp.check_checksum:TRUE"])
        .args(arguments)
        .arg("-r")
        .arg(&path)
        .output();
    let output = output.expect("tshark is not there; run ./prepare");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
