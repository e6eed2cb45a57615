//! `v6lab doctor`: whether this machine can run a lab, by trying, and the one line that helps where it cannot.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use nix::unistd::geteuid;
use serde::Serialize;
use v6lab::conditioner::Line;
use v6lab::fabric::{self, Lab};
use v6lab::nat::{self, Sides};
use v6lab::plan::{AddressPlan, End, Guest, InterfacePlan, LinkPlan, Net, NodePlan, Plan, Role};
use v6lab::say;
use v6lab::session::{self, CANNOT_RUN};

/// One thing a lab needs.
#[derive(Serialize)]
struct Finding {
    /// What it is.
    what: &'static str,
    /// Whether it is there.
    ok: bool,
    /// What was found.
    found: String,
    /// The command that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// The whole report.
#[derive(Serialize)]
struct Report {
    /// Whether everything is there.
    ok: bool,
    findings: Vec<Finding>,
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self {
            what,
            ok: true,
            found: found.into(),
            fix: None,
        }
    }

    fn bad(what: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            what,
            ok: false,
            found: found.into(),
            fix: Some(fix.into()),
        }
    }
}

/// Looks, tells, and ends with 2 if something is missing.
pub(super) fn main(json: bool) -> Result<i32> {
    let mut findings = vec![user_namespaces(), tun()];
    findings.extend(PROGRAMS.iter().map(|program| program.look()));
    let modprobe = "sudo modprobe -a veth bridge overlay nf_tables nft_chain_nat nft_masq nft_redir nft_ct nft_connlimit nft_reject";
    let parts = "namespaces, veth, bridge, overlay, nf_tables NAT";
    findings.push(kernel(parts, &[], modprobe));
    let newer = "sudo modprobe -a nf_tables nft_fwd_netdev, or a kernel with CONFIG_NETFILTER_EGRESS (Linux 5.16)";
    findings.push(kernel(
        "lines with conditions (netfilter egress)",
        &["--lines"],
        newer,
    ));
    let report = Report {
        ok: findings.iter().all(|finding| finding.ok),
        findings,
    };
    if json {
        say!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        tell(&report);
    }
    Ok(if report.ok { 0 } else { CANNOT_RUN })
}

fn tell(report: &Report) {
    for finding in &report.findings {
        say!(
            "{:4} {}: {}",
            if finding.ok { "ok" } else { "LACK" },
            finding.what,
            finding.found
        );
        if let Some(fix) = &finding.fix {
            say!("       {fix}");
        }
    }
    say!(
        "{}",
        if report.ok {
            "This machine can run a lab."
        } else {
            "This machine cannot run a lab yet."
        }
    );
}

/// Settings that forbid user namespaces to ordinary users: file below /proc/sys, forbidding value, remedy.
const USER_NAMESPACE_SETTINGS: [(&str, &str, &str); 3] = [
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    ),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    (
        "user/max_user_namespaces",
        "0",
        "sudo sysctl -w user.max_user_namespaces=10000",
    ),
];

fn user_namespaces() -> Finding {
    const WHAT: &str = "user namespaces";
    if geteuid().is_root() {
        return Finding::good(WHAT, "not needed by root");
    }
    for (setting, forbids, fix) in USER_NAMESPACE_SETTINGS {
        let value = fs::read_to_string(Path::new("/proc/sys").join(setting)).unwrap_or_default();
        if value.trim() == forbids {
            return Finding::bad(
                WHAT,
                format!("forbidden by {} = {forbids}", setting.replace('/', ".")),
                fix,
            );
        }
    }
    if Path::new("/proc/self/ns/user").exists() {
        return Finding::good(WHAT, "allowed");
    }
    Finding::bad(
        WHAT,
        "this kernel has none",
        "use a kernel with CONFIG_USER_NS, or run as root",
    )
}

fn tun() -> Finding {
    const WHAT: &str = "/dev/net/tun";
    let opened = OpenOptions::new().read(true).write(true).open(WHAT);
    match opened.map_err(|error| (error.kind(), error)) {
        Ok(_) => Finding::good(WHAT, "can be opened"),
        Err((ErrorKind::NotFound, _)) => Finding::bad(
            WHAT,
            "is not there",
            "sudo modprobe tun; test -e /dev/net/tun || sudo sh -c 'mkdir -p /dev/net && mknod -m 666 /dev/net/tun c 10 200'",
        ),
        Err((ErrorKind::PermissionDenied, _)) if !geteuid().is_root() => {
            Finding::bad(WHAT, "is closed to users", "sudo chmod 0666 /dev/net/tun")
        }
        Err((_, error)) => Finding::bad(
            WHAT,
            error.to_string(),
            "sudo modprobe tun; in a container, start it with --device /dev/net/tun",
        ),
    }
}

/// A program a lab runs, and the package that has it.
struct Program {
    name: &'static str,
    package: &'static str,
}

const PROGRAMS: [Program; 5] = [
    Program {
        name: "dhcpcd",
        package: "dhcpcd-base",
    },
    Program {
        name: "dnsmasq",
        package: "dnsmasq-base",
    },
    Program {
        name: "nft",
        package: "nftables",
    },
    Program {
        name: "tincd",
        package: "tinc",
    },
    Program {
        name: "ip",
        package: "iproute2",
    },
];

impl Program {
    /// Looks where a node would.
    fn look(&self) -> Finding {
        match fabric::installed(self.name) {
            Some(path) => Finding::good(self.name, path.display().to_string()),
            None => Finding::bad(
                self.name,
                "is not installed",
                format!("sudo apt-get install -y {}", self.package),
            ),
        }
    }
}

/// Builds the smallest network that has one of everything, in a process of its own; `fix` helps where that is missing.
fn kernel(what: &'static str, options: &[&str], fix: &str) -> Finding {
    let tried = std::env::current_exe().and_then(|program| {
        Command::new(program)
            .arg("try-kernel")
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .output()
    });
    let output = match tried {
        Ok(output) => output,
        Err(error) => {
            return Finding::bad(
                what,
                format!("cannot be tried: {error}"),
                "run v6lab by its full path",
            );
        }
    };
    if output.status.success() {
        return Finding::good(what, "a small lab was built");
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let reason = words.trim().trim_start_matches("v6lab: ").to_owned();
    let fix = match output.status.code() {
        Some(CANNOT_RUN) if geteuid().is_root() => "in a container, start it with --privileged",
        Some(CANNOT_RUN) => "mend the line about user namespaces, or run as root",
        _ if reason.contains("nft:") => "sudo apt-get install -y nftables",
        _ => fix,
    };
    Finding::bad(what, reason, fix)
}

/// The process in which the kernel is tried.
pub(super) fn try_kernel(lines: bool) -> Result<i32> {
    session::enter()?;
    super::runtime()?.block_on(async {
        let line = lines.then(Line::default);
        Lab::up(&smallest(line)).await?.down().await?;
        Ok(0)
    })
}

/// A router with a bridge and a NAT, and one machine behind it, on a line or a mere cable.
fn smallest(line: Option<Line>) -> Plan {
    // What NATs, walls and portals are made of.
    const NAT: &str = "table ip lab {
  set counted {
    type ipv4_addr
    flags dynamic
  }
  chain pre {
    type nat hook prerouting priority dstnat; policy accept;
    iifname $lan tcp dport 80 redirect to :80
  }
  chain way {
    type filter hook forward priority filter; policy accept;
    ct state new add @counted { ip saddr ct count over 100 } drop
    meta l4proto tcp reject with tcp reset
  }
  chain post {
    type nat hook postrouting priority srcnat; policy accept;
    oifname $wan ct state new masquerade
  }
}
";
    let interface = |name: &str, last: u8| InterfacePlan {
        name: name.to_owned(),
        mac: [0x02, b'v', b'6', 0, 0, last],
        mtu: 1500,
        bridge: false,
        port_of: None,
        addresses: Vec::new(),
        radio: None,
    };
    let node = |name: &str, interfaces: Vec<InterfacePlan>| NodePlan {
        name: name.to_owned(),
        role: Role::Router,
        interfaces,
        routes: Vec::new(),
        sysctls: Vec::new(),
        ruleset: None,
        service: None,
        advertisement: None,
        guest: Guest::default(),
    };
    let end = |node: &str, interface: &str| End {
        node: node.to_owned(),
        interface: interface.to_owned(),
    };
    let net = Net {
        addr: Ipv4Addr::new(192, 0, 2, 1).into(),
        len: 24,
    };
    let bridge = InterfacePlan {
        bridge: true,
        addresses: vec![AddressPlan {
            net,
            label: None,
            leased: false,
        }],
        ..interface("lan0", 1)
    };
    let port = InterfacePlan {
        port_of: Some("lan0".to_owned()),
        ..interface("lan1", 2)
    };
    let mut router = node("router", vec![bridge, port]);
    let sides = Sides {
        wan: "wan0",
        lan: "lan0",
        outside: &[],
        inside: None,
        mapping_timeout: 30,
    };
    router.ruleset = Some(nat::ruleset("masquerade", NAT, &sides));
    Plan {
        title: "probe".to_owned(),
        nodes: vec![router, node("machine", vec![interface("eth0", 3)])],
        links: vec![LinkPlan {
            name: "router--machine".to_owned(),
            ends: [end("router", "lan1"), end("machine", "eth0")],
            line,
        }],
        overlay: None,
        passages: Vec::new(),
        places: Vec::new(),
        seed: 0,
    }
}
