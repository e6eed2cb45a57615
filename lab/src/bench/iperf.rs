//! iperf3, the tool by which throughput is measured.

use std::net::Ipv6Addr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tokio::time::sleep;

use super::search::Trial;
use crate::fabric::{self, CommandSpec, Node};

/// How long a test may take beyond what it was told to, and a flooded control connection with it.
const GRACE: Duration = Duration::from_secs(15);

/// How often a test is begun, at most, while the server does not listen yet or still has another, and the pause.
const ATTEMPTS: u32 = 25;
const PAUSE: Duration = Duration::from_millis(100);

/// A buffer that is large enough for any tunnel, in bytes.
const BUFFER: u32 = 4 << 20;

/// What a TCP test came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tcp {
    /// What arrived, both ways, in Mbit/s.
    pub(super) mbit_s: f64,
    /// What arrived of what the client sent, in GiB.
    pub(super) gib: f64,
}

/// Makes sure that it is there, where nodes look for it.
///
/// # Errors
/// That it is not, and how to get it.
pub(super) fn there() -> Result<()> {
    ensure!(
        fabric::installed("iperf3").is_some(),
        "iperf3 is not installed; ./prepare installs it, and so does apt-get install iperf3"
    );
    Ok(())
}

/// The largest buffer that anybody's socket may ask for here, in bytes. The kernel gives twice as much, and so at least
/// twice the default (socket(7)): what a receiver loses that does not get its turn for a few milliseconds is no loss of
/// the tunnel's. To be asked outside of the lab, whose networks have no such setting.
pub(super) fn most_buffer() -> Option<u32> {
    let most = std::fs::read_to_string("/proc/sys/net/core/rmem_max").ok()?;
    let most: u32 = most.trim().parse().ok()?;
    Some(most.min(BUFFER))
}

/// Starts a server, which stays until the lab goes.
///
/// # Errors
/// When it cannot be started.
pub(super) async fn serve(node: &Node) -> Result<()> {
    let command = CommandSpec::new("iperf3").args(["-s"]);
    node.spawn(command.log_to(node.var_log().join("iperf3.log")))
        .await?;
    Ok(())
}

/// TCP for so many seconds, `more` arguments deciding how many streams and which way.
///
/// # Errors
/// What iperf3 said.
pub(super) async fn tcp(node: &Node, server: Ipv6Addr, seconds: u16, more: &[&str]) -> Result<Tcp> {
    read_tcp(&client(node, server, seconds, more).await?)
}

/// Datagrams of `len` bytes, `rate` of them a second or as many as it can send, into a buffer of twice `buffer` bytes.
///
/// # Errors
/// What iperf3 said.
pub(super) async fn udp(
    node: &Node,
    server: Ipv6Addr,
    seconds: u16,
    (len, buffer): (u16, Option<u32>),
    rate: Option<f64>,
) -> Result<Trial> {
    let bits = rate.map_or(0.0, |rate| rate * f64::from(len) * 8.0);
    let (bits, len) = (format!("{bits:.0}"), len.to_string());
    let mut more = vec!["--udp", "--length", &len, "--bitrate", &bits];
    let buffer = buffer.map(|bytes| bytes.to_string());
    if let Some(bytes) = &buffer {
        more.extend(["--window", bytes]);
    }
    read_udp(&client(node, server, seconds, &more).await?)
}

async fn client(node: &Node, server: Ipv6Addr, seconds: u16, more: &[&str]) -> Result<Vec<u8>> {
    let (server, time) = (server.to_string(), seconds.to_string());
    let mut argv = vec!["iperf3", "--json", "--client", &server, "--time", &time];
    argv.extend(more);
    let limit = Duration::from_secs(seconds.into()) + GRACE;
    let mut attempt = 1;
    loop {
        let output = node.exec_within(&argv, limit).await?;
        match complaint(&output.stdout) {
            None => return Ok(output.stdout),
            Some(why) if attempt < ATTEMPTS && is_passing(&why) => sleep(PAUSE).await,
            Some(why) => bail!("iperf3: {why}"),
        }
        attempt += 1;
    }
}

/// The part of its output that is of interest.
#[derive(Deserialize)]
struct Output {
    error: Option<String>,
    #[serde(default)]
    end: End,
}

#[derive(Default, Deserialize)]
struct End {
    sum_sent: Option<Sum>,
    sum_received: Option<Sum>,
    /// The other direction, if there is one.
    sum_received_bidir_reverse: Option<Sum>,
}

#[derive(Deserialize)]
struct Sum {
    seconds: f64,
    bytes: f64,
    bits_per_second: f64,
    #[serde(default)]
    packets: f64,
    #[serde(default)]
    lost_packets: f64,
}

/// Why a test is none.
fn complaint(json: &[u8]) -> Option<String> {
    match serde_json::from_slice::<Output>(json) {
        Ok(output) => output.error,
        Err(error) => Some(format!(
            "{error} in {:?}",
            String::from_utf8_lossy(json.get(..200).unwrap_or(json))
        )),
    }
}

/// Whether it is worth to try again.
fn is_passing(why: &str) -> bool {
    why.contains("unable to connect") || why.contains("busy")
}

fn read_tcp(json: &[u8]) -> Result<Tcp> {
    let end = serde_json::from_slice::<Output>(json)?.end;
    let there = end.sum_received.context("iperf3 tells no sum_received")?;
    let back = end.sum_received_bidir_reverse;
    let bits = there.bits_per_second + back.map_or(0.0, |back| back.bits_per_second);
    Ok(Tcp {
        mbit_s: bits / 1e6,
        gib: there.bytes / f64::from(1 << 30),
    })
}

fn read_udp(json: &[u8]) -> Result<Trial> {
    let end = serde_json::from_slice::<Output>(json)?.end;
    let sent = end.sum_sent.context("iperf3 tells no sum_sent")?;
    let received = end.sum_received.context("iperf3 tells no sum_received")?;
    ensure!(
        sent.seconds > 0.0 && sent.packets > 0.0,
        "iperf3 has sent nothing"
    );
    // Packets that overtake others were counted as lost before.
    let lost = received.lost_packets.clamp(0.0, received.packets);
    Ok(Trial {
        sent: sent.packets / sent.seconds,
        received: (received.packets - lost) / sent.seconds,
        loss: if received.packets > 0.0 {
            lost / received.packets
        } else {
            1.0
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // The ends of what iperf3 3.12 printed, without streams; in the second, losses were written in.
    const BIDIR: &str = r#"{"start":{},"intervals":[],"end":{
        "sum_sent":{"start":0,"end":1.004818,"seconds":1.004818,"bytes":823132160,
            "bits_per_second":6553482600.829205,"retransmits":123,"sender":true},
        "sum_received":{"start":0,"end":1.016074,"seconds":1.016074,"bytes":815792128,
            "bits_per_second":6423092239.344772,"sender":true},
        "sum_sent_bidir_reverse":{"start":0,"end":1.004818,"seconds":1.004818,"bytes":865075200,
            "bits_per_second":6887418019.979737,"retransmits":156,"sender":false},
        "sum_received_bidir_reverse":{"start":0,"end":1.016074,"seconds":1.016074,"bytes":846069760,
            "bits_per_second":6661481427.533822,"sender":false},
        "sender_tcp_congestion":"bbr","receiver_tcp_congestion":"bbr"}}"#;
    const UDP: &str = r#"{"start":{},"intervals":[],"end":{"streams":[],
        "sum":{"start":0,"end":1.000211,"seconds":1.000211,"bytes":2498400,
            "bits_per_second":19984522.07,"jitter_ms":0.011,
            "lost_packets":20,"packets":2082,"lost_percent":0.96,"sender":true},
        "sum_sent":{"start":0,"end":1.000134,"seconds":1.000134,"bytes":2498400,
            "bits_per_second":19984522.07,"jitter_ms":0,
            "lost_packets":0,"packets":2082,"lost_percent":0,"sender":true},
        "sum_received":{"start":0,"end":1.000211,"seconds":1.000211,"bytes":2498400,
            "bits_per_second":19982983.59,"jitter_ms":0.011,
            "lost_packets":20,"packets":2082,"lost_percent":0.96,"sender":false}}}"#;
    const BUSY: &str = r#"{"start":{"connected":[]},"intervals":[],"end":{},
        "error":"error - the server is busy running a test. try again later"}"#;

    #[test]
    fn both_directions_are_added_and_bytes_are_those_of_the_client() {
        let tcp = read_tcp(BIDIR.as_bytes()).unwrap();
        assert!((tcp.mbit_s - 13_084.57).abs() < 0.01, "{tcp:?}");
        assert!((tcp.gib - 0.7598).abs() < 0.001, "{tcp:?}");
    }

    #[test]
    fn what_was_lost_has_not_arrived() {
        let trial = read_udp(UDP.as_bytes()).unwrap();
        assert!((trial.sent - 2081.7).abs() < 0.1, "{trial:?}");
        assert!((trial.received - 2061.7).abs() < 0.1, "{trial:?}");
        assert!((trial.loss - 0.0096).abs() < 0.0001, "{trial:?}");
    }

    #[test]
    fn an_error_is_told_and_a_busy_server_asked_again() {
        let why = complaint(BUSY.as_bytes()).unwrap();
        assert!(is_passing(&why), "{why}");
        assert_eq!(complaint(UDP.as_bytes()), None);
        assert!(!is_passing(&complaint(b"iperf3: error").unwrap()));
        assert!(read_tcp(BUSY.as_bytes()).is_err());
    }
}
