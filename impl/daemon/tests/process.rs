//! The daemon as a process: detached, signalled, reloaded, supervised.

mod support;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use support::{BOTH, Kind, ONE, PATIENCE, Site, TWO, TempDir, alone, pair, wait_for};

/// Two nodes; the second connects to the first.
#[test]
fn a_detached_daemon_logs_to_its_file_and_follows_it_through_rotation() {
    alone(
        "a_detached_daemon_logs_to_its_file_and_follows_it_through_rotation",
        || {
            for kind in BOTH {
                let dir = TempDir::new();
                let site = Site::new(dir.path(), "node_one", "", &[ONE]);
                let mut command = site.command(kind);
                command.arg("--logfile").arg(site.dir.join("log"));
                assert!(command.status().unwrap().success());
                site.wait_for_log("Ready");
                let pid = fs::read_to_string(site.pidfile()).unwrap();
                let pid = pid.trim();
                assert!(
                    site.log().contains(&format!("tinc[{pid}]: Ready")),
                    "{}",
                    site.log()
                );
                let cwd = fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
                assert_eq!(cwd.to_str(), Some("/"));
                fs::rename(site.dir.join("log"), site.dir.join("log.1")).unwrap();
                assert!(site.kill(kind, "HUP").success());
                wait_for("a new log file", || {
                    site.dir.join("log").exists().then_some(())
                });
                assert!(site.kill(kind, "TERM").success());
                site.wait_for_log("Terminating");
                wait_for("no pid file", || (!site.pidfile().exists()).then_some(()));
            }
        },
    );
}

/// Gives this test a `/dev` of its own, with all that a daemon needs of it.
fn private_dev(dir: &TempDir) {
    let script = "mkdir -p dev/net; cd dev; \
        for f in null random urandom net/tun; do touch $f && mount --bind /dev/$f $f || exit 1; done; \
        exec mount --rbind . /dev";
    let status = Command::new("sh")
        .args(["-e", "-c", script])
        .current_dir(dir.path())
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn a_detached_daemon_without_log_file_writes_to_syslog() {
    alone(
        "a_detached_daemon_without_log_file_writes_to_syslog",
        || {
            let dir = TempDir::new();
            private_dev(&dir);
            let syslog = UnixDatagram::bind("/dev/log").unwrap();
            syslog.set_read_timeout(Some(PATIENCE)).unwrap();
            for kind in BOTH {
                let site = Site::new(dir.path(), "node_one", "", &[ONE]);
                let mut command = site.command(kind);
                assert!(command.args(["-n", "vpn"]).status().unwrap().success());
                let until = |text: &str| loop {
                    let line = next_word(&syslog);
                    if line.contains(text) {
                        break line;
                    }
                };
                let ready = until("Ready");
                let pid = fs::read_to_string(site.pidfile()).unwrap();
                let source = format!("tinc.vpn[{}]: Ready", pid.trim());
                // Facility daemon, severity notice.
                assert!(
                    ready.starts_with("<29>") && ready.contains(&source),
                    "{ready}"
                );
                // A tincd was seen to hang for good, on a futex, after a signal that came while it was logging: it ends
                // with this test.
                if kind == Kind::Ours {
                    site.kill(kind, "TERM");
                    until("Terminating");
                    wait_for("no pid file", || (!site.pidfile().exists()).then_some(()));
                }
            }
        },
    );
}

#[test]
fn memory_is_locked_or_the_start_says_why_not() {
    alone("memory_is_locked_or_the_start_says_why_not", || {
        let dir = TempDir::new();
        let site = Site::new(dir.path(), "node_one", "", &[ONE]);
        let mut daemon = site.start(Kind::Ours, &["-L"]);
        site.wait_for("the start or its end", || {
            ["Ready", "mlockall"]
                .iter()
                .any(|text| site.log().contains(text))
        });
        if site.log().contains("mlockall failed") {
            assert_eq!(daemon.ended().code(), Some(1));
            return;
        }
        let pid = fs::read_to_string(site.pidfile()).unwrap();
        let status = fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap();
        let locked = status
            .lines()
            .find(|line| line.starts_with("VmLck:"))
            .unwrap();
        assert!(
            !locked.ends_with("\t       0 kB"),
            "-L locked nothing: {locked}"
        );
    });
}

#[test]
fn signals_without_a_meaning_are_noted_and_ignored() {
    alone("signals_without_a_meaning_are_noted_and_ignored", || {
        let dir = TempDir::new();
        let site = Site::new(dir.path(), "node_one", "", &[ONE]);
        let mut command = site.command(Kind::Ours);
        command.arg("--logfile").arg(site.dir.join("log"));
        assert!(command.status().unwrap().success());
        site.wait_for_log("Ready");
        for number in ["26", "27", "29"] {
            assert!(site.kill(Kind::Ours, number).success());
            site.wait_for_log(&format!("Got unexpected signal {number}"));
        }
        // PIPE and CHLD are not even noted; whoever survives them answers the next.
        for number in ["13", "17"] {
            assert!(site.kill(Kind::Ours, number).success());
        }
        for (signal, answer) in [
            ("USR1", "End of connections."),
            ("USR2", "End of subnet list."),
            ("WINCH", "Purging unreachable nodes"),
            ("ALRM", "Got ALRM signal"),
            ("INT", "Temporarily setting debug level to 5"),
        ] {
            assert!(site.kill(Kind::Ours, signal).success());
            site.wait_for_log(answer);
        }
        assert!(site.kill(Kind::Ours, "TERM").success());
        site.wait_for_log("Terminating");
    });
}

#[test]
fn signals_of_faults_end_the_process_and_say_which_it_was() {
    alone(
        "signals_of_faults_end_the_process_and_say_which_it_was",
        || {
            let dir = TempDir::new();
            // ABRT, ILL, SEGV and BUS, which `-k` knows by number only, as with tincd.
            for number in [6, 4, 11, 7] {
                let name = format!("node_{number}");
                let site = Site::new(dir.path(), &name, "", &[(&name, "")]);
                let mut daemon = site.start(Kind::Ours, &[]);
                site.wait_for_log("Ready");
                // One that nothing in the process caused meets the handler for stack overflows first, which waits for
                // the fault to happen again.
                let status = wait_for("the end of a daemon", || {
                    site.kill(Kind::Ours, &number.to_string());
                    daemon.ended_already()
                });
                assert_eq!(status.signal(), Some(number), "{}", site.log());
            }
        },
    );
}

#[test]
fn a_reload_changes_what_it_may_and_nothing_if_anything_is_wrong() {
    alone(
        "a_reload_changes_what_it_may_and_nothing_if_anything_is_wrong",
        || {
            let dir = TempDir::new();
            let (one, two) = pair(&dir, "");
            let three = ("node_three", "Port = 2655\nAddress = 127.0.0.1");
            let third = Site::new(dir.path(), "node_three", "", &[ONE, TWO, three]);
            let key = include_str!("../testdata/rsa_key.pub");
            one.write("hosts/node_three", &format!("{}\n{key}", three.1));
            let mut daemon = one.start(Kind::Ours, &[]);
            let _two = two.start(Kind::Tincd, &[]);
            let _three = third.start(Kind::Tincd, &[]);
            one.wait_for_log("connection with node_two");
            let conf = fs::read_to_string(one.dir.join("tinc.conf")).unwrap();
            for (bad, why) in [
                ("Port", "No value for variable `Port'"),
                ("Cipher = rot13", "rot13"),
            ] {
                one.write(
                    "tinc.conf",
                    &format!("{conf}ConnectTo = node_three\n{bad}\n"),
                );
                one.kill(Kind::Ours, "HUP");
                one.wait_for_log(why);
            }
            one.wait_for("two refusals", || {
                one.log()
                    .matches("The configuration in force stays as it is")
                    .count()
                    == 2
            });
            assert!(!one.log().contains("connection with node_three"));
            one.write(
                "tinc.conf",
                &format!("{conf}ConnectTo = node_three\nKeyExpire = 100\n"),
            );
            one.kill(Kind::Ours, "HUP");
            one.wait_for_log("in force only after a restart: KeyExpire");
            one.wait_for_log("connection with node_three (127.0.0.1:2655) activated");
            // Only the peer whose host file was written anew is dropped, and it returns.
            one.write("hosts/node_three", &format!("# new\n{}\n{key}", three.1));
            one.kill(Kind::Ours, "HUP");
            one.wait_for_log("closing the connection with node_three");
            one.wait_for("node_three again", || {
                one.log()
                    .matches("connection with node_three (127.0.0.1:2655) activated")
                    .count()
                    == 2
            });
            assert_eq!(
                one.log().matches("connection with node_two").count(),
                1,
                "{}",
                one.log()
            );
            one.kill(Kind::Ours, "TERM");
            assert_eq!(daemon.ended().code(), Some(0));
        },
    );
}

#[test]
fn bypass_security_works_between_both_kinds() {
    alone("bypass_security_works_between_both_kinds", || {
        for [first, second] in [[Kind::Ours, Kind::Tincd], [Kind::Tincd, Kind::Ours]] {
            let dir = TempDir::new();
            let (one, two) = pair(&dir, "");
            let _one = one.start(first, &["--bypass-security"]);
            one.wait_for_log("Ready");
            let _two = two.start(second, &["--bypass-security"]);
            for (site, peer) in [(&one, "node_two"), (&two, "node_one")] {
                site.wait_for("an active connection", || {
                    let log = site.log().to_lowercase();
                    log.contains(&format!("connection with {peer}")) && log.contains("activated")
                });
            }
        }
    });
}

#[test]
fn a_daemon_in_a_root_directory_of_its_own_reloads_and_leaves_no_living_pid_file() {
    alone(
        "a_daemon_in_a_root_directory_of_its_own_reloads_and_leaves_no_living_pid_file",
        || {
            let dir = TempDir::new();
            let site = Site::new(dir.path(), "node_one", "", &[ONE]);
            let mut daemon = site.start(Kind::Ours, &["-R"]);
            site.wait_for_log("Ready");
            let conf = fs::read_to_string(site.dir.join("tinc.conf")).unwrap();
            site.write("tinc.conf", &format!("{conf}KeyExpire = 7\n"));
            site.kill(Kind::Ours, "HUP");
            site.wait_for_log("in force only after a restart: KeyExpire");
            site.kill(Kind::Ours, "TERM");
            assert_eq!(daemon.ended().code(), Some(0));
            assert_eq!(site.kill(Kind::Tincd, "TERM").code(), Some(1));
        },
    );
}

#[test]
fn every_thread_has_the_priority_that_was_asked_for() {
    alone("every_thread_has_the_priority_that_was_asked_for", || {
        let dir = TempDir::new();
        let site = Site::new(dir.path(), "node_one", "ProcessPriority = Low\n", &[ONE]);
        let _daemon = site.start(Kind::Ours, &[]);
        site.wait_for_log("Ready");
        let pid = fs::read_to_string(site.pidfile()).unwrap();
        let tasks = format!("/proc/{}/task", pid.trim());
        let nice = || -> Vec<String> {
            fs::read_dir(&tasks)
                .unwrap()
                .map(|task| fs::read_to_string(task.unwrap().path().join("stat")).unwrap())
                // The 19th word; the second is in parentheses.
                .filter_map(|stat| Some(stat.rsplit_once(") ")?.1.split(' ').nth(16)?.to_owned()))
                .collect()
        };
        site.wait_for("all threads at 10", || {
            let nice = nice();
            nice.len() >= 3 && nice.iter().all(|nice| nice == "10")
        });
    });
}

#[test]
fn the_log_says_what_an_address_is_called_if_asked() {
    alone("the_log_says_what_an_address_is_called_if_asked", || {
        let dir = TempDir::new();
        let (one, two) = pair(&dir, "Hostnames = yes\n");
        let _one = one.start(Kind::Ours, &[]);
        one.wait_for_log("Ready");
        let _two = two.start(Kind::Tincd, &[]);
        // From /etc/hosts.
        one.wait_for_log(" is localhost");
    });
}

#[test]
fn a_script_that_does_not_end_keeps_nobody_from_stopping_the_daemon() {
    alone(
        "a_script_that_does_not_end_keeps_nobody_from_stopping_the_daemon",
        || {
            for script in ["subnet-up", "tinc-down"] {
                let dir = TempDir::new();
                let host = ("node_one", "Port = 655\nSubnet = 10.0.0.0/8");
                let site = Site::new(dir.path(), "node_one", "", &[host]);
                let hangs = dir.path().join("hangs");
                site.script(script, &format!(": > {}\nexec sleep 1000", hangs.display()));
                let mut daemon = site.start(Kind::Ours, &[]);
                if script == "tinc-down" {
                    site.wait_for_log("Ready");
                    assert!(site.kill(Kind::Ours, "TERM").success());
                }
                site.wait_for(script, || hangs.exists());
                if script == "subnet-up" {
                    assert!(site.kill(Kind::Ours, "TERM").success());
                    site.wait_for_log("Got TERM signal");
                }
                assert!(site.kill(Kind::Ours, "TERM").success());
                assert!(daemon.ended().success());
            }
        },
    );
}

/// tincd 1.0.36 writes the same, though the first time only after a minute.
#[test]
fn the_mesh_is_drawn_to_the_file() {
    alone("the_mesh_is_drawn_to_the_file", || {
        let dir = TempDir::new();
        let target = dir.path().join("graph");
        let conf = format!("GraphDumpFile = {}\n", target.display());
        let site = Site::new(dir.path(), "node_one", &conf, &[ONE]);
        let _daemon = site.start(Kind::Ours, &[]);
        site.wait_for("a drawing", || target.exists());
        let expected = "digraph {\n\t\"node_one\" [label = \"node_one\"];\n}\n";
        assert_eq!(fs::read_to_string(&target).unwrap(), expected);
    });
}

/// What a service manager hears.
fn next_word(manager: &UnixDatagram) -> String {
    let mut buffer = [0; 512];
    let count = manager.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

#[test]
fn a_service_manager_hears_how_we_are() {
    alone("a_service_manager_hears_how_we_are", || {
        let dir = TempDir::new();
        let site = Site::new(dir.path(), "node_one", "", &[ONE]);
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = site.command(Kind::Ours);
        command
            .args(["-D"])
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "400000");
        let mut daemon = site.spawn(command);
        assert!(next_word(&manager).starts_with("READY=1\nMAINPID="));
        assert_eq!(next_word(&manager), "WATCHDOG=1\n");
        assert_eq!(next_word(&manager), "WATCHDOG=1\n");
        let after_beats = || loop {
            let word = next_word(&manager);
            if word != "WATCHDOG=1\n" {
                return word;
            }
        };
        site.kill(Kind::Ours, "HUP");
        assert!(after_beats().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        assert!(after_beats().starts_with("READY=1\n"));
        site.kill(Kind::Ours, "TERM");
        assert_eq!(after_beats(), "STOPPING=1\n");
        assert_eq!(daemon.ended().code(), Some(0));
    });
}
