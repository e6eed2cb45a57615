//! What has passed on the interfaces of a machine, as its kernel counts.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use serde::Serialize;

/// What an interface has received and sent, in bytes and packets. Offloads may make one packet of many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Bytes received.
    pub received: u64,
    /// Packets received.
    pub received_packets: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Packets sent.
    pub sent_packets: u64,
}

/// The interfaces of the machine to which the thread `tid` belongs, by name, seen from within the same session.
///
/// # Errors
/// When the thread is gone.
pub fn traffic(tid: i32) -> io::Result<BTreeMap<String, Traffic>> {
    Ok(parsed(&fs::read_to_string(format!("/proc/{tid}/net/dev"))?))
}

/// `/proc/net/dev`, see proc_pid_net(5): two lines of headings; a name, a colon, eight numbers for what was received, eight
/// for what was sent, of either first bytes and then packets.
fn parsed(text: &str) -> BTreeMap<String, Traffic> {
    let line = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let numbers: Vec<u64> = numbers
            .split_whitespace()
            .map_while(|number| number.parse().ok())
            .collect();
        let traffic = Traffic {
            received: *numbers.first()?,
            received_packets: *numbers.get(1)?,
            sent: *numbers.get(8)?,
            sent_packets: *numbers.get(9)?,
        };
        Some((name.trim().to_owned(), traffic))
    };
    text.lines().skip(2).filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_read_as_the_kernel_prints_them() {
        let text = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  wan0:1234567     890    0    0    0     0          0         0     4321      21    0    0    0     0       0          0
";
        let wan = Traffic {
            received: 1_234_567,
            received_packets: 890,
            sent: 4321,
            sent_packets: 21,
        };
        let all = parsed(text);
        assert_eq!(all.len(), 2);
        assert_eq!(all.get("wan0"), Some(&wan));
    }

    #[test]
    fn what_is_cut_off_is_left_out() {
        assert_eq!(parsed("a\nb\neth0: 1 2 3"), BTreeMap::new());
    }
}
