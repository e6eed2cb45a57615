//! The kernel cuts what stands for several frames as we do, and cuts what we join into the same
//! again.

#[path = "../../core/tests/offload/given.rs"]
mod given;
mod support;

use std::io::IoSlice;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::poll::{PollFd, PollFlags, poll};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use tun_rs::{DeviceBuilder, Layer, SyncDevice};
use v6router_core::offload::Header;

use given::{cut, given, joined};
use support::alone;
use support::machine::ip;

/// Frames that stand for several, of every kind; each goes through the kernel twice.
const CASES: usize = 200;
/// Milliseconds.
const PATIENCE: u16 = 20_000;

/// A TAP device that is a port of the bridge.
fn port(name: &str, offload: bool) -> SyncDevice {
    let builder = DeviceBuilder::new().layer(Layer::L2).name(name);
    let device = builder.offload(offload).build_sync().unwrap();
    ip(&format!("link set {name} master bridge addrgenmode none"));
    ip(&format!("link set {name} up"));
    device
}

fn write(device: &SyncDevice, header: Header, frame: &[u8]) {
    let header = header.bytes();
    let parts = [IoSlice::new(&header), IoSlice::new(frame)];
    let written = device.send_vectored(&parts).unwrap();
    assert_eq!(written, Header::LEN + frame.len());
}

/// As many frames to one station as come to a device one by one; what interfaces say of their own
/// accord goes to groups.
#[allow(unsafe_code)]
fn read(device: &SyncDevice, count: usize) -> Vec<Vec<u8>> {
    // SAFETY: the descriptor is open as long as the device.
    let fd = unsafe { BorrowedFd::borrow_raw(device.as_raw_fd()) };
    let mut frames = Vec::new();
    while frames.len() < count {
        let mut waiting = [PollFd::new(fd, PollFlags::POLLIN)];
        assert_eq!(poll(&mut waiting, PATIENCE), Ok(1), "a frame is missing");
        let mut frame = vec![0; 2000];
        let len = device.recv(&mut frame).unwrap();
        frame.truncate(len);
        if frame[0] & 1 == 0 {
            frames.push(frame);
        }
    }
    frames
}

fn assert_same(found: &[Vec<u8>], expected: &[Vec<u8>], what: &str) {
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let headers = |frame: &[u8]| {
            frame
                .iter()
                .take(90)
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let both = [headers(found), headers(expected)];
        assert!(found == expected, "{what}, frame {at}: {both:#?}");
    }
}

#[test]
fn the_kernel_cuts_as_we_do_and_cuts_what_we_join_into_the_same_again() {
    alone(
        "the_kernel_cuts_as_we_do_and_cuts_what_we_join_into_the_same_again",
        || {
            ip("link add bridge type bridge mcast_snooping 0");
            ip("link set bridge addrgenmode none up");
            let (near, far) = (port("near", true), port("far", false));
            assert!(near.tcp_gso() && !far.tcp_gso());
            let mut runner = TestRunner::deterministic();
            for case in 0..CASES {
                let given = given().new_tree(&mut runner).unwrap().current();
                let udp = given.kind == v6router_core::offload::Kind::Udp;
                if udp && !near.udp_gso() {
                    continue;
                }
                let (header, frame) = given.frame();
                let expected = cut(header, &frame);
                write(&near, header, &frame);
                let found = read(&far, expected.len());
                assert_same(
                    &found,
                    &expected,
                    &format!("case {case}, cut by the kernel"),
                );
                for (header, frame) in joined(&expected) {
                    write(&near, header, &frame);
                }
                let found = read(&far, expected.len());
                assert_same(&found, &expected, &format!("case {case}, joined by us"));
            }
        },
    );
}
