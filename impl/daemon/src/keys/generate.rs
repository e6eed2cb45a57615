//! `-K`: a new key pair, appended to the files where tincd looks for it.
//!
//! Old keys are relabelled, never removed. Both files are written completely beside their
//! targets before either is replaced, so an interruption leaves the old keys in force.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use v6router_core::crypto::rsa::PrivateKey;
use zeroize::Zeroizing;

use super::pem;
use crate::config::{ConfigSet, Layout, describe, own_name};
use crate::store::Draft;

/// Makes a pair of `bits` and stores it. Progress and warnings go to stderr, questions to stdout.
///
/// # Errors
/// If the key has nowhere to go; nothing was changed then.
pub(crate) fn generate(set: &ConfigSet, layout: &Layout, bits: usize) -> anyhow::Result<()> {
    let public = match own_name(set, &layout.tinc_conf().display().to_string()) {
        Ok(name) => layout.host(&name),
        Err(error) => {
            let path = layout.nameless_public_key();
            if set.first("Name").is_some() {
                eprintln!("{error}");
            }
            eprintln!(
                "Without a usable Name the public key goes to {}.",
                path.display()
            );
            path
        }
    };
    let private = ask("private RSA key", layout.private_key())?;
    let public = ask("public RSA key", public)?;
    // Before the work, not after it.
    for path in [&private, &public] {
        has_a_place(path, layout)?;
    }
    if real(&private) == real(&public) {
        bail!(
            "The two keys cannot both go to {}: whoever is given one has the other; no key was made.",
            private.display()
        );
    }
    eprintln!("Generating {bits} bits keys:");
    let key = PrivateKey::generate(&mut rand::rng(), bits)?;
    // A host file that others may read is left so: the user of `-U` reads it.
    let mode = if public.exists() { 0o644 } else { 0o600 };
    let files = [
        append(&private, key.to_pem()?.as_bytes(), 0o600)?,
        append(&public, key.public().to_pem()?.as_bytes(), mode)?,
    ];
    eprintln!("Done.");
    for ((draft, retired), path) in files.into_iter().zip([private, public]) {
        draft
            .commit()
            .with_context(|| format!("Error writing file `{}'", path.display()))?;
        if retired {
            eprintln!(
                "Warning: old key(s) found and disabled in {}.",
                path.display()
            );
        }
    }
    Ok(())
}

/// A draft of the file at `path` with old keys relabelled, and whether there were any, and `pem`
/// at its end.
fn append(path: &Path, pem: &[u8], mode: u32) -> anyhow::Result<(Draft, bool)> {
    let old = match fs::read(path) {
        Ok(old) => Zeroizing::new(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Zeroizing::new(Vec::new()),
        Err(error) => bail!(
            "Error opening file `{}': {}",
            path.display(),
            describe(&error)
        ),
    };
    let (mut content, retired) = pem::retire(&old);
    if content.last().is_some_and(|last| *last != b'\n') {
        content.push(b'\n');
    }
    content.push(b'\n');
    content.extend_from_slice(pem);
    let content = Zeroizing::new(content);
    let draft = Draft::write(path, &content, mode).map_err(|error| {
        anyhow::anyhow!(
            "Error writing file `{}': {}",
            path.display(),
            describe(&error)
        )
    })?;
    Ok((draft, retired))
}

/// Asks where to put a key if somebody is there to answer.
fn ask(what: &str, default: PathBuf) -> anyhow::Result<PathBuf> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Ok(default);
    }
    print!(
        "Please enter a file to save {what} to [{}]: ",
        default.display()
    );
    io::stdout().flush()?;
    let mut answer = String::new();
    if io::stdin().lock().read_line(&mut answer)? == 0 {
        bail!("No answer; no key was made.");
    }
    match answer.trim() {
        "" => Ok(default),
        given => Ok(std::path::absolute(given)?),
    }
}

/// The file that a path leads to, by whatever links; one that is not there has a directory at least.
fn real(path: &Path) -> PathBuf {
    let in_dir = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    let real = path.canonicalize().ok().or_else(in_dir);
    real.unwrap_or_else(|| path.to_owned())
}

/// Checks that the directory of `path` is there.
fn has_a_place(path: &Path, layout: &Layout) -> anyhow::Result<()> {
    let Some(dir) = path.parent().filter(|dir| !dir.is_dir()) else {
        return Ok(());
    };
    let mut hint = format!("make it first: mkdir -p {}", layout.hosts().display());
    if layout.netname().is_some() && !layout.confbase().is_dir() {
        let others = layout.neighbours();
        if !others.is_empty() {
            hint = format!("networks set up here: {}", others.join(", "));
        }
    }
    bail!(
        "Error opening file `{}': the directory {} does not exist; {hint}",
        path.display(),
        dir.display()
    )
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::super::{read_private, read_public};
    use super::*;
    use crate::testing::TempDir;

    /// Small, for speed.
    const BITS: usize = 1024;

    #[test]
    fn a_new_pair_fits_together_and_the_old_one_is_kept_aside() {
        let dir = TempDir::new();
        let set = ConfigSet::from_text("Name = node_one\n");
        let host = dir.write("hosts/node_one", "Port = 1655");
        let readable = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        fs::set_permissions(&host, Permissions::from_mode(0o644)).unwrap();
        generate(&set, &dir.layout(), BITS).unwrap();
        assert_eq!(readable(&host), 0o644);
        let private = dir.path().join("rsa_key.priv");
        let first = read_private(&private).unwrap_or_else(|e| panic!("{e}"));
        assert!(!first.exposed);
        let public = read_public(&host).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            public.to_pem().unwrap(),
            first.key.public().to_pem().unwrap()
        );

        generate(&set, &dir.layout(), BITS).unwrap();
        let text = fs::read_to_string(&host).unwrap();
        assert!(
            text.starts_with("Port = 1655\n\n-----BEGIN OLD PUBLIC KEY-----\n"),
            "{text}"
        );
        assert_eq!(text.matches("-----BEGIN RSA PUBLIC KEY-----").count(), 1);
        let second = read_private(&private).unwrap_or_else(|e| panic!("{e}"));
        let public = read_public(&host).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            public.to_pem().unwrap(),
            second.key.public().to_pem().unwrap()
        );
        assert_eq!(
            fs::read_to_string(&private)
                .unwrap()
                .matches("BEGIN OLD PRIVATE")
                .count(),
            1
        );
    }

    #[test]
    fn a_key_with_nowhere_to_go_is_not_made() {
        let dir = TempDir::new();
        let set = ConfigSet::from_text("Name = node_one\n");
        let error = generate(&set, &dir.layout(), BITS).unwrap_err().to_string();
        assert!(error.contains("hosts does not exist"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn two_keys_for_one_file_are_not_made() {
        let dir = TempDir::new();
        let set = ConfigSet::from_text("Name = node_one\n");
        let private = dir.write("rsa_key.priv", "old");
        let hosts = dir.path().join("hosts");
        fs::create_dir(&hosts).unwrap();
        std::os::unix::fs::symlink(&private, hosts.join("node_one")).unwrap();
        let error = generate(&set, &dir.layout(), BITS).unwrap_err().to_string();
        assert!(error.contains("cannot both go to"), "{error}");
        assert_eq!(fs::read_to_string(private).unwrap(), "old");
        // What is answered need not be there yet.
        assert_eq!(real(&hosts.join("../new")), real(&dir.path().join("new")));
        assert_ne!(real(&hosts.join("new")), real(&dir.path().join("new")));
    }

    #[test]
    fn without_a_name_the_public_key_lies_beside_the_private_one() {
        let dir = TempDir::new();
        generate(&ConfigSet::default(), &dir.layout(), BITS).unwrap();
        assert!(read_public(&dir.path().join("rsa_key.pub")).is_ok());
    }
}
