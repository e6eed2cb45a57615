//! What an author is told about a mistake.

use std::path::PathBuf;

use super::*;

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

/// The how-to's scenario with one piece of text replaced, as its author would see it fail: line and reason.
fn mistake(good: &str, bad: &str) -> (usize, String) {
    let text = std::fs::read_to_string(scenarios().join("how-to.toml")).unwrap();
    assert!(text.contains(good), "{good:?} is in the scenario");
    let source = Source::from_text("how-to.toml", text.replacen(good, bad, 1));
    let error = Scenario::from_source(source, &scenarios()).unwrap_err();
    (error.line.unwrap_or(0), error.reason)
}

fn line_of(needle: &str) -> usize {
    let text = std::fs::read_to_string(scenarios().join("how-to.toml")).unwrap();
    text.lines().position(|line| line.contains(needle)).unwrap() + 1
}

#[test]
fn every_scenario_of_the_house_is_sound() {
    for entry in std::fs::read_dir(scenarios()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            Scenario::load(&path).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_known_one() {
    let (line, reason) = mistake("prefix  =", "prefiks =");
    assert_eq!(line, line_of("prefix  ="));
    assert_eq!(reason, "unknown key `prefiks`; did you mean `prefix`?");
}

#[test]
fn a_missing_key_names_the_table_it_is_missing_from() {
    let (line, reason) = mistake("at      = \"cafe\"\n", "");
    assert_eq!(line, line_of("[[pi]]"));
    assert!(reason.contains("missing field `at`"), "{reason}");
}

#[test]
fn a_line_that_carries_less_wants_a_public_network_of_its_own() {
    let good = "like = \"home-default\"\nwan  = \"203.0.113.50/24\"";
    let (line, reason) = mistake(good, "like = \"low-mtu\"\nwan  = \"198.51.100.50/24\"");
    assert_eq!(line, line_of("wan  ="));
    assert!(
        reason.starts_with("\"v6router\" is in this network too"),
        "{reason}"
    );
}

#[test]
fn an_unknown_place_is_answered_with_the_nearest_known_one() {
    let (line, reason) = mistake("at      = \"cafe\"", "at      = \"caff\"");
    assert_eq!(line, line_of("at      ="));
    assert_eq!(
        reason,
        "there is no venue or sharer \"caff\"; did you mean `cafe`?"
    );
}

#[test]
fn an_unknown_kind_of_venue_lists_those_there_are() {
    let (line, reason) = mistake("home-default", "castle");
    assert_eq!(line, line_of("like"));
    assert!(
        reason.contains("venues/castle.toml") && reason.contains("home-default"),
        "{reason}"
    );
}

#[test]
fn a_kind_of_venue_cannot_leave_its_folder() {
    let (_, reason) = mistake("home-default", "../how-to");
    assert!(reason.contains("is not a name"), "{reason}");
}

#[test]
fn names_are_what_a_tinc_node_may_be_called() {
    let (line, reason) = mistake("\"node_one\"", "\"node-one\"");
    assert_eq!(line, line_of("name    = \"node_one\""));
    assert!(
        reason.contains("letters, digits and underscores"),
        "{reason}"
    );
}

#[test]
fn addresses_outside_their_network_are_refused() {
    let (line, reason) = mistake("192.168.1.6", "192.168.2.6");
    assert_eq!(line, line_of("192.168.1.6"));
    assert!(reason.contains("not in 192.168.1.0/24"), "{reason}");
    let (_, reason) = mistake("ef00::11", "ef01::11");
    assert!(reason.contains("not on the overlay's link"), "{reason}");
    let (_, reason) = mistake("ef11::/64", "ef11::/56");
    assert!(reason.contains("/64"), "{reason}");
}

#[test]
fn a_static_address_may_not_be_one_that_the_venue_gives_out() {
    for taken in ["192.168.1.1", "192.168.1.100", "192.168.1.255"] {
        let (line, reason) = mistake("192.168.1.6", taken);
        assert_eq!(line, line_of("192.168.1.6"));
        assert!(reason.contains("take another"), "{reason}");
    }
}

#[test]
fn the_same_name_twice_points_at_the_first() {
    let (_, reason) = mistake("\"laptop\"", "\"www\"");
    assert!(
        reason.contains(&format!("line {}", line_of("\"www\""))),
        "{reason}"
    );
}

#[test]
fn broken_toml_is_told_with_its_line() {
    let (line, reason) = mistake("title = \"how-to\"", "title = ");
    assert_eq!(line, line_of("title"));
    assert!(!reason.contains('\n'), "{reason}");
}

#[test]
fn a_kind_that_keeps_silent_about_itself_is_refused() {
    let text = std::fs::read_to_string(scenarios().join("nat/full-cone.nft")).unwrap();
    let load = |text: String| kind::kind_of(&Source::from_text("full-cone.nft", text), "full-cone");
    assert_eq!(load(text.clone()).unwrap().addresses, 1);
    let error = load(text.replace("#! leak ", "# leak ")).unwrap_err();
    assert!(error.reason.contains("`#! leak = ...`"), "{error}");
}

#[test]
fn what_a_kind_states_wrongly_is_told_with_its_line() {
    let text = std::fs::read_to_string(scenarios().join("nat/full-cone.nft")).unwrap();
    let line = text
        .lines()
        .position(|line| line.starts_with("#! filtering"))
        .unwrap()
        + 1;
    let wrong = Source::from_text("full-cone.nft", text.replace("\"EIF\"", "\"EFI\""));
    let error = kind::kind_of(&wrong, "full-cone").unwrap_err();
    assert_eq!(error.line, Some(line), "{error}");
    assert!(error.reason.contains("APDF"), "{error}");
}

#[test]
fn an_addition_changes_what_it_states_and_nothing_else() {
    let find = |name: &str| VenueKind::find(Path::new(name)).unwrap().nat;
    let (plain, more) = (find("full-cone"), find("full-cone+hairpin"));
    assert_eq!(more.name, "full-cone+hairpin");
    let expected = nat::Behaviour {
        hairpin: nat::Hairpin::External,
        ..plain.behaviour
    };
    assert_eq!(more.behaviour, expected);
    assert!(more.template.starts_with(&plain.template));
}

#[test]
fn an_address_that_a_pool_takes_is_nobody_elses() {
    let pool = VenueKind::find(Path::new("pool-paired")).unwrap();
    let mut scenario = Scenario::bench(pool).unwrap();
    scenario.servers[0].addresses[0] = Spanned::new(0..0, "203.0.113.53/24".parse().unwrap());
    let error = check::check(&scenario).unwrap_err();
    assert!(error.reason.contains("203.0.113.53"), "{error}");
}

#[test]
fn a_pool_that_does_not_fit_into_its_network_is_refused() {
    let like = "like = \"home-default\"\n";
    let wan = |wan: &str| {
        let but = "but  = { nat = \"pool-paired\" }\n";
        let good = format!("{like}wan  = \"203.0.113.50/24\"");
        mistake(&good, &format!("{like}{but}wan  = \"{wan}\""))
    };
    let (line, reason) = wan("203.0.113.253/24");
    assert_eq!(line, line_of("wan  =") + 1);
    assert_eq!(
        reason,
        "pool-paired takes 4 addresses from 203.0.113.253/24 on, and there are not as many; \
         the last to begin with is 203.0.113.251/24"
    );
    let (_, reason) = wan("203.0.113.2/30");
    assert!(reason.ends_with("take a wider network"), "{reason}");
    let pool = VenueKind::find(Path::new("pool-paired")).unwrap();
    let last = Scenario::builder("last")
        .server("www", ["198.51.100.10/24"])
        .venue_of("cafe", pool, "203.0.113.251/24", "192.168.1.0/24")
        .build()
        .unwrap();
    assert_eq!(last.venues[0].outside().len(), 4);
}

#[test]
fn an_address_that_everybody_hears_is_nobodys() {
    let (line, reason) = mistake("203.0.113.50/24", "203.0.113.255/24");
    assert_eq!(line, line_of("wan  ="));
    assert!(reason.ends_with("take an earlier one"), "{reason}");
}

/// The how-to's scenario with the cafe otherwise than its file says.
fn cafe_but(but: &str) -> Result<Scenario, ModelError> {
    let text = std::fs::read_to_string(scenarios().join("how-to.toml")).unwrap();
    let like = "like = \"home-default\"\n";
    let text = text.replacen(like, &format!("{like}but  = {{ {but} }}\n"), 1);
    Scenario::from_source(Source::from_text("how-to.toml", text), &scenarios())
}

/// What is told of a mistake there: the reason, of the one line in which all of it stands.
fn but_mistake(but: &str) -> String {
    let error = cafe_but(but).unwrap_err();
    assert_eq!(error.file, Path::new("how-to.toml"), "{error}");
    assert_eq!(error.line, Some(line_of("like") + 1), "{error}");
    error.reason
}

#[test]
fn what_a_scenario_says_of_a_venue_goes_before_its_file_field_by_field() {
    let scenario = cafe_but("nat = \"symmetric\", udp-timeout = { unreplied = 5 }").unwrap();
    let kind = &scenario.venues[0].kind;
    assert_eq!(kind.nat.name, "symmetric");
    let timeout = UdpTimeout {
        unreplied: 5,
        replied: 120,
    };
    assert_eq!(kind.udp_timeout, Some(timeout));
}

#[test]
fn an_addition_goes_with_the_kind_it_was_added_to() {
    let good = Spanned::new(0..0, "home-good".to_owned());
    let source = Source::from_text("x.toml", String::new());
    let but: VenueFile = toml::from_str("nat = \"symmetric\"").unwrap();
    let kind = VenueKind::load(&scenarios(), &good, Some(&but), &source).unwrap();
    assert_eq!(kind.nat.name, "symmetric");
    let but: VenueFile = toml::from_str("with = []").unwrap();
    let kind = VenueKind::load(&scenarios(), &good, Some(&but), &source).unwrap();
    assert_eq!(kind.nat.name, "port-restricted-strict");
}

#[test]
fn a_mistake_in_what_a_scenario_says_of_a_venue_is_the_scenarios() {
    let reason = but_mistake("nat = \"symetric\"");
    assert!(reason.ends_with("did you mean `symmetric`?"), "{reason}");
    let reason = but_mistake("udp-timeuot = {}");
    assert!(reason.ends_with("did you mean `udp-timeout`?"), "{reason}");
    let reason = but_mistake("behind = { udp-timeout = { replied = 5 } }");
    assert!(reason.contains("missing field `nat`"), "{reason}");
    let reason = but_mistake("behind = { nat = \"symmetric\", lan = \"10.0.0.1/8\" }");
    assert!(reason.contains("a lan is an IPv4 network"), "{reason}");
    let reason = but_mistake("behind = { nat = \"symmetric\", udp-timeout = { replied = 5 } }");
    assert!(reason.contains("`unreplied`"), "{reason}");
}

#[test]
fn nobody_has_the_name_of_the_router_in_front() {
    let text = std::fs::read_to_string(scenarios().join("how-to.toml")).unwrap();
    let text = text
        .replace("home-default", "cgnat-fixed")
        .replace("\"laptop\"", "\"cafe_carrier\"");
    let error = Scenario::from_source(Source::from_text("x.toml", text), &scenarios()).unwrap_err();
    assert_eq!(error.line, Some(line_of("\"laptop\"")), "{error}");
    assert!(error.reason.contains("in front of \"cafe\""), "{error}");
}

#[test]
fn a_venue_can_be_exchanged_for_one_of_another_kind() {
    let how_to = || Scenario::load(&scenarios().join("how-to.toml")).unwrap();
    let hotel = how_to().with_venue_like("cafe", "hotel-symmetric").unwrap();
    assert_eq!(hotel.venues[0].kind.nat.name, "symmetric");
    let error = how_to().with_venue_like("caff", "home-good").unwrap_err();
    assert!(error.reason.ends_with("did you mean `cafe`?"), "{error}");
    let error = how_to().with_venue_like("cafe", "home-god").unwrap_err();
    assert_eq!(error.line, Some(line_of("like")), "{error}");
    assert!(
        error.reason.ends_with("did you mean `home-good`?"),
        "{error}"
    );
}

#[test]
fn mistakes_in_the_rules_of_a_house_are_told_with_what_would_be_right() {
    for (but, right) in [
        (
            "firewall = { walls = [\"udp-blokced\"] }",
            "did you mean `udp-blocked`?",
        ),
        (
            "firewall = { walls = [\"portal\"] }",
            "`portal` comes with [portal]; say that in its place",
        ),
        ("firewall = { flows-per-device = 0 }", "the nearest is 1"),
        (
            "firewall = { flows = 3 }",
            "known here: walls, flows-per-device",
        ),
        (
            "proxy = { only = [443, 0] }",
            "0 is no port; the nearest is 1",
        ),
        (
            "portal = { remembers = \"name\" }",
            "unknown value `name` of `remembers`; known here: mac, address",
        ),
    ] {
        let reason = but_mistake(but);
        assert!(reason.ends_with(right), "{but}: {reason}");
    }
}

#[test]
fn rules_of_a_house_go_before_its_files_field_by_field() {
    let but = "portal = { remembers = \"address\" }, firewall = { walls = [\"udp-blocked\"] }";
    let how_to = cafe_but(but).unwrap();
    let hotel = how_to.with_venue_like("cafe", "hotel-portal").unwrap();
    let house = &hotel.venues[0].kind.house;
    let walls: Vec<&str> = house.walls.iter().map(|wall| wall.name.as_str()).collect();
    assert_eq!(walls, ["flow-limit", "udp-blocked", "portal"]);
    assert_eq!(house.walls[0].flows, Some(200));
    assert_eq!(house.portal.unwrap().remembers, Remembers::Address);
    assert!(house.isolation);
}

/// What an author is told of a kit behind the Pi of the how-to, which has `prefix`.
fn kit_mistake(prefix: &str, kit: &str) -> (usize, String) {
    let kit = format!("behind = \"node_one\"\n\n[[kit]]\n{kit}");
    let text = std::fs::read_to_string(scenarios().join("how-to.toml")).unwrap();
    let text = text.replace("2001:db8:85a3:ef11::/64", prefix);
    let source = Source::from_text("how-to.toml", text.replace("behind = \"node_one\"", &kit));
    let error = Scenario::from_source(source, &scenarios()).unwrap_err();
    (error.line.unwrap_or(0), error.reason)
}

#[test]
fn a_link_by_cable_and_one_by_radio_need_two_prefixes() {
    let kit = "name = \"kit\"\nbehind = \"node_one\"\n";
    let (line, reason) = kit_mistake("2001:db8:85a3:ef11::/64", kit);
    assert_eq!(line, line_of("prefix  ="));
    assert!(
        reason.ends_with("each needs a /64; a /63 has two"),
        "{reason}"
    );
}

#[test]
fn a_kit_that_cannot_be_is_refused_where_it_is_written() {
    let behind = line_of("behind = ");
    for (kit, at, wanted) in [
        (
            "name = \"kit\"\nbehind = \"node_on\"\n",
            4,
            "there is no Pi \"node_on\"; did you mean `node_one`?",
        ),
        (
            "name = \"kit\"\nbehind = \"node_one\"\ndevice = \"c2:0:0:0:0:1\"\n",
            5,
            "\"c2:0:0:0:0:1\": a device address is six pairs of hexadecimal digits with colons between them, e.g. \
             c0:00:00:00:00:01",
        ),
        (
            "name = \"kit\"\nbehind = \"node_one\"\ninterval = 5\n",
            5,
            "interval = 5: it is from 8 to 4000 milliseconds",
        ),
        (
            "name = \"kit\"\nbehind = \"node_one\"\npackets = 7\n",
            5,
            "packets = 7: from 1 to 6 are sent in an interval",
        ),
        (
            "name = \"laptop\"\nbehind = \"node_one\"\n",
            3,
            "\"laptop\" is already the name in line",
        ),
    ] {
        let (line, reason) = kit_mistake("2001:db8:85a3:ef12::/63", kit);
        assert!(reason.starts_with(wanted), "{reason}");
        assert_eq!(line, behind + at, "{reason}");
    }
}

#[test]
fn prefixes_of_pis_do_not_overlap() {
    let path = scenarios().join("five-pis.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.replacen("ef12::/64", "ef10::/62", 1);
    let source = Source::from_text("five-pis.toml", text);
    let error = Scenario::from_source(source, &scenarios()).unwrap_err();
    assert_eq!(
        error.reason,
        "2001:db8:85a3:ef10::/62 overlaps 2001:db8:85a3:ef11::/64, which is \"node_one\"'s"
    );
}

#[test]
fn what_a_venue_serves_wrongly_is_told_where_it_is_written() {
    let where_told = |file: &str, but: &str| {
        let file = format!("because = \"a test\"\nnat = \"port-restricted\"\n{file}");
        let [venue, scenario] = [("venue", file.as_str()), ("scenario", but)]
            .map(|(name, text)| Source::from_text(name, text.to_owned()));
        let but: VenueFile = scenario.parse().unwrap();
        let but = Some(overriding::Said::new(&but, &scenario));
        let error = VenueKind::from_source(&venue, &scenarios(), but).unwrap_err();
        error.to_string()
    };
    let lease = "[dhcp]\nlease = 60\n";
    let told = "venue:4: lease = 60: at least 120, in seconds";
    assert_eq!(where_told(lease, ""), told);
    assert_eq!(where_told(lease, "dhcp = { ipv6-only = 1800 }"), told);
    let told = where_told("[dns]\nanswers = \"nothing\"\n", "dns = { delay = 3.0 }");
    assert!(told.starts_with("scenario:1: "), "{told}");
    let told = where_told("[ipv6]\nleads = \"out\"\nprefix = \"2001:db8::/48\"\n", "");
    assert!(told.starts_with("venue:5: prefix = "), "{told}");
}

#[test]
fn an_unknown_value_is_answered_with_its_field_and_the_nearest_known_one() {
    assert_eq!(
        but_mistake("dns = { answers = \"truht\" }"),
        "unknown value `truht` of `answers`; did you mean `truth`?"
    );
}

#[test]
fn a_router_remembers_for_a_second_to_a_day() {
    for (but, told) in [
        (
            "unreplied = 0",
            "unreplied = 0: from 1 to 86400, in seconds; the nearest is 1",
        ),
        (
            "replied = 4294967295",
            "replied = 4294967295: from 1 to 86400, in seconds; the nearest is 86400",
        ),
    ] {
        assert_eq!(but_mistake(&format!("udp-timeout = {{ {but} }}")), told);
    }
}
