//! What venues do not let through, seen from inside. Needs what `v6lab doctor` asks for, and fails where that is missing.

#[allow(dead_code, reason = "it plans networks of its own")]
mod support;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use support::{files, heard, socket};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use v6lab::fabric::Lab;
use v6lab::model::{Fate, House, Remembers, Scenario, VenueKind};
use v6lab::places;
use v6lab::plan::Plan;

/// A server of the bench.
const TEN: &str = "198.51.100.10";

/// How long a connection may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(10);

fn main() {
    support::run(tests![
        every_venue_does_to_its_guests_what_its_file_says,
        every_wall_is_some_venues_and_so_was_tried,
        venues_with_walls_stand_side_by_side,
        a_wall_that_is_not_what_it_says_is_found_out,
        more_flows_than_stated_are_found_out,
        isolated_guests_hear_the_router_alone,
        whoever_moves_in_is_isolated_too,
        a_portal_lets_out_whoever_has_logged_in_and_nobody_else,
        a_venue_without_a_portal_has_no_login,
        a_proxy_connects_to_no_other_port_than_it_may,
    ]);
}

async fn every_venue_does_to_its_guests_what_its_file_says() {
    let mut with_rules = 0;
    for path in files("venues", "toml") {
        let kind = VenueKind::find(&path).unwrap();
        if kind.house != House::default() {
            let lab = Lab::up(&plan(kind)).await;
            let lab = lab.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            lab.down().await.unwrap();
            with_rules += 1;
        }
    }
    assert!(with_rules >= 8, "{with_rules} venues have rules");
}

async fn every_wall_is_some_venues_and_so_was_tried() {
    let venues = files("venues", "toml");
    let venues = venues.iter().map(|path| VenueKind::find(path).unwrap());
    let named: Vec<String> = venues
        .flat_map(|kind| kind.house.walls)
        .map(|wall| wall.name)
        .collect();
    for path in files("walls", "nft") {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        // Those of the venues were raised above.
        assert!(named.contains(&name), "{name} is no venue's");
    }
}

async fn venues_with_walls_stand_side_by_side() {
    let scenario = Scenario::builder("three doors")
        .server("ten", [format!("{TEN}/24")])
        .venue("cafe", "web-only", "203.0.113.50/24", "192.168.1.0/24")
        .pi("node_one", "cafe")
        .venue("school", "proxy-only", "203.0.113.51/24", "192.168.1.0/24")
        .pi("node_two", "school")
        .venue("home", "home-default", "203.0.113.52/24", "192.168.1.0/24")
        .pi("node_three", "home");
    let lab = Lab::up(&Plan::new(&scenario.build().unwrap()))
        .await
        .unwrap();
    let _listener = listen(&lab, "ten", &format!("{TEN}:655")).await;
    let to = format!("{TEN}:655");
    assert_eq!(
        connect(&lab, "node_one", &to).await,
        Err(ErrorKind::ConnectionRefused)
    );
    assert_eq!(connect(&lab, "node_three", &to).await, Ok(()));
    lab.down().await.unwrap();
}

async fn a_wall_that_is_not_what_it_says_is_found_out() {
    for (venue, way, stated, told) in [
        (
            "dpi-655",
            656,
            Fate::Dropped,
            "stated as dropped and measured as passes",
        ),
        (
            "dpi-655",
            655,
            Fate::Prohibited,
            "stated as prohibited and measured as reset",
        ),
        (
            "enterprise",
            655,
            Fate::Reset,
            "stated as reset and measured as prohibited",
        ),
        (
            "hotel-portal",
            80,
            Fate::Reset,
            "stated as reset and measured as hijacked",
        ),
    ] {
        let mut plan = plan(find(venue));
        let walls = plan.places[0].walls.iter_mut();
        let mut ways = walls.flat_map(|wall| &mut wall.ways);
        ways.find(|found| found.port == way).unwrap().fate = stated;
        let error = Lab::up(&plan).await.unwrap_err().to_string();
        assert!(
            error.contains(&format!("TCP to port {way}: {told}")),
            "{error}"
        );
    }
}

async fn more_flows_than_stated_are_found_out() {
    let mut plan = plan(find("conference-busy"));
    plan.places[0].walls[0].flows = Some(99);
    let error = Lab::up(&plan).await.unwrap_err().to_string();
    assert!(
        error.contains("stated as 99 and measured as 100"),
        "{error}"
    );
}

async fn isolated_guests_hear_the_router_alone() {
    for isolation in [false, true] {
        let mut kind = find("home-default");
        kind.house.isolation = isolation;
        let lab = Lab::up(&plan(kind)).await.unwrap();
        let a = socket(lab.node("a").unwrap(), "0.0.0.0:7000").await;
        let b = socket(lab.node("b").unwrap(), "192.168.7.101:7000").await;
        let gw = socket(lab.node("gw").unwrap(), "192.168.7.1:7000").await;
        // It may be told that nobody is there.
        let _ = a.send_to(b"x", "192.168.7.101:7000").await;
        a.send_to(b"x", "192.168.7.1:7000").await.unwrap();
        assert!(heard(&gw).await.is_some());
        gw.send_to(b"x", "192.168.7.101:7000").await.unwrap();
        let first = heard(&b).await.unwrap().ip().to_string();
        let expected = if isolation {
            "192.168.7.1"
        } else {
            "192.168.7.100"
        };
        assert_eq!(first, expected);
        lab.down().await.unwrap();
    }
}

async fn whoever_moves_in_is_isolated_too() {
    let roaming = Scenario::load(&Scenario::find(Path::new("roaming")).unwrap()).unwrap();
    let roaming = roaming.with_venue_like("hotel", "hotel-portal").unwrap();
    let mut lab = Lab::up(&Plan::new(&roaming)).await.unwrap();
    lab.plug_in("node_one", "hotel").await.unwrap();
    let hotel = lab.node("hotel").unwrap();
    let isolated = hotel.read_file("/sys/class/net/lan1/brport/isolated").await;
    assert_eq!(isolated.unwrap(), b"1\n");
    lab.down().await.unwrap();
}

async fn a_portal_lets_out_whoever_has_logged_in_and_nobody_else() {
    for remembers in [Remembers::Mac, Remembers::Address] {
        let mut kind = find("hotel-portal");
        kind.house.portal.as_mut().unwrap().remembers = remembers;
        let lab = Lab::up(&plan(kind)).await.unwrap();
        let _listener = listen(&lab, "ten", &format!("{TEN}:443")).await;
        let refused = Err(ErrorKind::ConnectionRefused);
        assert_eq!(connect(&lab, "a", &format!("{TEN}:443")).await, refused);
        places::log_in(&lab, "a", "gw").await.unwrap();
        assert_eq!(connect(&lab, "a", &format!("{TEN}:443")).await, Ok(()));
        assert_eq!(connect(&lab, "b", &format!("{TEN}:443")).await, refused);
        let server = socket(lab.node("ten").unwrap(), &format!("{TEN}:53")).await;
        let a = socket(lab.node("a").unwrap(), "0.0.0.0:0").await;
        a.send_to(b"x", format!("{TEN}:53")).await.unwrap();
        assert!(heard(&server).await.is_some(), "names are hijacked still");
        places::forget_guests(&lab, "gw").await.unwrap();
        assert_eq!(connect(&lab, "a", &format!("{TEN}:443")).await, refused);
        lab.down().await.unwrap();
    }
}

async fn a_venue_without_a_portal_has_no_login() {
    let lab = Lab::up(&plan(find("home-default"))).await.unwrap();
    let error = places::log_in(&lab, "a", "gw").await.unwrap_err();
    assert!(error.to_string().contains("no portal"), "{error}");
    lab.down().await.unwrap();
}

async fn a_proxy_connects_to_no_other_port_than_it_may() {
    let plan = plan(find("proxy-only"));
    let proxy = plan.places[0].proxy.as_ref().unwrap();
    assert_eq!((proxy.port, proxy.only.as_slice()), (3128, &[443][..]));
    let lab = Lab::up(&plan).await.unwrap();
    // To the proxy itself everybody gets, and to nobody else.
    assert_eq!(connect(&lab, "a", "192.168.7.1:3128").await, Ok(()));
    let _listener = listen(&lab, "ten", &format!("{TEN}:443")).await;
    let outside = format!("{TEN}:443");
    let directly = timeout(Duration::from_millis(300), connect(&lab, "a", &outside));
    assert!(directly.await.is_err());
    lab.down().await.unwrap();
}

async fn listen(lab: &Lab, node: &str, address: &str) -> TcpListener {
    let address: SocketAddr = address.parse().unwrap();
    let node = lab.node(node).unwrap();
    let bound =
        node.run(move || Box::pin(async move { TcpListener::bind(address).await.unwrap() }));
    bound.await.unwrap()
}

/// How connecting from a node ends.
async fn connect(lab: &Lab, node: &str, to: &str) -> Result<(), ErrorKind> {
    let to: SocketAddr = to.parse().unwrap();
    let connecting = lab
        .node(node)
        .unwrap()
        .run(move || Box::pin(async move { TcpStream::connect(to).await.map(drop) }));
    let ended = timeout(LIMIT, connecting).await.expect("nobody answers");
    ended.unwrap().map_err(|error| error.kind())
}

fn plan(kind: VenueKind) -> Plan {
    Plan::new(&Scenario::bench(kind).unwrap())
}

/// Without its line: datagrams are sent once here, and some lines lose them.
fn find(name: &str) -> VenueKind {
    let kind = VenueKind::find(Path::new(name)).unwrap();
    VenueKind { link: None, ..kind }
}
