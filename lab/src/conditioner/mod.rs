//! What a line does to the packets on it: rate, delay, jitter, loss, reordering, duplicates, and being cut.
//!
//! The kernel's own means (netem) is missing from many kernels, so every condition is applied here, by one wire for each
//! direction. A ruleset takes each frame that leaves an interface and hands it to a TAP, from where a thread reads it; the
//! thread puts it back onto the same interface when, and as often as, it is due:
//!
//! ```text
//!  router ──> eth0 ──(egress: fwd)──> TAP ──> thread ──> eth0 (marked: accept) ──> cable
//! ```
//!
//! [`Channel`] decides what becomes of frames and knows neither sockets nor clocks; `Wire` is the thread around one.
//! Neither knows who uses the line.

mod channel;
mod dice;
mod measure;
mod verdict;
mod wire;

use std::fmt;
use std::time::Duration;

use serde::Serialize;

pub use channel::{Channel, Fate};
pub use dice::any_seed;
pub(crate) use measure::{Prober, measure};
pub(crate) use wire::{MARK, Port, Wire, link_address};

/// How long a packet may wait for those before it where nobody says, as home routers are found to do at their best.
/// Ours.
pub const QUEUE: Duration = Duration::from_millis(100);

/// How much later a packet that is reordered comes. Ours: those of the next 10 ms pass it.
pub const LAG: Duration = Duration::from_millis(10);

/// A part of all packets, in millionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Share(pub u32);

/// What a line does to packets in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Conditions {
    /// Bits of Ethernet frames in a second; unlimited if there is none.
    pub rate: Option<u64>,
    /// How long a packet may wait for those before it; what would have to wait longer is lost. Means nothing without a
    /// rate.
    pub queue: Duration,
    /// How long a packet is on its way, one way.
    pub delay: Duration,
    /// How much longer or shorter that may be, evenly distributed. Nothing is overtaken by that.
    pub jitter: Duration,
    /// How much is lost.
    pub loss: Share,
    /// How many in a row are lost, on average, where any are (Gilbert's model); 1 where each is lost for itself.
    pub burst: u32,
    /// How much comes [`LAG`] later than what was sent after it.
    pub reorder: Share,
    /// How much arrives twice.
    pub duplicate: Share,
    /// Whether nothing passes at all.
    pub cut: bool,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            rate: None,
            queue: QUEUE,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: Share::default(),
            burst: 1,
            reorder: Share::default(),
            duplicate: Share::default(),
            cut: false,
        }
    }
}

/// What a line does to packets in both directions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Away from the internet.
    pub down: Conditions,
    /// Towards it.
    pub up: Conditions,
    /// Whether nobody is told that a packet is too long for it.
    pub black_hole: bool,
}

impl Share {
    /// As a part of 1.
    #[must_use]
    pub fn of_one(self) -> f64 {
        f64::from(self.0) / 1e6
    }

    /// From a percentage, which must be from 0 to 100.
    #[must_use]
    pub fn percent(number: f64) -> Option<Self> {
        // Rounded and in range: millionths of 100 % fit.
        let millionths = (number * 1e4).round();
        (0.0..=1e6)
            .contains(&millionths)
            .then_some(Self(millionths as u32))
    }

    /// The largest share that is lost in bursts of so many packets on average, with at least one that passes between two
    /// of them (Gilbert's model); or just not everything, where each is lost for itself.
    #[must_use]
    pub fn most_in_bursts_of(packets: u32) -> Self {
        let packets = u64::from(packets);
        let most = if packets > 1 {
            packets * 1_000_000 / (packets + 1)
        } else {
            999_999
        };
        Self(u32::try_from(most).unwrap_or(999_999))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.0) / 1e4)
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let mut parts = Vec::new();
        if let Some(rate) = self.rate {
            // Shown, not reckoned with.
            let rate = rate as f64 / 1e6;
            parts.push(format!("{rate} Mbit/s, queue {} ms", ms(self.queue)));
        }
        if !self.delay.is_zero() {
            parts.push(format!("{} ms", ms(self.delay)));
        }
        if !self.jitter.is_zero() {
            parts.push(format!("+-{} ms", ms(self.jitter)));
        }
        match self.burst {
            _ if self.loss.0 == 0 => {}
            1 => parts.push(format!("{} lost", self.loss)),
            burst => parts.push(format!("{} lost in bursts of {burst}", self.loss)),
        }
        if self.reorder.0 > 0 {
            parts.push(format!("{} reordered", self.reorder));
        }
        if self.duplicate.0 > 0 {
            parts.push(format!("{} twice", self.duplicate));
        }
        if self.cut {
            parts.push("cut".to_owned());
        }
        if parts.is_empty() {
            parts.push("nothing".to_owned());
        }
        f.write_str(&parts.join(", "))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.down == self.up {
            write!(f, "each way {}", self.down)?;
        } else {
            write!(f, "down {}; up {}", self.down, self.up)?;
        }
        if self.black_hole {
            f.write_str("; too long packets vanish")?;
        }
        Ok(())
    }
}
