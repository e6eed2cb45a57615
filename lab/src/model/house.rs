//! The rules of a house: what a venue does not let through, whom its devices can hear, and what has to be done to get
//! out. `[firewall]`, `isolation`, `[portal]` and `[proxy]` of a venue's file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::error::Source;
use super::kind::{VenueFile, head};
use super::overriding::Said;
use super::{ModelError, refer};

/// Folder of the walls, beside the NAT kinds.
const WALLS: &str = "walls";

/// The wall of `flows-per-device`.
const FLOW_LIMIT: &str = "flow-limit";
/// The wall of a venue with a proxy.
const NO_WAY_OUT: &str = "no-way-out";
/// The wall of a venue with a portal.
const PORTAL: &str = "portal";

/// Walls that are not to be named, and what they come with.
const COME_WITH: [(&str, &str); 3] = [
    (FLOW_LIMIT, "`flows-per-device`"),
    (NO_WAY_OUT, "[proxy]"),
    (PORTAL, "[portal]"),
];

/// Where web proxies usually listen (Squid's default).
const PROXY_PORT: u16 = 3128;

/// Most flows a limit may let a device have: the lab tries each of them.
const MOST_FLOWS: u32 = 5000;

/// What a venue does not let its guests do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct House {
    /// What keeps packets in.
    pub walls: Vec<Wall>,
    /// Devices do not hear each other, only the router.
    pub isolation: bool,
    /// Who has not logged in here does not get out.
    pub portal: Option<Portal>,
    /// What leads out where nothing else does.
    pub proxy: Option<WebProxy>,
}

/// A ruleset that keeps packets in, and what it is said to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wall {
    /// Name of its file.
    pub name: String,
    /// The ruleset, in which words with a `$` are still to be given a meaning.
    pub template: String,
    /// What becomes of packets, as far as the file states it.
    pub ways: Vec<Way>,
    /// How many flows a device may have at a time, where that is what it is for.
    pub flows: Option<u32>,
}

/// A way out, and whether it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Way {
    /// By which protocol.
    pub protocol: Protocol,
    /// To which port.
    pub port: u16,
    /// What becomes of packets there.
    pub fate: Fate,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Protocol {
    /// The Transmission Control Protocol.
    #[serde(rename = "tcp")]
    Tcp,
    /// The User Datagram Protocol.
    #[serde(rename = "udp")]
    Udp,
}

/// What becomes of the packets of a new flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// They arrive.
    Passes,
    /// They vanish.
    Dropped,
    /// The connection is cut off as if nobody listened.
    Reset,
    /// The sender is told that it may not (ICMP).
    Prohibited,
    /// The venue answers in the place of whom they were sent to.
    Hijacked,
}

/// A captive portal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Portal {
    /// By what it knows a device again.
    pub remembers: Remembers,
}

/// By what a portal knows a device again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Remembers {
    /// By its hardware address.
    #[default]
    Mac,
    /// By its IPv4 address.
    Address,
}

/// A web proxy that leads out by HTTP's CONNECT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WebProxy {
    /// Where it listens.
    pub port: u16,
    /// Ports it connects to; every one, if there are none.
    pub only: Vec<u16>,
}

/// `[firewall]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FirewallTable {
    /// Names of files in `walls/`.
    walls: Option<Vec<Spanned<String>>>,
    flows_per_device: Option<Spanned<u32>>,
}

/// `[portal]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortalTable {
    remembers: Option<Remembers>,
}

/// `[proxy]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProxyTable {
    port: Option<Spanned<u16>>,
    only: Option<Vec<Spanned<u16>>>,
}

/// What the head of a file in `walls/` states: of ports, what becomes of packets to them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    #[serde(default)]
    tcp: BTreeMap<String, Spanned<Fate>>,
    #[serde(default)]
    udp: BTreeMap<String, Spanned<Fate>>,
}

/// The rules of the house, by what is said of them, nearest first.
pub(super) fn house(home: &Path, said: &[Said<'_, &VenueFile>]) -> Result<House, ModelError> {
    let nearest = |isolation: fn(&VenueFile) -> Option<bool>| {
        said.iter().find_map(|said| isolation(said.value))
    };
    Ok(House {
        walls: walls(home, said)?,
        isolation: nearest(|file| file.isolation).unwrap_or_default(),
        portal: portal(said),
        proxy: proxy(said)?,
    })
}

fn walls(home: &Path, said: &[Said<'_, &VenueFile>]) -> Result<Vec<Wall>, ModelError> {
    let firewall = || {
        said.iter()
            .filter_map(|said| said.part(|file| Some(file.firewall.as_ref()?.get_ref())))
    };
    let mut walls = Vec::new();
    if let Some(flows) = firewall().find_map(|said| said.part(|it| it.flows_per_device.as_ref())) {
        let limit = *flows.value.get_ref();
        if limit == 0 || limit > MOST_FLOWS {
            let nearest = limit.clamp(1, MOST_FLOWS);
            return Err(flows.error(format!(
                "flows-per-device = {limit}: from 1 to {MOST_FLOWS}; the nearest is {nearest}"
            )));
        }
        let mut wall = own(home, FLOW_LIMIT, flows)?;
        wall.template = wall.template.replace("$flows", &limit.to_string());
        wall.flows = Some(limit);
        walls.push(wall);
    }
    if let Some(named) = firewall().find_map(|said| said.part(|it| it.walls.as_ref())) {
        for name in named.value {
            let comes = COME_WITH.iter().find(|(wall, _)| wall == name.get_ref());
            if let Some((wall, with)) = comes {
                let reason = format!("`{wall}` comes with {with}; say that in its place");
                return Err(named.by.error_at(name.span(), reason));
            }
            walls.push(wall(home, name, named.by)?);
        }
    }
    let table = |said: &Said<'_, &VenueFile>| said.value.proxy.is_some();
    if let Some(said) = said.iter().find(|said| table(said))
        && let Some(table) = said.part(|file| file.proxy.as_ref())
    {
        walls.push(own(home, NO_WAY_OUT, table)?);
    }
    if let Some(table) = said
        .iter()
        .find_map(|said| said.part(|file| file.portal.as_ref()))
    {
        walls.push(own(home, PORTAL, table)?);
    }
    Ok(walls)
}

/// A wall that comes with what is said there.
fn own<T>(home: &Path, name: &str, with: Said<'_, &Spanned<T>>) -> Result<Wall, ModelError> {
    wall(
        home,
        &Spanned::new(with.value.span(), name.to_owned()),
        with.by,
    )
}

fn wall(home: &Path, name: &Spanned<String>, by: &Source) -> Result<Wall, ModelError> {
    let source = refer(home, WALLS, "nft", name, by)?;
    let stated: Stated = head(&source).parse()?;
    let protocols = [(Protocol::Tcp, stated.tcp), (Protocol::Udp, stated.udp)];
    let mut ways = Vec::new();
    for (protocol, ports) in protocols {
        for (port, fate) in ports {
            let port = port.parse().map_err(|_| {
                source.error_at(fate.span(), format!("{port:?} is no port; 1 to 65535 are"))
            })?;
            let fate = *fate.get_ref();
            ways.push(Way {
                protocol,
                port,
                fate,
            });
        }
    }
    // By number, not as words.
    ways.sort_by_key(|way: &Way| (way.protocol, way.port));
    let wall = Wall {
        name: name.get_ref().clone(),
        template: source.text.clone(),
        ways,
        flows: None,
    };
    let table = format!("table inet {} {{", wall.table());
    if !wall.template.contains(&table) {
        return Err(source.error(format!("a wall of that name has a `{table} ... }}`")));
    }
    Ok(wall)
}

fn portal(said: &[Said<'_, &VenueFile>]) -> Option<Portal> {
    let tables = || said.iter().filter_map(|said| said.value.portal.as_ref());
    tables().next()?;
    let remembers = tables().find_map(|table| table.get_ref().remembers);
    Some(Portal {
        remembers: remembers.unwrap_or_default(),
    })
}

fn proxy(said: &[Said<'_, &VenueFile>]) -> Result<Option<WebProxy>, ModelError> {
    let tables = || {
        said.iter()
            .filter_map(|said| said.part(|file| file.proxy.as_ref()))
            .map(|table| Said::new(table.value.get_ref(), table.by))
    };
    if tables().next().is_none() {
        return Ok(None);
    }
    let port = tables().find_map(|table| table.part(|table| table.port.as_ref()));
    let only = tables().find_map(|table| table.part(|table| table.only.as_ref()));
    let only_ports = only
        .iter()
        .flat_map(|only| only.value.iter().map(|port| (port, only.by)));
    let all = port
        .iter()
        .map(|port| (port.value, port.by))
        .chain(only_ports);
    for (port, by) in all {
        if *port.get_ref() == 0 {
            return Err(by.error_at(port.span(), "0 is no port; the nearest is 1"));
        }
    }
    Ok(Some(WebProxy {
        port: port.map_or(PROXY_PORT, |port| *port.value.get_ref()),
        only: only.map_or(Vec::new(), |only| {
            only.value.iter().map(|port| *port.get_ref()).collect()
        }),
    }))
}

impl Wall {
    /// Name of the table in its ruleset, by which it can be taken down.
    #[must_use]
    pub fn table(&self) -> String {
        self.name.replace('-', "_")
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
        };
        write!(f, "{protocol} to port {}", self.port)
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passes => "passes",
            Self::Dropped => "dropped",
            Self::Reset => "reset",
            Self::Prohibited => "prohibited",
            Self::Hijacked => "hijacked",
        })
    }
}

impl Remembers {
    /// By which field of its packets nft tells a device from others.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::Mac => "ether saddr",
            Self::Address => "ip saddr",
        }
    }
}
