//! Exit codes and what scripts rely on: Debian's tincd and ours, side by side.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{BOTH, Kind, PATIENCE, Site, TempDir, alone, wait_for};

/// How a command ended: its exit status and what it said.
#[derive(Debug)]
struct Outcome {
    /// `None`: it had to be killed.
    code: Option<i32>,
    errors: String,
}

/// Runs to the end; a daemon that runs on has accepted what it was given.
fn run(mut command: Command, errors: &Path) -> Outcome {
    let file = fs::File::create(errors).unwrap();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        .spawn()
        .unwrap();
    let began = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        let said = fs::read_to_string(errors).unwrap();
        if said.contains("Ready") && !said.contains("Terminating") || began.elapsed() > PATIENCE {
            // A moment for what follows "Ready".
            std::thread::sleep(Duration::from_millis(500));
            if child.try_wait().unwrap().is_some() {
                continue;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let errors = fs::read_to_string(errors).unwrap();
    Outcome { code, errors }
}

/// Runs the same with both daemons, each in a directory of its own with the same content.
fn compare(what: &str, build: impl Fn(Kind, &Site) -> Command) -> [Outcome; 2] {
    BOTH.map(|kind| {
        let dir = TempDir::new();
        let site = Site::new(dir.path(), "node_one", "", &[("node_one", "Port = 655")]);
        let outcome = run(build(kind, &site), &dir.path().join("errors"));
        println!("{what}: {kind:?} {:?}", outcome.code);
        outcome
    })
}

fn assert_same(what: &str, code: i32, build: impl Fn(Kind, &Site) -> Command) -> [Outcome; 2] {
    let outcomes = compare(what, build);
    for (kind, outcome) in BOTH.iter().zip(&outcomes) {
        assert_eq!(
            outcome.code,
            Some(code),
            "{what}: {kind:?}: {}",
            outcome.errors
        );
    }
    outcomes
}

#[test]
fn misuse_of_the_command_line_ends_as_with_tincd() {
    let cases: [(&[&str], i32); 14] = [
        (&["--help"], 0),
        (&["--version"], 0),
        (&["--bogus"], 1),
        (&["-x"], 1),
        (&["word"], 1),
        (&["-n", "a", "-n", "b"], 1),
        (&["-c", "a", "-c", "b"], 1),
        (&["-n"], 1),
        (&["-o", "foo"], 1),
        (&["-kFOO"], 1),
        (&["-K12"], 1),
        (&["-c", "/no/such/directory", "-D"], 1),
        (&["-c", "/no/such/directory", "-kHUP"], 1),
        (&["-n", "no_such_net", "-D"], 1),
    ];
    for (words, code) in cases {
        assert_same(&words.join(" "), code, |kind, _| {
            let mut command = kind.command();
            command.args(words);
            command
        });
    }
}

#[test]
fn a_configuration_that_tincd_refuses_is_refused() {
    alone("a_configuration_that_tincd_refuses_is_refused", || {
        for bad in [
            "Name",
            "Mode = swich",
            "Cipher = rot13",
            "Digest = crc",
            "MACLength = 99",
            "Compression = 12",
            "DeviceType = tab",
            "Subnet = 10.0.0.1/8",
            "MaxTimeout = 0",
            "MinTimeout = -1",
            "ReplayWindow = -1",
            "UDPRcvBuf = 0",
            "UDPSndBuf = -5",
            "Proxy = socks6 a 1",
            "Proxy = socks5",
            "Proxy = http host",
            "Forwarding = maybe",
            "Broadcast = all",
            "AddressFamily = ipx",
            "ProcessPriority = best",
            "PrivateKeyFile = /no/such/file",
            "BindToAddress = 192.0.2.77",
            "BindToInterface = nowhere0",
        ] {
            assert_same(bad, 1, |kind, site| {
                // The first line counts.
                let rest = fs::read_to_string(site.dir.join("tinc.conf")).unwrap();
                site.write("tinc.conf", &format!("{bad}\n{rest}"));
                let mut command = site.command(kind);
                command.arg("-D");
                command
            });
        }
        for (what, conf) in [
            ("no name", "Mode = switch\n"),
            ("a name with a dash", "Name = node-one\nMode = switch\n"),
            (
                "a name from nowhere",
                "Name = $NO_SUCH_VARIABLE\nMode = switch\n",
            ),
        ] {
            assert_same(what, 1, |kind, site| {
                site.write("tinc.conf", conf);
                let mut command = site.command(kind);
                command.arg("-D");
                command
            });
        }
    });
}

#[test]
fn what_tincd_only_complains_about_does_not_stop_us() {
    alone("what_tincd_only_complains_about_does_not_stop_us", || {
        for odd in [
            "NoSuchVariable = 1",
            "PingTimeout = x",
            "Hostnames = maybe",
            "ConnectTo = node-two",
            "ConnectTo = nobody",
            "MinTimeout = 9999",
            "PingInterval = 0",
            "IffOneQueue = yes",
            "BindToAddress = 192.0.2.77\nBindToAddress = 127.0.0.1",
            "Port = 0",
            "LogLevel = 3",
        ] {
            let outcomes = compare(odd, |kind, site| {
                let conf = fs::read_to_string(site.dir.join("tinc.conf")).unwrap();
                site.write("tinc.conf", &format!("{conf}{odd}\n"));
                let mut command = site.command(kind);
                command.arg("-D");
                command
            });
            for outcome in outcomes {
                assert_eq!(outcome.code, None, "{odd}: {}", outcome.errors);
            }
        }
    });
}

#[test]
fn an_unknown_user_ends_the_start_after_ready() {
    alone("an_unknown_user_ends_the_start_after_ready", || {
        let outcomes = assert_same("-U", 1, |kind, site| {
            let mut command = site.command(kind);
            command.args(["-D", "-U", "no_such_user_here"]);
            command
        });
        for outcome in outcomes {
            assert!(
                outcome.errors.contains("no_such_user_here"),
                "{}",
                outcome.errors
            );
        }
    });
}

#[test]
fn the_pid_file_decides_who_runs() {
    alone("the_pid_file_decides_who_runs", || {
        let missing = assert_same("-k without pid file", 1, |kind, site| {
            let mut command = site.command(kind);
            command.args(["-k", "-n", "vpn"]);
            command
        });
        for outcome in missing {
            let text = "No other tincd is running for net `vpn'.";
            assert!(outcome.errors.contains(text), "{}", outcome.errors);
        }
        assert_same("-k and nobody there", 0, |kind, site| {
            site.write("pid", "99999999\n");
            let mut command = site.command(kind);
            command.arg("-kHUP");
            command
        });
        assert_same("-k of ourselves with signal 0", 1, |kind, site| {
            site.write("pid", "rubbish\n");
            let mut command = site.command(kind);
            command.arg("-kHUP");
            command
        });
        // Process 1 of our namespace is alive.
        let running = assert_same("already running", 1, |kind, site| {
            site.write("pid", "1\n");
            let mut command = site.command(kind);
            command.arg("-D");
            command
        });
        for outcome in running {
            let text = "A tincd is already running with pid 1.";
            assert!(outcome.errors.contains(text), "{}", outcome.errors);
        }
        assert_same("pid file not writable", 1, |kind, site| {
            let mut command = kind.command();
            command
                .arg("-c")
                .arg(&site.dir)
                .args(["-D", "--pidfile", "/proc/pid"]);
            command
        });
        for kind in BOTH {
            let dir = TempDir::new();
            let site = Site::new(dir.path(), "node_one", "", &[("node_one", "Port = 655")]);
            site.write("pid", "99999999\n");
            assert!(site.kill(kind, "TERM").success());
            assert!(!site.pidfile().exists(), "{kind:?} left a stale pid file");
        }
    });
}

#[test]
fn term_and_quit_are_an_orderly_end() {
    alone("term_and_quit_are_an_orderly_end", || {
        for kind in BOTH {
            for signal in ["TERM", "QUIT"] {
                let dir = TempDir::new();
                let site = Site::new(dir.path(), "node_one", "", &[("node_one", "Port = 655")]);
                let mut daemon = site.start(kind, &[]);
                site.wait_for_log("Ready");
                // tincd knows the names of few signals.
                let number = if signal == "TERM" { "15" } else { "3" };
                assert!(site.kill(kind, number).success());
                assert_eq!(daemon.ended().code(), Some(0), "{kind:?} {signal}");
                assert!(!site.pidfile().exists(), "{kind:?} left its pid file");
                for text in [&format!("Got {signal} signal"), "Terminating"] {
                    assert!(site.log().contains(text), "{kind:?}: {}", site.log());
                }
            }
        }
    });
}

#[test]
fn a_detached_start_that_fails_looks_good_and_leaves_no_pid_file() {
    alone(
        "a_detached_start_that_fails_looks_good_and_leaves_no_pid_file",
        || {
            for kind in BOTH {
                let dir = TempDir::new();
                let site = Site::new(dir.path(), "node_one", "", &[("node_one", "Port = 655")]);
                site.write("tinc.conf", "Name = node_one\nMode = swich\n");
                let mut command = site.command(kind);
                command.arg("--logfile").arg(site.dir.join("log"));
                assert_eq!(command.status().unwrap().code(), Some(0), "{kind:?}");
                site.wait_for_log("Terminating");
                wait_for("the pid file's end", || {
                    (!site.pidfile().exists()).then_some(())
                });
            }
        },
    );
}
