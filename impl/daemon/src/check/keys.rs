//! Keys: ours, the others', and what packets are protected with.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use v6router_core::crypto::algorithm::Digest;
use v6router_core::crypto::rsa::PublicKey;

use super::finding::{At, Code, Findings};
use super::network::Network;
use crate::keys::KeyError;

/// Shorter RSA keys are within reach of whoever has the means (NIST SP 800-131A rev. 2, table 2).
const MIN_BITS: usize = 2048;
/// Bytes of a MAC below which guessing is no longer out of the question (RFC 2104 section 5: half of the digest, and
/// not less than 80 bits).
const MIN_MAC: u8 = 10;

/// Whether everybody has the keys he needs, and of what worth they are.
pub(super) fn check(network: &Network, found: &mut Findings) {
    own(network, found);
    others(network, found);
    packets(network, found);
}

fn own(network: &Network, found: &mut Findings) {
    let Some((path, key)) = &network.private_key else {
        return;
    };
    let loaded = match key {
        Ok(loaded) => loaded,
        Err(KeyError::Open { error, .. }) if error.kind() == io::ErrorKind::PermissionDenied => {
            found.closed(path);
            return;
        }
        Err(error) => {
            let at = match error {
                KeyError::Malformed { line, .. } => At::line(path, *line),
                KeyError::Open { .. } | KeyError::Missing { .. } => At::file(path),
            };
            let why = "the daemon does not start without its own key";
            found.error(
                Code::NoPrivateKey,
                at,
                error.to_string(),
                why,
                network.make_keys(),
            );
            return;
        }
    };
    if loaded.exposed {
        found.warning(
            Code::KeyExposed,
            At::file(path),
            "others on this machine may read the private key",
            "whoever has it is this node",
            format!("chmod 600 {}", path.display()),
        );
    }
    weak(path, loaded.key.public(), found);
    let Some(host) = network.own_host() else {
        return;
    };
    let (ours, public) = (
        loaded.key.public().to_pem().ok(),
        host.key.as_ref().and_then(|key| key.as_ref().ok()),
    );
    if let (Some(ours), Some(theirs)) = (ours, public.and_then(|key| key.to_pem().ok()))
        && ours != theirs
    {
        found.error(
            Code::KeyMismatch,
            At::file(&host.path),
            format!("the public key is not that of {}", path.display()),
            "the others check us by this file, and refuse us",
            format!(
                "{} makes a pair; then copy this file to the others again",
                network.make_keys()
            ),
        );
    }
}

fn weak(path: &Path, key: &PublicKey, found: &mut Findings) {
    let bits = key.size() * 8;
    if bits < MIN_BITS {
        found.warning(
            Code::WeakKey,
            At::file(path),
            format!("an RSA key of {bits} bits"),
            "whoever breaks it is the node, and reads what he recorded earlier: the protocol has no forward secrecy",
            format!("tincd -K {MIN_BITS} on that node, and its host file anew to everybody"),
        );
    }
}

fn others(network: &Network, found: &mut Findings) {
    let mut owners: BTreeMap<String, &Path> = BTreeMap::new();
    for (node, host) in &network.hosts {
        if let Some(line) = host.private_key {
            found.error(
                Code::PrivateKeyInHostFile,
                At::line(&host.path, line),
                "a private key in a host file",
                "host files are copied to others, who then can be this node",
                "take it out, make a new pair with tincd's option -K, and copy the file anew",
            );
        }
        let key = match &host.key {
            Some(Ok(key)) => key,
            // In a copy of a directory, another file may be missing without being missing.
            None | Some(Err(KeyError::Open { .. })) => continue,
            Some(Err(error)) => {
                let at = match error {
                    KeyError::Malformed { line, .. } => At::line(&host.path, *line),
                    _ => At::file(&host.path),
                };
                let ours = network.name.as_ref() == Some(node);
                let (why, fix) = match ours {
                    true => (
                        "the others need it to know us",
                        format!("{} appends it", network.make_keys()),
                    ),
                    false => (
                        "nobody can be known by it: the node is refused",
                        format!("copy {node}'s own hosts/{node} here"),
                    ),
                };
                found.error(Code::NoPublicKey, at, error.to_string(), why, fix);
                continue;
            }
        };
        if network.name.as_ref() != Some(node) {
            weak(&host.path, key, found);
        }
        let Ok(pem) = key.to_pem() else {
            continue;
        };
        if let Some(other) = owners.insert(pem, &host.path) {
            found.warning(
                Code::KeyShared,
                At::file(&host.path),
                format!("the same key as in {}", other.display()),
                "each of the two can be the other",
                "make a new pair on one of them: after copying a memory card, for instance",
            );
        }
    }
}

fn packets(network: &Network, found: &mut Findings) {
    let Some(server) = &network.server else {
        return;
    };
    let (digest, length) = (server.packet.digest(), server.packet.mac_length());
    // That there is none at all is told where values are.
    if digest != Digest::None && length < MIN_MAC {
        let place = network.all("MACLength").next();
        let at = place.map_or_else(|| At::file(&network.tinc_conf), |entry| At::span(&entry.at));
        found.note(
            Code::WeakPackets,
            at,
            format!("packets to us carry a MAC of {length} bytes, {}", match place {
                Some(_) => "as asked for",
                None => "the default",
            }),
            "who can send many packets may have one taken for genuine; and RSA without forward secrecy means that a \
             stolen key opens what was recorded",
            "MACLength = 16 in tinc.conf, on every node",
        );
    }
}
