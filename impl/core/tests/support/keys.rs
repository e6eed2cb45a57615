//! Keys and host files of the members of a mesh.

use std::sync::OnceLock;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use v6router_core::crypto::rsa::{PrivateKey, PublicKey};
use v6router_core::node::HostConfig;

pub(super) fn host(index: usize) -> HostConfig {
    HostConfig::new(public_key(index))
}

/// Keys are made once: few and small ones, since they protect nothing.
fn pem(index: usize) -> &'static str {
    static KEYS: [OnceLock<String>; 16] = [const { OnceLock::new() }; 16];
    let index = index % KEYS.len();
    KEYS[index].get_or_init(|| {
        let mut rng = StdRng::seed_from_u64(u64::try_from(index).unwrap());
        let key = PrivateKey::generate(&mut rng, 1024).unwrap();
        key.to_pem().unwrap().to_string()
    })
}

pub(super) fn key(index: usize) -> PrivateKey {
    PrivateKey::from_pem(pem(index)).unwrap()
}

fn public_key(index: usize) -> PublicKey {
    key(index).public().clone()
}
