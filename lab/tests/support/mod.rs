//! Runs tests inside a session, in the manner of libtest.
//!
//! The standard harness starts threads before a test gets its turn, and a session must be entered before there are any.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::exit;
use std::time::Duration;

use futures::FutureExt;
use tokio::net::UdpSocket;
use tokio::time::timeout;
use v6lab::fabric::{Lab, Node};
use v6lab::model::Scenario;
use v6lab::plan::Plan;

/// The server of all scenarios, and the venue's outer address in those that have one.
pub(crate) const SERVER: &str = "198.51.100.10";
#[allow(dead_code, reason = "each test program takes what it needs")]
pub(crate) const VENUE: &str = "203.0.113.50";

/// How long a datagram may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(2);

/// Names of async functions as tests.
#[macro_export]
macro_rules! tests {
    ($($test:ident),* $(,)?) => { &[$((stringify!($test), || Box::pin($test()))),*] };
}

/// A test's name and what it does.
pub(crate) type Test = (&'static str, fn() -> Pin<Box<dyn Future<Output = ()>>>);

/// Runs those tests the command line selects, as libtest would: words are parts of names, `--exact` makes them whole,
/// `--list` only names them; other options have no meaning here.
pub(crate) fn run(tests: &[Test]) -> ! {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let words: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let chosen = |name: &str| {
        let matches = |word: &&String| {
            if has("--exact") {
                name == word.as_str()
            } else {
                name.contains(word.as_str())
            }
        };
        words.is_empty() || words.iter().any(matches)
    };
    let tests = tests
        .iter()
        .filter(|(name, _)| chosen(name) && !has("--ignored"));
    if has("--list") {
        tests.for_each(|(name, _)| println!("{name}: test"));
        exit(0);
    }
    if let Err(error) = v6lab::session::enter() {
        eprintln!("error: {error}");
        exit(v6lab::session::CANNOT_RUN);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut failed = 0;
    for (name, test) in tests {
        let passed = runtime
            .block_on(AssertUnwindSafe(test()).catch_unwind())
            .is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += i32::from(!passed);
    }
    println!(
        "test result: {}; {failed} failed",
        if failed == 0 { "ok" } else { "FAILED" }
    );
    exit(i32::from(failed > 0));
}

/// The plan of a scenario.
pub(crate) fn plan(name: &str) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scenarios")
        .join(name)
        .with_extension("toml");
    Plan::new(&Scenario::load(&path).unwrap())
}

/// Paths of the files in a folder of `scenarios/`.
#[allow(dead_code, reason = "each test program takes what it needs")]
pub(crate) fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scenarios")
        .join(folder);
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

/// A scenario, built.
pub(crate) async fn lab(name: &str) -> Lab {
    Lab::up(&plan(name)).await.unwrap()
}

/// A socket opened in the node; it stays in the node's network wherever it is used.
pub(crate) async fn socket(node: &Node, addr: &str) -> UdpSocket {
    let addr: SocketAddr = addr.parse().unwrap();
    let opened = node
        .run(move || Box::pin(async move { std::net::UdpSocket::bind(addr).unwrap() }))
        .await
        .unwrap();
    opened.set_nonblocking(true).unwrap();
    UdpSocket::from_std(opened).unwrap()
}

/// The source of the next datagram, if one comes soon.
pub(crate) async fn heard(socket: &UdpSocket) -> Option<SocketAddr> {
    let mut buffer = [0; 64];
    let received = timeout(LIMIT, socket.recv_from(&mut buffer)).await;
    received.ok().map(|received| received.unwrap().1)
}
