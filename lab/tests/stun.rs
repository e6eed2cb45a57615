//! Whether coturn, which knows nothing of us, finds NAT kinds to be what we call them (RFC 5780).
//!
//! Its server has two addresses outside; its client asks from inside. `./prepare` unpacks both where they are not
//! installed.

#[allow(dead_code, reason = "no sockets of our own")]
mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::{StreamExt, stream};
use v6lab::fabric::{CommandSpec, Lab, Node};
use v6lab::model::VenueKind;
use v6lab::nat::{Filtering, Mapping};
use v6lab::probe;

/// Of each sort of mapping and filtering there is at least one.
const KINDS: [&str; 8] = [
    "full-cone",
    "address-restricted",
    "port-restricted",
    "port-restricted-strict",
    "eim-hash",
    "symmetric",
    "symmetric-addr",
    "symmetric-seq",
];

/// The server's second address; a third host of the network that is probed has none there.
const OTHER: &str = "198.51.100.30";

/// How long all questions may take; what is dropped is asked again for some seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// Labs that stand at the same time.
const AT_ONCE: usize = 4;

fn main() {
    support::run(tests![coturn_calls_the_kinds_as_we_do]);
}

async fn coturn_calls_the_kinds_as_we_do() {
    let told = stream::iter(KINDS).map(async |name| {
        let kind = VenueKind::find(Path::new(name)).unwrap();
        let stated = kind.nat.behaviour;
        let stated = (stated.mapping, Some(stated.filtering));
        let lab = Lab::up(&probe::plan(kind).unwrap()).await.unwrap();
        let found = classify(&lab).await;
        lab.down().await.unwrap();
        (found != stated).then(|| format!("{name}: we say {stated:?}, coturn {found:?}"))
    });
    let told: Vec<_> = told.buffered(AT_ONCE).collect().await;
    let differences: Vec<String> = told.into_iter().flatten().collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// What coturn's client says of the lab's NAT.
async fn classify(lab: &Lab) -> (Mapping, Option<Filtering>) {
    let (server, client) = (lab.node("ten").unwrap(), lab.node("a").unwrap());
    run(
        server,
        &[
            "ip",
            "address",
            "add",
            &format!("{OTHER}/24"),
            "dev",
            "eth0",
        ],
    )
    .await;
    let (listening, libraries) = install(server, "turnserver").await;
    let options = [
        "-n",
        "--stun-only",
        "-L",
        support::SERVER,
        "-L",
        OTHER,
        "--no-tls",
        "--no-dtls",
        "--no-cli",
        "--log-file",
        "stdout",
        "--pidfile",
        "/run/turnserver.pid",
    ];
    let mut daemon = CommandSpec::new(listening).args(options);
    if let Some(libraries) = &libraries {
        daemon = daemon.env("LD_LIBRARY_PATH", libraries);
    }
    let daemon = server.spawn(daemon).await.unwrap();
    let (asking, libraries) = install(client, "turnutils_natdiscovery").await;
    let libraries = libraries.unwrap_or_default();
    let environment = format!("LD_LIBRARY_PATH={}", libraries.display());
    let asking = asking.to_string_lossy();
    let mut answer = String::new();
    // It may not listen yet.
    for _ in 0..20 {
        let command = ["env", &environment, &asking, "-m", "-f", support::SERVER];
        let output = client.exec_within(&command, LIMIT).await.unwrap();
        answer = String::from_utf8_lossy(&output.stdout).into_owned();
        if answer.contains("Mapping!") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(daemon);
    let named = |what: &str, sorts: [&str; 3]| {
        sorts
            .iter()
            .position(|sort| answer.contains(&format!("{sort} {what}")))
    };
    let sorts = [
        "Endpoint Independent",
        "Address Dependent",
        "Address and Port Dependent",
    ];
    let mapping = match named("Mapping", sorts) {
        Some(0) => Mapping::EndpointIndependent,
        Some(1) => Mapping::AddressDependent,
        Some(_) => Mapping::AddressAndPortDependent,
        None => panic!("coturn's client does not say what the mapping is:\n{answer}"),
    };
    let filtering = named("Filtering", sorts).map(|sort| match sort {
        0 => Filtering::EndpointIndependent,
        1 => Filtering::AddressDependent,
        _ => Filtering::AddressAndPortDependent,
    });
    (mapping, filtering)
}

async fn run(node: &Node, command: &[&str]) {
    let output = node.exec(command).await.unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// Puts a program of coturn's into a node: where it is there, and where its libraries are if they came with it.
async fn install(node: &Node, program: &str) -> (PathBuf, Option<PathBuf>) {
    let unpacked = Path::new(env!("CARGO_BIN_EXE_v6lab"))
        .ancestors()
        .nth(2)
        .unwrap();
    let unpacked = unpacked.join("peers/coturn/usr");
    if !unpacked.join("bin").join(program).is_file() {
        let searched = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&searched)
            .map(|folder| folder.join(program))
            .find(|path| path.is_file())
            .unwrap_or_else(|| panic!("{program} is not there: unpack it with `./prepare`"));
        return (node.install(&found, program).await.unwrap(), None);
    }
    let path = node
        .install(&unpacked.join("bin").join(program), program)
        .await
        .unwrap();
    for folder in unpacked.join("lib").read_dir().unwrap() {
        // Those of an architecture are in a directory that is named for it.
        for library in folder.unwrap().path().read_dir().into_iter().flatten() {
            let library = library.unwrap();
            let name = library.file_name().to_string_lossy().into_owned();
            if name.contains(".so.") {
                node.install(&library.path(), &name).await.unwrap();
            }
        }
    }
    let libraries = path.parent().map(Path::to_owned);
    (path, libraries)
}
