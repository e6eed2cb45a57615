//! What `v6lab bench` tells. Needs what `./prepare` installs, and fails where that is missing. No speed is asserted:
//! who tests may do other things meanwhile.

use std::process::{Command, Output};

use serde_json::Value;

fn bench(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_v6lab"))
        .arg("bench")
        .args(args)
        .output()
        .unwrap()
}

fn json(args: &[&str]) -> Value {
    let output = bench(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn tunnels_are_measured_side_by_side() {
    let plot = std::env::temp_dir().join(format!("v6lab-bench-{}.svg", std::process::id()));
    let args = [
        "--subjects",
        "veth,tincd",
        "--rounds",
        "1",
        "--seconds",
        "1",
        "--json",
    ];
    let report = json(&[&args[..], &["--plot", plot.to_str().unwrap()]].concat());
    assert_eq!(report["reference"], "tincd");
    assert!(report["machine"]["cpus"].as_u64().unwrap() > 0);
    let figures = |n: usize| report["subjects"][n]["figures"].as_object().unwrap();
    let (veth, tincd) = (figures(0), figures(1));
    for metric in ["tcp_mbit_s", "tcp_both_mbit_s", "ping_us", "loaded_ping_us"] {
        assert!(veth[metric]["median"].as_f64().unwrap() > 0.0, "{metric}");
        assert!(tincd[metric]["median"].as_f64().unwrap() > 0.0, "{metric}");
        assert_eq!(tincd[metric]["ratio"], 1.0, "{metric}");
    }
    for metric in [
        "cpu_s_gib",
        "first_ping_ms",
        "resident_left_mb",
        "peak_right_mb",
    ] {
        assert!(tincd[metric]["median"].as_f64().unwrap() > 0.0, "{metric}");
        assert!(!veth.contains_key(metric), "a cable has no {metric}");
    }
    let picture = std::fs::read_to_string(&plot).unwrap();
    std::fs::remove_file(&plot).unwrap();
    assert!(picture.starts_with("<svg") && picture.ends_with("</svg>"));
}

#[test]
fn a_star_comes_together_twice() {
    let report = json(&["--scale", "--sizes", "3", "--subjects", "tincd", "--json"]);
    let stars = report["stars"].as_array().unwrap();
    assert_eq!(stars.len(), 1);
    for phase in ["start", "restart"] {
        let phase = &stars[0][phase];
        assert_eq!(phase["reached"], 3, "{report}");
        assert!(phase["joined_s"].as_f64().unwrap() > 0.0, "{report}");
        assert!(phase["resident"].as_u64().unwrap() > 0, "{report}");
        assert_eq!(phase["ended"], 0, "{report}");
    }
}

#[test]
fn what_cannot_be_measured_is_told_before_anything_is_built() {
    let told = |args: &[&str], code: i32| {
        let output = bench(args);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(told(&["--subjects", "openvpn"], 1).contains("there is no subject \"openvpn\""));
    let missing = told(
        &["--program", "old=/nowhere/v6router", "--subjects", "old"],
        2,
    );
    assert!(missing.contains("/nowhere/v6router"), "{missing}");
    assert!(told(&["--scale", "--subjects", "veth"], 1).contains("veth makes no star"));
}
