//! What the scripts of a network do, as far as it can be read from them.
//!
//! A command that is not understood is noted as such: it may have done whatever is missing.

mod ip;
mod net_tools;
mod settings;
mod shell;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use v6router_core::router::Prefix;

pub(crate) use shell::Variables;
use shell::{Command, Word};

/// What one command of a script does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Act {
    /// Where it stands, counted from 1.
    pub(crate) line: usize,
    /// The command as it comes to be run.
    pub(crate) shown: String,
    /// It is done under a condition, or more than once.
    pub(crate) conditional: bool,
    pub(crate) deed: Deed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    Up(Device),
    Address {
        device: Device,
        address: IpAddr,
        /// To whom the kernel makes a route with it, IPv4 as in `::ffff:0:0/96`; `None`: to nobody.
        link: Option<Prefix>,
    },
    Route(Route),
    /// An interface becomes a port of a bridge.
    Port(Device),
    /// A kernel setting, `net.ipv6.conf.all.forwarding`, in force at once or on paper only.
    Setting {
        key: String,
        /// `None`: only a run could tell.
        value: Option<String>,
        /// The file it was written to, if it is not in force.
        kept_in: Option<String>,
    },
    /// Settings on paper come into force.
    Load,
    /// Something is written that may be a setting: where, only a run could tell.
    PerhapsSetting,
    /// A command that lacks its interface.
    NoInterface(Missing),
    /// Nobody knows.
    Unknown,
}

/// Why a command has no interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    /// There is nothing in its place.
    Empty,
    /// The variable is written so that nobody expands it.
    Unexpanded,
    /// A variable that nobody sets.
    Unset(String),
}

/// An interface as a command names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Device {
    Named(String),
    /// The command lacks it; what it says beside that can be judged all the same.
    Lost,
    /// Only a run could tell.
    Uncertain,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// IPv4 as in `::ffff:0:0/96` (RFC 4291 section 2.5.5.2).
    pub(crate) to: Prefix,
    /// As written.
    pub(crate) shown: String,
    pub(crate) way: Way,
    /// Replaces what was there, or may stand beside it.
    pub(crate) repeatable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// To a device, or through a gateway, or both.
    Through {
        gateway: Option<IpAddr>,
        device: Option<Device>,
        /// The gateway is taken to be on link whatever the addresses say.
        on_link: bool,
    },
    /// Unreachable, prohibited, thrown away.
    Refused,
    /// Something of it only a run could tell.
    Uncertain,
}

impl Route {
    /// Whether it is for everything that has no other route: `default`, `::/0`, or all global unicast addresses.
    pub(crate) fn is_default(&self) -> bool {
        self.to == Prefix::ALL
            || self.to == mapped(IpAddr::from([0, 0, 0, 0]), 0)
            || self.to == prefix(GLOBAL)
    }
}

/// What IANA has assigned as global unicast addresses.
const GLOBAL: (u16, u8) = (0x2000, 3);

fn prefix((first, len): (u16, u8)) -> Prefix {
    Prefix::of(IpAddr::from([first, 0, 0, 0, 0, 0, 0, 0]).to_v6(), len)
}

/// A prefix of either family; IPv4 as in `::ffff:0:0/96`.
pub(crate) fn mapped(address: IpAddr, len: u8) -> Prefix {
    match address {
        IpAddr::V4(_) => Prefix::of(address.to_v6(), len.saturating_add(96)),
        IpAddr::V6(address) => Prefix::of(address, len),
    }
}

/// The prefix as somebody would write it: the other way from [`mapped`].
pub(crate) fn written(prefix: Prefix) -> String {
    let v4 = prefix.network().to_ipv4_mapped();
    match v4.zip(prefix.len().checked_sub(96)) {
        Some((network, len)) => format!("{network}/{len}"),
        None => prefix.to_string(),
    }
}

/// An address as the form that [`Prefix`] knows.
pub(crate) trait ToV6 {
    fn to_v6(self) -> std::net::Ipv6Addr;
}

impl ToV6 for IpAddr {
    fn to_v6(self) -> std::net::Ipv6Addr {
        match self {
            Self::V4(address) => address.to_ipv6_mapped(),
            Self::V6(address) => address,
        }
    }
}

/// Reads a script whose environment is `variables`.
pub(crate) fn read(text: &str, variables: Variables) -> Vec<Act> {
    let mut acts = Vec::new();
    let mut said = None;
    for command in shell::read(text, variables) {
        let deeds = settings::written(&command, said.as_deref()).unwrap_or_else(|| deeds(&command));
        said = settings::said(&command);
        let shown = shown(&command);
        acts.extend(deeds.into_iter().map(|deed| Act {
            line: command.line,
            shown: shown.clone(),
            conditional: command.conditional,
            deed,
        }));
    }
    acts
}

fn shown(command: &Command) -> String {
    let words = command.words.iter().map(|word| match word.uncertain {
        true if word.text.is_empty() => "...",
        _ => &word.text,
    });
    let mut shown = words.collect::<Vec<_>>().join(" ");
    for word in &command.writes {
        shown.push_str(if word.appends { " >> " } else { " > " });
        shown.push_str(&word.text);
    }
    shown
}

fn deeds(command: &Command) -> Vec<Deed> {
    let Some((name, arguments)) = command.words.split_first() else {
        return Vec::new();
    };
    if name.uncertain {
        return vec![Deed::Unknown];
    }
    let name = name.text.rsplit('/').next().unwrap_or_default();
    match name {
        "ip" => ip::deeds(arguments),
        "ifconfig" => net_tools::ifconfig(arguments),
        "route" => net_tools::route(arguments),
        "brctl" => net_tools::brctl(arguments),
        "sysctl" => settings::sysctl(arguments),
        name if HARMLESS.contains(&name) => Vec::new(),
        _ => vec![Deed::Unknown],
    }
}

/// Commands that configure no interface, no route and no setting.
const HARMLESS: [&str; 48] = [
    "echo",
    "printf",
    "test",
    "[",
    "[[",
    "true",
    "false",
    ":",
    "logger",
    "sleep",
    "exit",
    "return",
    "cat",
    "rm",
    "mkdir",
    "touch",
    "date",
    "set",
    "unset",
    "export",
    "local",
    "umask",
    "cd",
    "pwd",
    "shift",
    "wait",
    "iptables",
    "ip6tables",
    "nft",
    "ipset",
    "modprobe",
    "chmod",
    "chown",
    "grep",
    "awk",
    "cut",
    "head",
    "tail",
    "ping",
    "ping6",
    "killall",
    "kill",
    "for",
    "case",
    "esac",
    "ethtool",
    "tc",
    "sed",
];

/// The interface that `word` names; `words` that cannot be one follow if it is missing.
fn device(word: Option<&Word>, instead: impl Fn(&str) -> bool) -> Result<Device, Missing> {
    let Some(word) = word else {
        return Err(Missing::Empty);
    };
    if let Some(name) = &word.unset {
        return Err(Missing::Unset(name.clone()));
    }
    if word.uncertain {
        return Ok(Device::Uncertain);
    }
    if word.text.contains('$') {
        return Err(Missing::Unexpanded);
    }
    if word.text.is_empty() || instead(&word.text) {
        return Err(Missing::Empty);
    }
    Ok(Device::Named(word.text.clone()))
}

/// `ADDRESS[/LEN]`; without a length it is one address.
fn address(text: &str) -> Option<(IpAddr, u8)> {
    let (address, len) = match text.split_once('/') {
        Some((address, len)) => (address, Some(len)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let len = match len {
        Some(len) => len.parse().ok().filter(|len| *len <= most)?,
        None => most,
    };
    Some((address, len))
}
