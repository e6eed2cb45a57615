//! What a daemon says of the nodes it knows: on `SIGUSR2` for tinc 1.0 and ours, on request for tinc 1.1.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};
use v6lab::actors::{Daemon, NETNAME, Product};
use v6lab::fabric::Node;

/// How long a daemon may take to tell, on a busy machine.
const LIMIT: Duration = Duration::from_secs(10);

/// The last line of a whole dump.
const END: &str = "End of subnet list.";

/// The bit of the status word of a node that can be reached (tinc 1.0).
const REACHABLE: u32 = 0x10;

/// What is told of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeState {
    /// Whether it can be reached.
    pub reachable: bool,
    /// The length up to which frames are known to arrive by UDP; 0 while nothing is known.
    pub min_mtu: u32,
    /// By what packets for it are sealed: cipher, digest, length of the MAC, compression.
    pub sealing: [u32; 4],
    /// Where it is: address and port, or `MYSELF`.
    pub at: String,
    /// Its options, in hexadecimal.
    pub options: String,
    /// By which neighbour requests for it go.
    pub nexthop: String,
    /// To whom its packets go by UDP.
    pub via: String,
}

/// Nodes by name, edges and subnets as printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dump {
    /// The nodes.
    pub nodes: BTreeMap<String, NodeState>,
    /// Lines of edges.
    pub edges: Vec<String>,
    /// Lines of subnets.
    pub subnets: Vec<String>,
}

/// Asks the daemon that runs on `node`.
///
/// # Errors
/// When it does not tell in time, or in other words than known.
pub async fn ask(node: &Node, daemon: &Daemon) -> anyhow::Result<Dump> {
    if daemon.product() == Product::Tinc11 {
        return ask_tinc11(node).await;
    }
    let before = daemon.words().await?.len();
    daemon.signal(Signal::SIGUSR2)?;
    let deadline = Instant::now() + LIMIT;
    loop {
        let words = daemon.words().await?;
        let new = words.get(before..).unwrap_or_default();
        if new.contains(END) {
            return parse(new);
        }
        ensure!(Instant::now() < deadline, "no dump came on SIGUSR2");
        sleep(Duration::from_millis(5)).await;
    }
}

async fn ask_tinc11(node: &Node) -> anyhow::Result<Dump> {
    let command = format!("LD_LIBRARY_PATH=/run/v6lab/bin tinc -n {NETNAME} dump nodes");
    let output = node.exec(&["sh", "-c", &command]).await?;
    let told = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "`{command}`: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(Dump {
        nodes: told.lines().map(node_line).collect::<anyhow::Result<_>>()?,
        ..Dump::default()
    })
}

fn parse(words: &str) -> anyhow::Result<Dump> {
    let mut dump = Dump::default();
    let mut section = "";
    for line in words.lines() {
        match line {
            "Nodes:" | "Edges:" | "Subnet list:" => section = line,
            _ if line.starts_with("End of ") => section = "",
            _ => match section {
                "Nodes:" => {
                    let (name, state) = node_line(line)?;
                    dump.nodes.insert(name, state);
                }
                "Edges:" => dump.edges.push(line.trim().to_owned()),
                "Subnet list:" => dump.subnets.push(line.trim().to_owned()),
                _ => {}
            },
        }
    }
    Ok(dump)
}

fn node_line(line: &str) -> anyhow::Result<(String, NodeState)> {
    let odd = || format!("{line:?} does not tell of a node");
    let words: Vec<&str> = line.split_whitespace().collect();
    let after = |word: &str| {
        let at = words.iter().position(|found| *found == word)?;
        words.get(at + 1).copied()
    };
    let status = after("status").with_context(odd)?;
    let status = u32::from_str_radix(status, 16).with_context(odd)?;
    let number = |word: &str| -> anyhow::Result<u32> {
        after(word).with_context(odd)?.parse().with_context(odd)
    };
    let at: Vec<&str> = words
        .iter()
        .skip_while(|word| **word != "at")
        .skip(1)
        .copied()
        .collect();
    let at = at.iter().take_while(|word| **word != "cipher");
    let word = |word: &str| Ok::<_, anyhow::Error>(after(word).with_context(odd)?.to_owned());
    let state = NodeState {
        at: at.copied().collect::<Vec<_>>().join(" "),
        options: word("options")?,
        nexthop: word("nexthop")?,
        via: word("via")?,
        reachable: status & REACHABLE != 0,
        min_mtu: number("(min")?,
        sealing: [
            number("cipher")?,
            number("digest")?,
            number("maclength")?,
            number("compression")?,
        ],
    };
    Ok((words.first().with_context(odd)?.to_string(), state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_among_other_words_is_read() {
        let dump = parse(
            "Got USR2\nNodes:\n a at 192.0.2.1 port 655 cipher 427 digest 672 maclength 4 compression 0 options c \
             status 001a nexthop a via a pmtu 1451 (min 1451 max 1451)\nEnd of nodes.\nEdges:\n a to b at x\n\
             End of edges.\nSubnet list:\n 10.0.0.0/8#10 owner a\nEnd of subnet list.\n",
        )
        .unwrap();
        let state = &dump.nodes["a"];
        assert_eq!((state.reachable, state.min_mtu), (true, 1451));
        assert_eq!(state.sealing, [427, 672, 4, 0]);
        assert_eq!(state.at, "192.0.2.1 port 655");
        assert_eq!(dump.edges, ["a to b at x"]);
        assert_eq!(dump.subnets, ["10.0.0.0/8#10 owner a"]);
    }
}
