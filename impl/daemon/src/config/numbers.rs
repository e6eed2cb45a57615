//! Numbers of the configuration: defaults, limits and units (tinc manual unless marked).

use std::time::Duration;

use v6router_core::constants::MTU;
use v6router_core::tunnel::replay::MAX_WINDOW;

use super::values::{BadValue, Reader};

const PING_INTERVAL: i32 = 60;
const PING_TIMEOUT: i32 = 5;
const KEY_EXPIRE: i32 = 3600;
const MAC_EXPIRE: i32 = 600;
/// Ours: with tinc's, who logs in at a portal after hours may be outside for another quarter of an hour.
const MAX_TIMEOUT: i32 = 60;
/// Up to where `MinTimeout` may be without a `MaxTimeout`: tinc's default of that.
const MOST_TIMEOUT: i32 = 900;
/// Bytes; a byte stands for eight packets.
const REPLAY_WINDOW: usize = 16;
/// Bytes that wait on a connection before packets are dropped (tinc 1.0: ten frames).
const MAX_OUTPUT_BUFFER: usize = 10 * MTU;
/// What tincd takes for a `PingInterval` below 1, seconds.
const PING_NEVER: i32 = 86_400;
const MAX_REPLAY_WINDOW: i32 = MAX_WINDOW as i32;
/// Ours: smallest `PMTU`, the least that IPv4 works with.
const MIN_PMTU: i32 = 576;

/// Timers and sizes of our own configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
    pub(crate) key_expire: Duration,
    pub(crate) mac_expire: Duration,
    pub(crate) min_timeout: Duration,
    pub(crate) max_timeout: Duration,
    /// Bytes.
    pub(crate) replay_window: usize,
    /// Bytes.
    pub(crate) max_output_buffer: usize,
    /// Frame length in bytes.
    pub(crate) pmtu: Option<u16>,
    /// Bytes.
    pub(crate) udp_receive_buffer: Option<usize>,
    /// Bytes.
    pub(crate) udp_send_buffer: Option<usize>,
}

impl Numbers {
    /// Reads them all.
    ///
    /// # Errors
    /// At the first that is out of a range tincd insists on.
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, BadValue> {
        let (ping_interval, ping_timeout) = pings(r);
        let (min_timeout, max_timeout) = timeouts(r)?;
        Ok(Self {
            ping_interval,
            ping_timeout,
            key_expire: life(r, "KeyExpire", KEY_EXPIRE),
            mac_expire: life(r, "MACExpire", MAC_EXPIRE),
            min_timeout,
            max_timeout,
            replay_window: size(r, "ReplayWindow", 0, MAX_REPLAY_WINDOW)?.unwrap_or(REPLAY_WINDOW),
            max_output_buffer: size(r, "MaxOutputBufferSize", 1, i32::MAX)?
                .unwrap_or(MAX_OUTPUT_BUFFER),
            pmtu: pmtu(r),
            udp_receive_buffer: size(r, "UDPRcvBuf", 1, i32::MAX)?,
            udp_send_buffer: size(r, "UDPSndBuf", 1, i32::MAX)?,
        })
    }
}

/// `PMTU` of our own or of a peer's set, as a frame length in bytes.
pub(super) fn pmtu(r: &mut Reader<'_>) -> Option<u16> {
    let given = r.integer("PMTU")?;
    if given < MIN_PMTU
        && let Some(entry) = r.text("PMTU")
    {
        r.complain(entry, format_args!("at least {MIN_PMTU} expected; ignored"));
        return None;
    }
    // Beyond any frame: as good as no bound.
    u16::try_from(given).ok()
}

fn pings(r: &mut Reader<'_>) -> (Duration, Duration) {
    let interval = match r.integer("PingInterval").unwrap_or(PING_INTERVAL) {
        given if given < 1 => PING_NEVER,
        given => given,
    };
    let timeout = match r.integer("PingTimeout").unwrap_or(PING_TIMEOUT) {
        given if given < 1 || given > interval => interval,
        given => given,
    };
    (seconds(interval), seconds(timeout))
}

fn timeouts(r: &mut Reader<'_>) -> Result<(Duration, Duration), BadValue> {
    let max = in_range(r, "MaxTimeout", 1, i32::MAX)?;
    let min = in_range(r, "MinTimeout", 0, i32::MAX)?.unwrap_or(0);
    let max = max.unwrap_or_else(|| min.clamp(MAX_TIMEOUT, MOST_TIMEOUT));
    if min > max
        && let Some(entry) = r.text("MinTimeout")
    {
        r.complain(entry, format_args!("reduced to MaxTimeout, {max}"));
    }
    Ok((seconds(min.min(max)), seconds(max)))
}

/// The life of something, at least a second.
fn life(r: &mut Reader<'_>, key: &str, default: i32) -> Duration {
    let given = r.integer(key).unwrap_or(default);
    if given < 1
        && let Some(entry) = r.text(key)
    {
        r.complain(
            entry,
            format_args!("at least 1 expected; the default, {default}, stays"),
        );
        return seconds(default);
    }
    seconds(given)
}

fn size(r: &mut Reader<'_>, key: &str, least: i32, most: i32) -> Result<Option<usize>, BadValue> {
    Ok(in_range(r, key, least, most)?.and_then(|number| usize::try_from(number).ok()))
}

fn in_range(r: &mut Reader<'_>, key: &str, least: i32, most: i32) -> Result<Option<i32>, BadValue> {
    let (Some(number), Some(entry)) = (r.integer(key), r.text(key)) else {
        return Ok(None);
    };
    match number {
        _ if (least..=most).contains(&number) => Ok(Some(number)),
        _ if most == i32::MAX => Err(BadValue::new(entry, format!("at least {least} expected"))),
        _ => Err(BadValue::new(entry, format!("{least} to {most} expected"))),
    }
}

/// Of a number known not to be negative.
fn seconds(count: i32) -> Duration {
    Duration::from_secs(u64::from(count.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::super::set::ConfigSet;
    use super::*;

    fn read(text: &str) -> (Result<Numbers, BadValue>, Vec<BadValue>) {
        let set = ConfigSet::from_text(text);
        let mut reader = Reader::new(&set);
        let numbers = Numbers::read(&mut reader);
        (numbers, reader.into_complaints())
    }

    #[test]
    fn without_a_word_the_defaults_hold() {
        let numbers = read("").0.unwrap();
        assert_eq!(numbers.ping_interval, Duration::from_secs(60));
        assert_eq!(numbers.ping_timeout, Duration::from_secs(5));
        assert_eq!(numbers.key_expire, Duration::from_secs(3600));
        assert_eq!(numbers.max_timeout, Duration::from_secs(60));
        assert_eq!(numbers.replay_window, 16);
        assert_eq!(numbers.max_output_buffer, 15_180);
    }

    #[test]
    fn a_ping_timeout_never_exceeds_the_interval() {
        for (text, interval, timeout) in [
            ("PingInterval = 3\n", 3, 3),
            ("PingInterval = 0\nPingTimeout = 7\n", 86_400, 7),
            ("PingTimeout = 0\n", 60, 60),
            ("PingTimeout = 61\n", 60, 60),
        ] {
            let numbers = read(text).0.unwrap();
            let got = (
                numbers.ping_interval.as_secs(),
                numbers.ping_timeout.as_secs(),
            );
            assert_eq!(got, (interval, timeout), "{text:?}");
        }
    }

    #[test]
    fn impossible_limits_end_the_start() {
        for bad in [
            "MaxTimeout = 0",
            "MinTimeout = -1",
            "ReplayWindow = -1",
            "UDPRcvBuf = 0",
        ] {
            let text = read(bad).0.unwrap_err().to_string();
            assert!(
                text.starts_with(&format!("tinc.conf line 1: {bad}: ")),
                "{text}"
            );
        }
    }

    #[test]
    fn the_longest_wait_is_no_shorter_than_the_shortest() {
        for (text, min, max) in [
            ("MinTimeout = 300", 300, 300),
            ("MinTimeout = 30", 30, 60),
            ("MinTimeout = 300\nMaxTimeout = 200", 200, 200),
        ] {
            let numbers = read(text).0.unwrap();
            let waits = (numbers.min_timeout, numbers.max_timeout);
            assert_eq!(waits, (seconds(min), seconds(max)), "{text}");
        }
    }

    #[test]
    fn questionable_numbers_get_a_complaint() {
        for bad in [
            "MinTimeout = 901",
            "KeyExpire = 0",
            "MACExpire = -5",
            "PMTU = 60",
        ] {
            let (numbers, complaints) = read(bad);
            assert!(numbers.is_ok());
            assert_eq!(complaints.len(), 1, "{bad}");
        }
    }
}
