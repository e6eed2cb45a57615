//! What a machine's kernel knows of its network, in the words of `ip`, for comparing before with after.

use super::{ObserveError, Result};
use crate::fabric::Node;

/// The commands whose answers make up the state, the first three being those an administrator would compare.
const ASKED: [&[&str]; 7] = [
    &["ip", "-6", "route"],
    &["ip", "addr"],
    &["ip", "link"],
    &["ip", "-4", "route"],
    &["ip", "-6", "route", "show", "table", "local"],
    &["ip", "-6", "route", "show", "table", "all"],
    &["ip", "-6", "rule"],
];

/// Whether the kernel forwards, and whether it heeds advertisements.
const SETTINGS: [&str; 4] = [
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/net/ipv6/conf/all/forwarding",
    "/proc/sys/net/ipv6/conf/default/forwarding",
    "/proc/sys/net/ipv6/conf/eth0/accept_ra",
];

/// Links, addresses, routes and settings of one machine, without what changes by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelState {
    lines: Vec<String>,
}

/// Asks the kernel of `node`.
///
/// # Errors
/// When `ip` is missing or fails there.
pub async fn kernel_state(node: &Node) -> Result<KernelState> {
    let mut lines = Vec::new();
    for command in ASKED {
        let output = node.exec(command).await?;
        if !output.status.success() {
            return Err(ObserveError::Tool {
                node: node.name().to_owned(),
                command: command.join(" "),
                reason: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            });
        }
        lines.extend(normalised(
            &command.join(" "),
            &String::from_utf8_lossy(&output.stdout),
        ));
    }
    for setting in SETTINGS {
        // A machine need not have an `eth0`.
        if let Ok(value) = node.read_file(setting).await {
            lines.push(format!(
                "{setting}: {}",
                String::from_utf8_lossy(&value).trim()
            ));
        }
    }
    Ok(KernelState { lines })
}

impl KernelState {
    /// What `later` lacks (`-`) and has more (`+`), a line each; empty when both are the same.
    #[must_use]
    pub fn changes(&self, later: &Self) -> Vec<String> {
        let lost = self.lines.iter().filter(|line| !later.lines.contains(line));
        let gained = later.lines.iter().filter(|line| !self.lines.contains(line));
        lost.map(|line| format!("- {line}"))
            .chain(gained.map(|line| format!("+ {line}")))
            .collect()
    }
}

/// One line for each thing told, sorted, with the command in front and without counters of time.
fn normalised(command: &str, answer: &str) -> Vec<String> {
    let mut things: Vec<String> = Vec::new();
    for line in answer.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let text = without_lifetimes(&words).join(" ");
        // What `ip` indents belongs to the interface above.
        match things.last_mut().filter(|_| line.starts_with(' ')) {
            Some(interface) => {
                interface.push(' ');
                interface.push_str(&text);
            }
            None => things.push(text),
        }
    }
    things.sort();
    things
        .into_iter()
        .map(|thing| format!("{command}: {thing}"))
        .collect()
}

/// Drops words that count seconds, together with their value.
fn without_lifetimes<'a>(words: &[&'a str]) -> Vec<&'a str> {
    const COUNTERS: [&str; 3] = ["valid_lft", "preferred_lft", "expires"];
    let mut kept = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if COUNTERS.contains(word) {
            rest.next();
        } else {
            kept.push(*word);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(text: &str) -> KernelState {
        KernelState {
            lines: normalised("ip addr", text),
        }
    }

    #[test]
    fn the_passing_of_time_is_no_change() {
        let before = state(
            "2: eth0: <UP>\n    inet6 fe80::1/64\n       valid_lft 86sec preferred_lft 16sec",
        );
        let after = state(
            "2: eth0: <UP>\n    inet6 fe80::1/64\n       valid_lft 85sec preferred_lft 15sec",
        );
        assert_eq!(before, after);
    }

    #[test]
    fn a_change_names_the_command_and_the_thing() {
        let before = state("1: lo: <UP>\n    inet6 ::1/128");
        let after = state("1: lo: <UP>\n    inet6 ::1/128\n2: tap0: <>");
        assert_eq!(before.changes(&after), ["+ ip addr: 2: tap0: <>"]);
        assert_eq!(after.changes(&before), ["- ip addr: 2: tap0: <>"]);
        assert_eq!(before.changes(&before), Vec::<String>::new());
    }

    #[test]
    fn the_order_of_routes_does_not_matter() {
        assert_eq!(state("a dev x\nb dev y"), state("b dev y\na dev x"));
    }
}
