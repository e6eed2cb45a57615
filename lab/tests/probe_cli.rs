//! What `v6lab probe` and `v6lab matrix` promise at the command line. Need what `v6lab doctor` asks for, and fail where
//! that is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Exit code, standard output, standard error.
fn probe(args: &[&str]) -> (i32, String, String) {
    v6lab(&[&["probe"], args].concat())
}

fn v6lab(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_v6lab"))
        .args(args)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

#[test]
fn a_venue_that_is_as_stated_is_told_and_done() {
    let (code, told, error) = probe(&["home-default"]);
    assert_eq!((code, error.as_str()), (0, ""), "{told}");
    assert!(
        told.starts_with("home-default (NAT port-restricted)\n"),
        "{told}"
    );
    assert!(told.contains("filtering   APDF      APDF\n"), "{told}");
}

#[test]
fn a_carriers_router_in_front_is_told_as_well() {
    let (code, told, error) = probe(&["cgnat-fixed"]);
    assert_eq!((code, error.as_str()), (0, ""), "{told}");
    assert!(
        told.starts_with("cgnat-fixed (NAT port-restricted)\n"),
        "{told}"
    );
    assert!(
        told.contains("\nthe router in front (NAT port-block)\n"),
        "{told}"
    );
    let (_, told, _) = probe(&["--json", "cgnat-fixed"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["behind"]["nat"], "port-block", "{told}");
    assert_eq!(told["behind"]["measured"]["preserved"], false, "{told}");
}

#[test]
fn the_rules_of_a_house_are_tried_and_told() {
    let (code, told, error) = probe(&["hotel-portal"]);
    assert_eq!((code, error.as_str()), (0, ""), "{told}");
    for rule in [
        "  wall flow-limit: 200 flows for each device\n",
        "  wall portal: TCP to port 22 reset, TCP to port 80 hijacked, ",
        "  isolation: devices hear the router and not each other\n",
    ] {
        assert!(told.contains(rule), "{told}");
    }
    let (code, told, error) = probe(&["--json", "proxy-only"]);
    assert_eq!((code, error.as_str()), (0, ""), "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    let proxy = "proxy 192.168.7.1:3128: connects to port 443 alone";
    assert_eq!(told["rules"][1], proxy, "{told}");
}

#[test]
fn a_false_statement_fails_with_both_values() {
    let honest = fs::read_to_string(scenarios().join("nat/symmetric-addr.nft")).unwrap();
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("probe-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("boast.nft");
    let stated = "#! mapping    = \"ADM\"";
    assert!(honest.contains(stated));
    fs::write(&path, honest.replace(stated, "#! mapping    = \"EIM\"")).unwrap();
    let (code, told, error) = probe(&["--json", path.to_str().unwrap()]);
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(code, 1, "{told}{error}");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["ok"], false);
    assert_eq!(told["stated"]["mapping"], "EIM");
    assert_eq!(told["measured"]["mapping"], "ADM");
    assert_eq!(told["differences"].as_array().unwrap().len(), 1, "{told}");
    assert!(
        error.contains("mapping is stated as EIM and was measured as ADM"),
        "{error}"
    );
}

/// A feature in a folder of its own, whose cafe has a NAT that is not what its file says.
#[test]
fn a_run_in_a_venue_that_is_not_what_it_says_fails_with_both_values() {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("run-{}", std::process::id()));
    for folder in ["venues", "nat"] {
        let folder = Path::new("scenarios").join(folder);
        fs::create_dir_all(home.join(&folder)).unwrap();
    }
    let copy = |name: &str| {
        let text = fs::read_to_string(scenarios().join(name)).unwrap();
        let text = text.replace("#! early      = true", "#! early      = false");
        fs::write(home.join("scenarios").join(name), text).unwrap();
    };
    copy("how-to.toml");
    copy("venues/home-default.toml");
    copy("nat/port-restricted.nft");
    let feature = home.join("cafe.feature");
    let steps = "Feature: a cafe\n  Scenario: its network\n    Given the network \"how-to\"\n";
    fs::write(&feature, steps).unwrap();
    let (code, told, _) = v6lab(&["run", "--daemon", "tincd", feature.to_str().unwrap()]);
    fs::remove_dir_all(&home).unwrap();
    assert_eq!(code, 1, "{told}");
    let reason = "early is stated as no and was measured as yes";
    assert!(told.contains(reason), "{told}");
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    for (wrong, nearest) in [
        ("home-defalt", "did you mean `home-default`?"),
        ("ful-cone", "did you mean `full-cone`?"),
        ("full-cone+hairpn", "did you mean `hairpin`?"),
    ] {
        let (code, _, error) = probe(&[wrong]);
        assert_eq!(code, 1);
        assert!(error.contains(nearest), "{error}");
    }
}

#[test]
fn the_ruleset_is_shown_with_everything_filled_in() {
    let (code, text, _) = probe(&["--ruleset", "full-cone+hairpin"]);
    assert_eq!(code, 0);
    assert!(text.contains("define public = 203.0.113.50\n"), "{text}");
    assert!(text.contains("timeout 120s\n"), "{text}");
    assert!(!text.contains("$mapping_timeout"), "{text}");
}

#[test]
fn the_matrix_has_every_pair_three_times_and_agrees_with_theory() {
    let (code, told, error) = v6lab(&["matrix", "--json"]);
    assert_eq!((code, error.as_str()), (0, ""));
    let cells: Vec<Value> = serde_json::from_str(&told).unwrap();
    let find = |first: &str, second: &str| {
        let is = |cell: &&Value| cell["first"] == first && cell["second"] == second;
        cells.iter().find(is).unwrap()
    };
    for (first, second, works) in [
        ("port-restricted", "port-restricted", true),
        ("port-restricted", "masq-naive", false),
        ("masq-naive", "port-restricted", true),
        ("symmetric", "port-restricted", false),
        ("symmetric", "address-restricted", true),
    ] {
        let cell = find(first, second);
        assert_eq!(cell["theory"], works, "{cell}");
        assert_eq!(
            cell["seen"],
            serde_json::json!([works, works, works]),
            "{cell}"
        );
    }
}
