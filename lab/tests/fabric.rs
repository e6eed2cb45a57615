//! What a built lab promises. Needs what `v6lab doctor` asks for, and fails where that is missing.

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use support::{SERVER, heard, lab, plan, socket};
use tokio::time::timeout;
use v6lab::fabric::{CommandSpec, FabricError, Lab, Node};

fn main() {
    support::run(tests![
        the_how_to_is_up_and_down_within_a_second,
        five_pis_stand_beside_another_lab,
        a_node_is_a_machine_of_its_own,
        the_nodes_files_are_not_the_hosts,
        processes_die_with_their_lab,
        a_command_that_hangs_is_killed,
        a_panic_inside_is_an_error_outside,
        a_half_built_lab_leaves_nothing,
        ipv6_flows_as_soon_as_the_lab_is_up,
        labs_come_and_go_side_by_side,
        whoever_left_the_namespaces_of_a_node_goes_with_the_lab,
        what_is_left_of_a_lab_is_named,
    ]);
}

async fn words(node: &Node, argv: &[&str]) -> String {
    let output = node.exec(argv).await.unwrap();
    assert!(
        output.status.success(),
        "{argv:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn the_how_to_is_up_and_down_within_a_second() {
    let plan = plan("how-to");
    let started = Instant::now();
    let lab = Lab::up(&plan).await.unwrap();
    let up = started.elapsed();
    lab.down().await.unwrap();
    let down = started.elapsed() - up;
    println!("how-to: up {up:?}, down {down:?}");
    assert!(
        up + down < Duration::from_secs(1),
        "up {up:?}, down {down:?}"
    );
}

async fn five_pis_stand_beside_another_lab() {
    let (one, other) = (lab("how-to").await, lab("five-pis").await);
    let server = socket(other.node("v6router").unwrap(), &format!("{SERVER}:655")).await;
    for (n, name) in [
        "node_one",
        "node_two",
        "node_three",
        "node_four",
        "node_five",
    ]
    .iter()
    .enumerate()
    {
        let pi = socket(other.node(name).unwrap(), "0.0.0.0:655").await;
        pi.send_to(b"hello", (SERVER, 655)).await.unwrap();
        let source = heard(&server).await.unwrap();
        assert_eq!(source.to_string(), format!("203.0.113.{}:655", 50 + n));
    }
    one.down().await.unwrap();
    other.down().await.unwrap();
}

async fn a_node_is_a_machine_of_its_own() {
    let lab = lab("how-to").await;
    let pi = lab.node("node_one").unwrap();
    assert_eq!(words(pi, &["hostname"]).await, "node_one");
    assert_eq!(words(pi, &["cat", "/etc/hostname"]).await, "node_one");
    assert_eq!(
        words(pi, &["ls", "/sys/class/net"])
            .await
            .split_whitespace()
            .collect::<Vec<_>>(),
        ["eth0", "eth1", "lo"]
    );
    assert!(
        words(pi, &["getent", "hosts", "www"])
            .await
            .starts_with("2001:db8:ffff::42")
    );
    assert!(
        words(pi, &["ip", "-o", "addr", "show", "eth0"])
            .await
            .contains("eth0:1")
    );
    assert_eq!(
        words(pi, &["cat", "/proc/sys/net/ipv6/conf/all/forwarding"]).await,
        "0"
    );
    pi.exec(&[
        "sh",
        "-c",
        "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
    ])
    .await
    .unwrap();
    let www = lab.node("www").unwrap();
    assert_eq!(
        words(pi, &["cat", "/proc/sys/net/ipv6/conf/all/forwarding"]).await,
        "1"
    );
    assert_eq!(
        words(www, &["cat", "/proc/sys/net/ipv6/conf/all/forwarding"]).await,
        "0"
    );
    assert!(matches!(
        lab.node("node-one"),
        Err(FabricError::UnknownNode { .. })
    ));
    lab.down().await.unwrap();
}

async fn the_nodes_files_are_not_the_hosts() {
    let lab = lab("how-to").await;
    let (pi, www) = (lab.node("node_one").unwrap(), lab.node("www").unwrap());
    for path in [
        "/etc/tinc/v6/tinc.conf",
        "/run/v6lab-test",
        "/var/run/v6lab-too",
        "/tmp/v6lab-test",
        "/var/log/v6lab-test",
    ] {
        pi.write_file(path, "here", 0o640).await.unwrap();
        assert_eq!(pi.read_file(path).await.unwrap(), b"here");
        assert_eq!(words(pi, &["stat", "-c", "%a", path]).await, "640");
        assert!(www.read_file(path).await.is_err(), "{path} in another node");
        assert!(!Path::new(path).exists(), "{path} on the host");
    }
    assert_eq!(
        words(pi, &["cat", "/run/v6lab-too"]).await,
        "here",
        "/var/run is /run"
    );
    words(
        pi,
        &[
            "sh",
            "-c",
            "echo net.ipv6.conf.all.forwarding=1 >> /etc/sysctl.conf",
        ],
    )
    .await;
    let tool = pi.install(Path::new("/bin/echo"), "say").await.unwrap();
    assert_eq!(tool, Path::new("/run/v6lab/bin/say"));
    assert_eq!(words(pi, &["sh", "-c", "say hello"]).await, "hello");
    assert!(www.exec(&["say", "hello"]).await.is_err());
    lab.down().await.unwrap();
}

async fn processes_die_with_their_lab() {
    let lab = lab("how-to").await;
    let pi = lab.node("node_one").unwrap();
    let process = pi
        .spawn(CommandSpec::new("sleep").args(["1000"]))
        .await
        .unwrap();
    words(pi, &["sh", "-c", "setsid sleep 1000 > /dev/null 2>&1 &"]).await;
    assert_eq!(lab.processes().len(), 2, "one of them has left its parent");
    assert!(matches!(
        process.wait(Duration::from_millis(10)).await,
        Err(FabricError::Deadline { .. })
    ));
    lab.down().await.unwrap();
    assert!(
        process
            .wait(Duration::from_secs(1))
            .await
            .unwrap()
            .code()
            .is_none(),
        "killed"
    );
    process.signal(nix::sys::signal::Signal::SIGTERM).unwrap();
}

async fn a_command_that_hangs_is_killed() {
    let lab = lab("how-to").await;
    let pi = lab.node("node_one").unwrap();
    let error = pi
        .exec_within(&["sh", "-c", "sleep 1000; true"], Duration::from_millis(50))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("sleep 1000"), "{error}");
    let gone = async {
        while !lab.processes().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(1), gone)
        .await
        .expect("shell and sleep are killed");
    lab.down().await.unwrap();
}

async fn a_panic_inside_is_an_error_outside() {
    let lab = lab("how-to").await;
    let pi = lab.node("node_one").unwrap();
    let panicking = pi.run::<(), _>(|| Box::pin(async { panic!("on purpose") }));
    let error = panicking.await.unwrap_err();
    assert!(error.to_string().contains("panic"), "{error}");
    assert_eq!(
        pi.run(|| Box::pin(async { 42 })).await.unwrap(),
        42,
        "the node goes on"
    );
    lab.down().await.unwrap();
}

async fn a_half_built_lab_leaves_nothing() {
    let mut no_ruleset = plan("how-to");
    let venue = no_ruleset
        .nodes
        .iter_mut()
        .find(|node| node.name == "cafe")
        .unwrap();
    venue.ruleset.as_mut().unwrap().text.push_str("nonsense\n");
    let mut no_setting = plan("how-to");
    no_setting.nodes[2]
        .sysctls
        .push(("net/ipv4/no_such_thing".to_owned(), "1".to_owned()));
    for (broken, reason) in [
        (no_ruleset, "cafe: load the ruleset port-restricted: "),
        (no_setting, "www: set net.ipv4.no_such_thing to 1: "),
    ] {
        let error = Lab::up(&broken).await.unwrap_err().to_string();
        assert!(error.starts_with(reason), "{error}");
        let session = v6lab::session::path();
        assert_eq!(threads_elsewhere(), 0, "somebody is left in a namespace");
        let labs = std::fs::read_dir(session)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        assert_eq!(
            labs.filter(|name| name.to_str().unwrap().starts_with("lab-"))
                .count(),
            0
        );
    }
}

/// Threads of this process in other network namespaces than its first. One that was told to end may still be at it.
fn threads_elsewhere() -> usize {
    let namespace = |task: &Path| std::fs::read_link(task.join("ns/net")).ok();
    let ours = namespace("/proc/self".as_ref());
    let elsewhere = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let namespaces = tasks.filter_map(|task| namespace(&task.unwrap().path()));
        namespaces
            .filter(|found| Some(found) != ours.as_ref())
            .count()
    };
    let deadline = Instant::now() + Duration::from_secs(5);
    while elsewhere() > 0 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    elsewhere()
}

async fn ipv6_flows_as_soon_as_the_lab_is_up() {
    const ADDRESS: &str = "[2001:db8:85a3:a1a1::1]:655";
    for _ in 0..10 {
        let lab = lab("how-to").await;
        let started = Instant::now();
        let server = socket(lab.node("v6router").unwrap(), ADDRESS).await;
        let www = socket(lab.node("www").unwrap(), "[::]:0").await;
        www.send_to(b"out", ADDRESS).await.unwrap();
        assert!(heard(&server).await.is_some());
        assert!(
            started.elapsed() < Duration::from_millis(100),
            "{:?}",
            started.elapsed()
        );
        lab.down().await.unwrap();
    }
}

async fn labs_come_and_go_side_by_side() {
    let plan = plan("how-to");
    let in_turn = async || {
        for _ in 0..5 {
            Lab::up(&plan).await.unwrap().down().await.unwrap();
        }
    };
    futures::future::join_all((0..4).map(|_| in_turn())).await;
}

async fn whoever_left_the_namespaces_of_a_node_goes_with_the_lab() {
    let lab = lab("how-to").await;
    let runaway = "unshare -n -m -u setsid sleep 1000 > /dev/null 2>&1 & echo $!";
    let cafe = lab.node("cafe").unwrap();
    let said = cafe.exec(&["sh", "-c", runaway]).await.unwrap().stdout;
    let pid = String::from_utf8(said).unwrap().trim().to_owned();
    let process = Path::new("/proc").join(&pid);
    assert!(process.exists(), "{pid}");
    lab.down().await.unwrap();
    assert!(!process.exists(), "{pid}");
}

async fn what_is_left_of_a_lab_is_named() {
    let lab = lab("how-to").await;
    let kept = socket(lab.node("cafe").unwrap(), "0.0.0.0:0").await;
    let traces = lab.traces();
    lab.down().await.unwrap();
    let error = traces.gone().await.unwrap_err().to_string();
    assert!(error.contains("descriptor"), "{error}");
    drop(kept);
    traces.gone().await.unwrap();
}
