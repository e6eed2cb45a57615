//! What venues are furnished with when their networks stand: the rules of the house.

use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use super::{Plan, Ruleset};
use crate::model::{House, Portal, Scenario, Venue, Way, WebProxy};
use crate::places::DNS_PORT;

/// A venue with rules of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Name of its router.
    pub router: String,
    /// The router's address inside.
    pub address: Ipv4Addr,
    /// The machines inside, by name.
    pub guests: Vec<String>,
    /// A machine outside and its address, to which ways are tried.
    pub outside: Option<(String, Ipv4Addr)>,
    /// What keeps packets in.
    pub walls: Vec<WallPlan>,
    /// Devices do not hear each other.
    pub isolation: bool,
    /// Who has not logged in does not get out.
    pub portal: Option<Portal>,
    /// What leads out where nothing else does.
    pub proxy: Option<WebProxy>,
}

/// A wall, ready to be raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WallPlan {
    /// Name of the table in the ruleset.
    pub table: String,
    /// What `nft` is fed.
    pub ruleset: Ruleset,
    /// What becomes of packets then.
    pub ways: Vec<Way>,
    /// How many flows a device may have at a time.
    pub flows: Option<u32>,
}

/// The venues that have rules. `ruleset` gives the words of a wall's template their meaning at a venue's router.
pub(super) fn places(
    scenario: &Scenario,
    ruleset: impl Fn(&str, &str, &str) -> Option<Ruleset>,
) -> Vec<Place> {
    let outside = scenario.first_server();
    let place = |venue: &Venue| {
        let House {
            walls,
            isolation,
            portal,
            proxy,
        } = &venue.kind.house;
        if venue.kind.house == House::default() {
            return None;
        }
        let name = venue.name.get_ref();
        let IpAddr::V4(address) = venue.lan.get_ref().nth(1)?.addr else {
            return None;
        };
        let sharers = scenario.sharers_at(&venue.name);
        let pis = scenario.pis_at(&venue.name);
        let guests = sharers
            .map(|sharer| sharer.name.get_ref())
            .chain(pis.map(|pi| pi.name.get_ref()));
        let field = portal.unwrap_or_default().remembers.field();
        let walls = walls.iter().filter_map(|wall| {
            let template = wall
                .template
                .replace("$dns_port", &DNS_PORT.to_string())
                .replace("$device", field);
            Some(WallPlan {
                table: wall.table(),
                ruleset: ruleset(name, &wall.name, &template)?,
                ways: wall.ways.clone(),
                flows: wall.flows,
            })
        });
        Some(Place {
            router: name.clone(),
            address,
            guests: guests.cloned().collect(),
            outside: outside.clone(),
            walls: walls.collect(),
            isolation: *isolation,
            portal: *portal,
            proxy: proxy.clone(),
        })
    };
    scenario.venues.iter().filter_map(place).collect()
}

impl Place {
    /// Each rule in words.
    #[must_use]
    pub fn rules(&self) -> Vec<String> {
        let mut rules: Vec<String> = self.walls.iter().map(WallPlan::words).collect();
        if self.isolation {
            rules.push("isolation: devices hear the router and not each other".to_owned());
        }
        if let Some(proxy) = &self.proxy {
            let ports: Vec<String> = proxy.only.iter().map(ToString::to_string).collect();
            let to = match ports.is_empty() {
                true => "any port".to_owned(),
                false => format!("port {} alone", ports.join(", ")),
            };
            rules.push(format!(
                "proxy {}:{}: connects to {to}",
                self.address, proxy.port
            ));
        }
        rules
    }
}

impl WallPlan {
    fn words(&self) -> String {
        let ways = self.ways.iter().map(|way| format!("{way} {}", way.fate));
        let flows = self
            .flows
            .map(|flows| format!("{flows} flows for each device"));
        let words: Vec<String> = flows.into_iter().chain(ways).collect();
        format!("wall {}: {}", self.ruleset.kind, words.join(", "))
    }
}

impl Plan {
    /// The rules of a venue, if it has any.
    #[must_use]
    pub fn place(&self, router: &str) -> Option<&Place> {
        self.places.iter().find(|place| place.router == router)
    }
}
