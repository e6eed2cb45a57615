//! A hundred nodes, and everything that can happen between them in virtual time.

mod support;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use support::Mesh;
use v6router_core::options::Options;

const NODES: usize = 100;
const DISTURBANCES: usize = 15;
const MINUTE: Duration = Duration::from_secs(60);

/// How many meshes are tried; `V6_LONG=1` tries many more.
fn seeds() -> std::ops::Range<u64> {
    if std::env::var_os("V6_LONG").is_some() {
        0..40
    } else {
        0..2
    }
}

/// Every node dials two earlier ones, so that there is a way round each.
fn mesh(seed: u64) -> Mesh {
    let mut rng = StdRng::seed_from_u64(seed);
    let names: Vec<String> = (0..NODES)
        .map(|number| format!("node_{number:02}"))
        .collect();
    let connect_to: Vec<Vec<&str>> = (0..NODES)
        .map(|number| {
            let mut dialled: Vec<usize> = (0..number).collect();
            while dialled.len() > 2 {
                dialled.swap_remove(rng.random_range(0..dialled.len()));
            }
            dialled
                .into_iter()
                .map(|other| names[other].as_str())
                .collect()
        })
        .collect();
    let nodes: Vec<(&str, &[&str])> = names
        .iter()
        .zip(&connect_to)
        .map(|(name, dialled)| (name.as_str(), dialled.as_slice()))
        .collect();
    let mut mesh = Mesh::with(seed, &nodes, |settings| {
        // What is tried here is gossip; probes of thousands of pairs would only cost time.
        settings.options = Options::TCP_ONLY.with(Options::INDIRECT);
        settings.subnets = vec!["10.0.0.0/8".parse().unwrap()];
    });
    mesh.jitter = Duration::from_millis(80);
    mesh
}

/// What every node believes of all edges, as one text each.
fn beliefs(mesh: &Mesh) -> Vec<Vec<String>> {
    let running = mesh
        .members
        .iter()
        .filter_map(|member| member.node.as_ref());
    running
        .map(|node| {
            let lines = node.dump_mesh().into_iter();
            let edges = lines.skip_while(|line| line != "Edges:");
            edges.take_while(|line| line != "End of edges.").collect()
        })
        .collect()
}

fn meta_sent(mesh: &Mesh) -> usize {
    mesh.members.iter().map(|member| member.meta_sent).sum()
}

/// Lets time pass until everybody reaches everybody.
fn come_together(mesh: &mut Mesh, limit: Duration) -> bool {
    let end = mesh.now + limit;
    while !mesh.converged() && mesh.now < end {
        mesh.run(Duration::from_millis(500), |_| false);
    }
    mesh.converged()
}

/// One more thing goes wrong, or is mended.
fn disturb(mesh: &mut Mesh) {
    let (one, other) = (mesh.below(NODES), mesh.below(NODES));
    match mesh.below(4) {
        0 => mesh.kill(one),
        1 => mesh.stop(one),
        2 => mesh.cut(one, other),
        _ => mesh.mend(),
    }
    let pause = u64::try_from(mesh.below(20_000)).unwrap();
    mesh.run(Duration::from_millis(pause), |_| false);
    let gone = mesh.members.iter().position(|member| member.node.is_none());
    if let Some(index) = gone.filter(|_| mesh.below(2) == 0) {
        mesh.start(index);
    }
}

/// Whatever is killed, stopped, started and cut, while news overtakes itself: everybody comes to
/// believe the same, reaches everybody, and then is quiet.
#[test]
fn a_hundred_nodes_come_together_after_anything() {
    for seed in seeds() {
        eprintln!("seed {seed}");
        let mut mesh = mesh(seed);
        assert!(
            come_together(&mut mesh, MINUTE),
            "seed {seed}: at the start"
        );
        let start = meta_sent(&mesh);
        for _ in 0..DISTURBANCES {
            disturb(&mut mesh);
        }
        mesh.mend();
        for index in 0..NODES {
            if mesh.members[index].node.is_none() {
                mesh.start(index);
            }
        }
        // As long as a node may wait before it dials again.
        assert!(
            come_together(&mut mesh, 15 * MINUTE),
            "seed {seed}: at the end"
        );
        mesh.run(2 * MINUTE, |_| false);
        let beliefs = beliefs(&mesh);
        for (index, belief) in beliefs.iter().enumerate() {
            assert_eq!(belief, &beliefs[0], "seed {seed}: node {index} and node 0");
        }
        let storm = meta_sent(&mesh) - start;
        assert!(
            storm < start * DISTURBANCES / 12,
            "seed {seed}: {storm} bytes, {start} to start"
        );
        let before = meta_sent(&mesh);
        mesh.run(2 * MINUTE, |_| false);
        let idle = meta_sent(&mesh) - before;
        assert!(
            idle < NODES * 2 * 20,
            "seed {seed}: {idle} bytes in two idle minutes"
        );
    }
}
