//! A scenario as its author wrote it: places and people, no interface and no Linux.
//!
//! [`Scenario::load`] reads `scenarios/NAME.toml` together with the venues (`venues/NAME.toml`) and NAT kinds
//! (`nat/NAME.nft`) it refers to, which lie in directories beside it, and checks the whole. What passes can be planned.

mod bench;
mod builder;
mod check;
mod error;
mod house;
mod kind;
mod kit;
mod liken;
mod link;
mod overriding;
mod quantity;
mod router;
mod schema;
mod services;
mod shape;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::nat;
pub use crate::net::Net;
pub use builder::Builder;
pub use error::ModelError;
use error::Source;
pub use house::{Fate, House, Portal, Protocol, Remembers, Wall, Way, WebProxy};
use kind::VenueFile;
pub use kit::{Identifiers, Kit};
pub use link::Link;
use link::LinkTable;
pub(crate) use quantity::{rate, time};
pub use router::{Behind, SHARED_SPACE};
pub use schema::{scenario_schema, venue_schema};
pub use services::{Answers, Dhcp, Dns, Ipv6, Leads, Preference};

/// Name of the core router, which every scenario has without naming it.
pub const CORE: &str = "internet";

/// What the name of a router in front of a venue's own has beside the venue's.
const CARRIER: &str = "_carrier";

/// First host number a venue gives to those who come in.
pub const FIRST_LEASE_V4: u32 = 100;

/// A scenario, checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it calls itself.
    pub title: String,
    /// The IPv6 network to be laid over it.
    pub overlay: Option<Overlay>,
    /// Machines with public addresses.
    #[serde(default, rename = "server")]
    pub servers: Vec<Server>,
    /// Places with a router that people connect to.
    #[serde(default, rename = "venue")]
    pub venues: Vec<Venue>,
    /// People who share a venue's network with what is cabled to their computer.
    #[serde(default, rename = "sharer")]
    pub sharers: Vec<Sharer>,
    /// Devices that bring IPv6.
    #[serde(default, rename = "pi")]
    pub pis: Vec<Pi>,
    /// Machines plugged into a Pi.
    #[serde(default, rename = "client")]
    pub clients: Vec<Client>,
    /// Devices that reach a Pi by Bluetooth Low Energy.
    #[serde(default, rename = "kit")]
    pub kits: Vec<Kit>,
    /// Where it was read from.
    #[serde(skip)]
    source: Source,
    /// Where the files are that it refers to.
    #[serde(skip)]
    home: PathBuf,
}

/// The IPv6 network to be laid over a scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    /// Name of the server that holds the address space.
    pub server: Spanned<String>,
    /// Its address on the overlay with the length of the link that all members share.
    pub address: Spanned<Net>,
    /// The address space routed to that server.
    pub pool: Spanned<Net>,
}

/// A machine with public addresses.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Its name.
    pub name: Spanned<String>,
    /// Its addresses: at most one IPv4 and one IPv6, each with its network's length.
    pub addresses: Vec<Spanned<Net>>,
    /// What is said of its line.
    #[serde(rename = "link")]
    said_of_link: Option<LinkTable>,
    /// The line to it, where it is no mere cable.
    #[serde(skip)]
    pub link: Option<Link>,
}

/// A place with a router that people connect to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Venue {
    /// Its name, also that of its router.
    pub name: Spanned<String>,
    /// Name of the description in `venues/`.
    pub like: Spanned<String>,
    /// What is otherwise than that description says.
    but: Option<VenueFile>,
    /// The router's public IPv4 address.
    pub wan: Spanned<Net>,
    /// The private IPv4 network inside.
    pub lan: Spanned<Net>,
    /// The description [`Venue::like`] names.
    #[serde(skip)]
    pub kind: VenueKind,
}

/// What sort of place a venue is; one file in `venues/`.
#[derive(Debug, Clone, Default)]
pub struct VenueKind {
    /// What its router does to packets.
    pub nat: nat::Kind,
    /// How long the router remembers a UDP flow.
    pub udp_timeout: Option<UdpTimeout>,
    /// The router in front of its own, where there is one.
    pub behind: Option<Behind>,
    /// What it does not let its guests do.
    pub house: House,
    /// The line to what is in front of its router, where it is no mere cable.
    pub link: Option<Link>,
    /// Who gives addresses there; without, they are static.
    pub dhcp: Option<Dhcp>,
    /// Who knows names there; without, they are in each machine's `/etc/hosts`.
    pub dns: Option<Dns>,
    /// What is told of IPv6 there; without, nobody speaks of it.
    pub ipv6: Option<Ipv6>,
}

/// How long a router remembers a UDP flow, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UdpTimeout {
    /// While nothing has come back.
    pub unreplied: u32,
    /// Once something has come back.
    pub replied: u32,
}

/// A person's computer that shares the venue's network by masquerading (port-restricted).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sharer {
    /// Its name.
    pub name: Spanned<String>,
    /// The venue whose WLAN it is in.
    pub at: Spanned<String>,
    /// The private IPv4 network it offers on its cable.
    pub lan: Spanned<Net>,
    /// The ruleset template of its masquerading.
    #[serde(skip)]
    pub template: String,
}

/// A device that brings IPv6.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pi {
    /// Its name, also in the overlay.
    pub name: Spanned<String>,
    /// The venue or sharer it is connected to.
    pub at: Spanned<String>,
    /// A static IPv4 address, as alias beside the one the place gives it.
    pub address: Option<Spanned<Ipv4Addr>>,
    /// Its address on the overlay.
    pub overlay: Option<Spanned<Ipv6Addr>>,
    /// The IPv6 prefix that is its own to give out, a /64 for each of its links: what is cabled to it, then its radio.
    pub prefix: Option<Spanned<Net>>,
    /// How interface identifiers are made of device addresses by its radio.
    #[serde(default)]
    pub identifiers: Identifiers,
    /// Whether its radio tells contexts for compression (RFC 6775), which Linux does not; it does unless said.
    pub contexts: Option<bool>,
    /// What is said of its line.
    #[serde(rename = "link")]
    said_of_link: Option<LinkTable>,
    /// The line to it, where it is no mere cable.
    #[serde(skip)]
    pub link: Option<Link>,
}

/// A machine plugged into a Pi.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its name.
    pub name: Spanned<String>,
    /// The Pi it is plugged into.
    pub behind: Spanned<String>,
    /// What is said of its line.
    #[serde(rename = "link")]
    said_of_link: Option<LinkTable>,
    /// The line to it, where it is no mere cable.
    #[serde(skip)]
    pub link: Option<Link>,
}

impl Venue {
    /// Name of the router that has the public address: its own, or the one that is in front.
    #[must_use]
    pub fn edge(&self) -> String {
        let name = self.name.get_ref();
        match self.kind.behind {
            Some(_) => format!("{name}{CARRIER}"),
            None => name.clone(),
        }
    }

    /// The kind of NAT that has the public address.
    #[must_use]
    pub fn outer_nat(&self) -> &nat::Kind {
        let behind = self.kind.behind.as_ref();
        behind.map_or(&self.kind.nat, |behind| &behind.nat)
    }

    /// The router's public IPv4 addresses: the one it was given, and those after it that its NAT kind needs.
    #[must_use]
    pub fn outside(&self) -> Vec<Net> {
        let wan = *self.wan.get_ref();
        let Some(first) = host_number(wan) else {
            return vec![wan];
        };
        let more = 1..u32::from(self.outer_nat().addresses);
        std::iter::once(wan)
            .chain(more.filter_map(|n| wan.nth(first.checked_add(n)?)))
            .collect()
    }
}

/// Which host of its IPv4 network an address is.
fn host_number(net: Net) -> Option<u32> {
    match (net.addr, net.network().addr) {
        (IpAddr::V4(addr), IpAddr::V4(network)) => Some(addr.to_bits() - network.to_bits()),
        _ => None,
    }
}

impl Scenario {
    /// The file of a scenario: `named` itself, or the file of that name in the `scenarios/` nearest above the working
    /// directory or the program.
    ///
    /// # Errors
    /// Lists the scenarios there are.
    pub fn find(named: &Path) -> Result<PathBuf, ModelError> {
        if named.is_file() {
            return Ok(named.to_owned());
        }
        let folders = match named.components().count() {
            1 => scenario_folders(),
            _ => Vec::new(),
        };
        find_in(&folders, named)
    }

    /// The file of the scenario called `name`, in the `scenarios/` nearest above a file.
    pub(crate) fn find_above(file: &Path, name: &str) -> Result<PathBuf, ModelError> {
        let homes = file.ancestors().skip(1);
        let folders: Vec<_> = homes.map(|home| home.join("scenarios")).collect();
        find_in(&folders, Path::new(name))
    }

    /// Reads and checks a scenario with everything it refers to.
    ///
    /// # Errors
    /// File, line, what is wrong there and what would be right.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        Self::from_source(
            Source::read(path)?,
            path.parent().unwrap_or_else(|| Path::new("")),
        )
    }

    fn from_source(source: Source, home: &Path) -> Result<Self, ModelError> {
        Self::from_source_with(source, home, &HashMap::new())
    }

    /// `kinds` are those of venues, by the venue's name, that are not to be looked up.
    fn from_source_with(
        source: Source,
        home: &Path,
        kinds: &HashMap<String, VenueKind>,
    ) -> Result<Self, ModelError> {
        let mut scenario: Self = source.parse()?;
        scenario.source = source;
        scenario.home = home.to_owned();
        for venue in &mut scenario.venues {
            venue.kind = match kinds.get(venue.name.get_ref()) {
                Some(kind) => kind.clone(),
                None => {
                    let but = venue.but.as_ref();
                    VenueKind::load(home, &venue.like, but, &scenario.source)?
                }
            };
        }
        if let Some(first) = scenario.sharers.first() {
            let kind = Spanned::new(first.name.span(), nat::SHARED.to_owned());
            let template = refer(home, "nat", "nft", &kind, &scenario.source)?.text;
            for sharer in &mut scenario.sharers {
                sharer.template.clone_from(&template);
            }
        }
        let source = &scenario.source;
        for server in &mut scenario.servers {
            server.link = link::of_machine(server.said_of_link.as_ref(), source)?;
        }
        for pi in &mut scenario.pis {
            pi.link = link::of_machine(pi.said_of_link.as_ref(), source)?;
        }
        for client in &mut scenario.clients {
            client.link = link::of_machine(client.said_of_link.as_ref(), source)?;
        }
        check::check(&scenario)?;
        Ok(scenario)
    }

    /// The first server with an IPv4 address, and that address.
    pub(crate) fn first_server(&self) -> Option<(String, Ipv4Addr)> {
        self.servers.iter().find_map(|server| {
            let mut addresses = server.addresses.iter();
            let address = addresses.find_map(|address| match address.get_ref().addr {
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => None,
            })?;
            Some((server.name.get_ref().clone(), address))
        })
    }

    /// Those who share what they have at a venue.
    pub(crate) fn sharers_at<'s>(
        &'s self,
        place: &'s Spanned<String>,
    ) -> impl Iterator<Item = &'s Sharer> {
        self.sharers
            .iter()
            .filter(move |sharer| sharer.at == *place)
    }

    /// The Pis at a venue or a sharer's.
    pub(crate) fn pis_at<'s>(&'s self, place: &'s Spanned<String>) -> impl Iterator<Item = &'s Pi> {
        self.pis.iter().filter(move |pi| pi.at == *place)
    }

    /// The file it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// An error about one value of this scenario.
    pub(crate) fn error_at<T>(&self, value: &Spanned<T>, reason: impl Into<String>) -> ModelError {
        self.source.error_at(value.span(), reason)
    }
}

/// The file of the scenario called `named` in the first of these folders that has one.
fn find_in(folders: &[PathBuf], named: &Path) -> Result<PathBuf, ModelError> {
    let file = |folder: &PathBuf| folder.join(named).with_extension("toml");
    if let Some(found) = folders.iter().map(file).find(|path| path.is_file()) {
        return Ok(found);
    }
    let mut known: Vec<_> = folders.iter().flat_map(|it| stems(it, "toml")).collect();
    known.sort();
    known.dedup();
    let known = error::nearest(&named.to_string_lossy(), &known);
    Err(ModelError {
        file: named.to_owned(),
        line: None,
        reason: format!("there is no such scenario{known}"),
    })
}

/// Reads the file that a scenario or venue names; a missing one is the referring line's mistake.
fn refer(
    home: &Path,
    folder: &str,
    extension: &str,
    name: &Spanned<String>,
    referrer: &Source,
) -> Result<Source, ModelError> {
    let folder = home.join(folder);
    check::name(name.get_ref(), "-").map_err(|reason| referrer.error_at(name.span(), reason))?;
    let path: PathBuf = folder.join(name.get_ref()).with_extension(extension);
    if path.is_file() {
        return Source::read(&path);
    }
    let known = stems(&folder, extension);
    let reason = format!(
        "there is no {}{}",
        path.display(),
        error::nearest(name.get_ref(), &known)
    );
    Err(referrer.error_at(name.span(), reason))
}

/// Every `scenarios/` above the working directory and above the program, nearest first.
fn scenario_folders() -> Vec<PathBuf> {
    let starts = [std::env::current_dir(), std::env::current_exe()];
    let above = starts.iter().flatten().flat_map(|start| start.ancestors());
    above
        .map(|folder| folder.join("scenarios"))
        .filter(|folder| folder.is_dir())
        .collect()
}

/// Names of the files with an extension in a folder, sorted.
fn stems(folder: &Path, extension: &str) -> Vec<String> {
    let mut known: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    known.sort();
    known
}

#[cfg(test)]
mod tests;
