//! Venues and NAT kinds, as their files describe them.
//!
//! A kind's file is a ruleset for nft; what it promises is stated in comments that begin with `#!` and are TOML.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::error::{self, Source};
use super::house::{FirewallTable, PortalTable, ProxyTable, house};
use super::link::{LinkTable, link};
use super::overriding::Said;
use super::router::{RouterTable, TimeoutTable, behind, router};
use super::services::{self, DhcpTable, DnsTable, Ipv6Table};
use super::{ModelError, VenueKind, refer, scenario_folders, stems};
use crate::nat::{Behaviour, Filtering, Hairpin, Kind, Mapping, Refresh};

/// What the lines of a kind's file that begin with this state is for programs too.
const STATES: &str = "#!";

/// Folder of what can be added to NAT kinds, beside the kinds themselves.
const ADDITIONS: &str = "nat/with";

/// What parts a kind's name from those of additions to it.
const PLUS: char = '+';

/// A file in `venues/`, or what a scenario says in its place.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct VenueFile {
    /// The evidence behind its numbers, for its readers.
    because: Option<String>,
    /// Name of a file in `nat/`.
    nat: Option<Spanned<String>>,
    /// Names of files in `nat/with/`.
    with: Option<Vec<Spanned<String>>>,
    udp_timeout: Option<Spanned<TimeoutTable>>,
    /// The router in front of its own.
    pub(super) behind: Option<Spanned<RouterTable>>,
    pub(super) firewall: Option<Spanned<FirewallTable>>,
    /// Whether its devices do not hear each other.
    pub(super) isolation: Option<bool>,
    pub(super) portal: Option<Spanned<PortalTable>>,
    pub(super) proxy: Option<Spanned<ProxyTable>>,
    /// The line to what is in front of it.
    link: Option<LinkTable>,
    pub(super) dhcp: Option<Spanned<DhcpTable>>,
    pub(super) dns: Option<Spanned<DnsTable>>,
    pub(super) ipv6: Option<Spanned<Ipv6Table>>,
}

impl VenueFile {
    /// What it says of its own router.
    fn router(&self) -> RouterTable {
        RouterTable {
            nat: self.nat.clone(),
            with: self.with.clone(),
            udp_timeout: self.udp_timeout.clone(),
            lan: None,
        }
    }
}

/// What the head of a file in `nat/` states; one in `nat/with/` states what it changes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    mapping: Option<Mapping>,
    preserved: Option<bool>,
    filtering: Option<Filtering>,
    leak: Option<bool>,
    contention: Option<bool>,
    early: Option<bool>,
    hairpin: Option<Hairpin>,
    paired: Option<bool>,
    refresh: Option<Refresh>,
    addresses: Option<u8>,
}

impl VenueKind {
    /// A venue or, without further ado around it, a NAT kind: a file, or the name of one in the `scenarios/` nearest
    /// above the working directory or the program; `full-cone+hairpin` is a kind and an addition to it.
    ///
    /// # Errors
    /// The nearest known name, or what is wrong in the file.
    pub fn find(named: &Path) -> Result<Self, ModelError> {
        if named.is_file() {
            // The whole path, since it may be named from within its folder.
            let path = named.canonicalize().unwrap_or_else(|_| named.to_owned());
            let home = path.ancestors().nth(2).unwrap_or(named);
            let source = Source::read(named)?;
            if named.extension().is_some_and(|found| found == "nft") {
                let stem = named.file_stem().unwrap_or_default().to_string_lossy();
                return Ok(Self::bare(kind_of(&source, &stem)?));
            }
            return Self::from_source(&source, home, None);
        }
        let name = named.to_string_lossy();
        let mut known = Vec::new();
        for home in scenario_folders() {
            let venue = home.join("venues").join(named).with_extension("toml");
            if venue.is_file() {
                return Self::from_source(&Source::read(&venue)?, &home, None);
            }
            let kinds = stems(&home.join("nat"), "nft");
            let mut parts = name
                .split(PLUS)
                .map(|part| Spanned::new(0..0, part.to_owned()));
            if let Some(first) = parts.next()
                && kinds.contains(first.get_ref())
            {
                let referrer = Source::from_text(&name, name.to_string());
                let with = Said::new(parts.collect(), &referrer);
                let kind = load(&home, &Said::new(first, &referrer), Some(&with))?;
                return Ok(Self::bare(kind));
            }
            known.extend(stems(&home.join("venues"), "toml"));
            known.extend(kinds);
        }
        Err(ModelError {
            file: named.to_owned(),
            line: None,
            reason: format!(
                "there is no such venue or NAT kind{}",
                error::nearest(&name, &known)
            ),
        })
    }

    /// Every NAT kind in the nearest `scenarios/`, in the order of their names.
    ///
    /// # Errors
    /// What is wrong in a file.
    pub fn every_nat() -> Result<Vec<Self>, ModelError> {
        let Some(home) = scenario_folders().into_iter().next() else {
            return Ok(Vec::new());
        };
        let folder = home.join("nat");
        let load = |name: String| {
            let source = Source::read(&folder.join(&name).with_extension("nft"))?;
            Ok(Self::bare(kind_of(&source, &name)?))
        };
        stems(&folder, "nft").into_iter().map(load).collect()
    }

    /// A venue of which nothing but the NAT is known.
    fn bare(nat: Kind) -> Self {
        Self {
            nat,
            ..Self::default()
        }
    }

    /// The venue of that name; `but` is what the referring scenario says in place of its file.
    pub(super) fn load(
        home: &Path,
        name: &Spanned<String>,
        but: Option<&VenueFile>,
        referrer: &Source,
    ) -> Result<Self, ModelError> {
        let source = refer(home, "venues", "toml", name, referrer)?;
        Self::from_source(&source, home, but.map(|but| Said::new(but, referrer)))
    }

    pub(super) fn from_source(
        source: &Source,
        home: &Path,
        but: Option<Said<'_, &VenueFile>>,
    ) -> Result<Self, ModelError> {
        let file: VenueFile = source.parse()?;
        if file.because.is_none() {
            return Err(source.error("missing field `because`"));
        }
        // Nearest first.
        let said: Vec<_> = but.into_iter().chain([Said::new(&file, source)]).collect();
        let routers: Vec<_> = said
            .iter()
            .map(|said| Said::new(said.value.router(), said.by))
            .collect();
        let routers: Vec<_> = routers.iter().map(Said::as_ref).collect();
        let (dhcp, ipv6) = (services::dhcp(&said)?, services::ipv6(&said)?);
        let dns = services::dns(&said)?;
        services::without_ipv4(&said, dhcp, ipv6)?;
        services::made_up(&said, dns, ipv6)?;
        let (nat, udp_timeout) = router(home, &routers, || source.error("missing field `nat`"))?;
        let files: Vec<_> = said
            .iter()
            .map(|said| Said::new(said.value, said.by))
            .collect();
        let in_front: Vec<_> = said
            .iter()
            .filter_map(|said| said.part(|file| file.behind.as_ref()))
            .collect();
        let links: Vec<_> = said
            .iter()
            .filter_map(|said| said.part(|file| file.link.as_ref()))
            .collect();
        Ok(Self {
            nat,
            udp_timeout,
            behind: behind(home, &in_front)?,
            house: house(home, &files)?,
            link: link(&links)?,
            dhcp,
            dns,
            ipv6,
        })
    }
}

/// A kind and what is added to it.
pub(super) fn load(
    home: &Path,
    name: &Said<'_, Spanned<String>>,
    with: Option<&Said<'_, Vec<Spanned<String>>>>,
) -> Result<Kind, ModelError> {
    let source = refer(home, "nat", "nft", &name.value, name.by)?;
    let mut kind = kind_of(&source, name.value.get_ref())?;
    for (name, by) in with
        .iter()
        .flat_map(|with| with.value.iter().map(|name| (name, with.by)))
    {
        let addition = refer(home, ADDITIONS, "nft", name, by)?;
        let stated: Stated = head(&addition).parse()?;
        kind.behaviour = stated.over(kind.behaviour);
        kind.refresh = stated.refresh.unwrap_or(kind.refresh);
        kind.name.push(PLUS);
        kind.name.push_str(name.get_ref());
        kind.template.push_str(&addition.text);
    }
    Ok(kind)
}

pub(super) fn kind_of(source: &Source, name: &str) -> Result<Kind, ModelError> {
    let stated: Stated = head(source).parse()?;
    if let Some(missing) = stated.missing() {
        return Err(ModelError {
            file: source.path().to_owned(),
            line: None,
            reason: format!("the head does not state `{STATES} {missing} = ...`"),
        });
    }
    Ok(Kind {
        name: name.to_owned(),
        behaviour: stated.over(Behaviour::default()),
        refresh: stated.refresh.unwrap_or_default(),
        addresses: stated.addresses.unwrap_or(1),
        template: source.text.clone(),
    })
}

/// What a file states, as TOML in which everything keeps its line.
pub(super) fn head(source: &Source) -> Source {
    let line = |line: &str| match line.strip_prefix(STATES) {
        Some(stated) => format!("{stated}\n"),
        None => "\n".to_owned(),
    };
    let path: PathBuf = source.path().to_owned();
    Source::from_text(
        &path.to_string_lossy(),
        source.text.lines().map(line).collect(),
    )
}

impl Stated {
    /// The first property that every kind must state and this one does not.
    fn missing(&self) -> Option<&'static str> {
        let all = [
            ("mapping", self.mapping.is_some()),
            ("preserved", self.preserved.is_some()),
            ("filtering", self.filtering.is_some()),
            ("leak", self.leak.is_some()),
            ("contention", self.contention.is_some()),
            ("early", self.early.is_some()),
            ("hairpin", self.hairpin.is_some()),
            ("paired", self.paired.is_some()),
        ];
        all.iter().find(|(_, there)| !there).map(|(name, _)| *name)
    }

    /// `base` with what is stated here.
    fn over(&self, base: Behaviour) -> Behaviour {
        Behaviour {
            mapping: self.mapping.unwrap_or(base.mapping),
            preserved: self.preserved.unwrap_or(base.preserved),
            filtering: self.filtering.unwrap_or(base.filtering),
            leak: self.leak.unwrap_or(base.leak),
            contention: self.contention.unwrap_or(base.contention),
            early: self.early.unwrap_or(base.early),
            hairpin: self.hairpin.unwrap_or(base.hairpin),
            paired: self.paired.unwrap_or(base.paired),
        }
    }
}
