//! Whom to measure, as said on the command line.

use std::fmt;
use std::path::PathBuf;

use crate::actors::Product;

/// Without a tunnel.
pub(super) const PLAIN: &str = "veth";

/// A tunnel of another protocol.
const WIREGUARD: &str = "wireguard-go";

/// Why a subject is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SubjectError(String);

/// Who is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// As it was asked for.
    pub name: String,
    /// What that is.
    pub(super) kind: Kind,
}

/// What connects two machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Their cable.
    Plain,
    /// wireguard-go at both ends.
    WireGuard,
    /// Daemons of tinc's protocol, left and right; in a star, the server's and the leaves'.
    Tinc(Box<[Side; 2]>),
}

/// A daemon of tinc's protocol and how it is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) product: Product,
    /// The program, if not the usual one.
    pub(super) program: Option<PathBuf>,
    pub(super) mode: Mode,
    /// More lines for its `tinc.conf`.
    pub(super) lines: Vec<(String, String)>,
}

/// What a daemon forwards by: the option `Mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Switch,
    Router,
    Hub,
}

/// The daemons there are.
#[derive(Debug, Clone)]
pub struct Catalogue {
    daemons: Vec<(String, Product, Option<PathBuf>)>,
}

impl Catalogue {
    /// Those that everybody has, and programs of v6router under names of their own, or under its name instead of the
    /// one built with the lab.
    #[must_use]
    pub fn new(programs: &[(String, PathBuf)]) -> Self {
        let usual = Product::ALL.map(|product| (product.to_string(), product, None));
        let own = programs
            .iter()
            .map(|(name, path)| (name.clone(), Product::V6router, Some(path.clone())));
        // The last of a name counts.
        Self {
            daemons: own.rev().chain(usual).collect(),
        }
    }

    /// Reads `DAEMON[-router|-hub][:KEY=VALUE]...`, two of them joined by `+`, `wireguard-go` or `veth`.
    ///
    /// # Errors
    /// What is wrong, and what there is.
    pub fn subject(&self, word: &str) -> Result<Subject, SubjectError> {
        let kind = match word {
            PLAIN => Kind::Plain,
            WIREGUARD => Kind::WireGuard,
            _ => {
                let (left, right) = word.split_once('+').unwrap_or((word, word));
                let sides = [self.side(left)?, self.side(right)?];
                if sides[0].mode != sides[1].mode {
                    return Err(SubjectError(format!(
                        "{word:?}: both ends have to forward alike, but one is in mode {}, the other in mode {}",
                        sides[0].mode, sides[1].mode
                    )));
                }
                Kind::Tinc(Box::new(sides))
            }
        };
        Ok(Subject {
            name: word.to_owned(),
            kind,
        })
    }

    fn side(&self, word: &str) -> Result<Side, SubjectError> {
        let mut parts = word.split(':');
        let daemon = parts.next().unwrap_or_default();
        let (product, program, mode) = self.daemon(daemon).ok_or_else(|| {
            SubjectError(format!(
                "there is no subject {daemon:?}; there are {}, {WIREGUARD} and {PLAIN}; all but these two with -router \
                 or -hub for another mode than switch, with :KEY=VALUE for lines of tinc.conf, and joined by + for a \
                 daemon at each end",
                self.names().join(", ")
            ))
        })?;
        let lines = parts.map(|line| {
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            let plain = |text: &str| !text.is_empty() && !text.contains(char::is_control);
            let legal = plain(value) && plain(key) && key.chars().all(char::is_alphanumeric);
            legal
                .then(|| (key.to_owned(), value.to_owned()))
                .ok_or_else(|| {
                    SubjectError(format!(
                        "{word:?}: {line:?} is no line of a tinc.conf, such as PMTUDiscovery=no"
                    ))
                })
        });
        Ok(Side {
            product,
            program,
            mode,
            lines: lines.collect::<Result<_, _>>()?,
        })
    }

    /// A daemon, or one with its mode behind its name.
    fn daemon(&self, word: &str) -> Option<(Product, Option<PathBuf>, Mode)> {
        let modes = [
            ("", Mode::Switch),
            ("-router", Mode::Router),
            ("-hub", Mode::Hub),
        ];
        modes.into_iter().find_map(|(suffix, mode)| {
            let name = word.strip_suffix(suffix)?;
            let (_, product, program) = self.daemons.iter().find(|(known, ..)| known == name)?;
            Some((*product, program.clone(), mode))
        })
    }

    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.daemons.iter().map(|(name, ..)| &**name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Subject {
    /// Whether it is tincd at both ends, to which others are compared.
    pub(super) fn is_reference(&self) -> bool {
        let Kind::Tinc(sides) = &self.kind else {
            return false;
        };
        sides.iter().all(|side| side.product == Product::Tincd)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Switch => "switch",
            Self::Router => "router",
            Self::Hub => "hub",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sides(word: &str) -> [Side; 2] {
        let old = ("old".to_owned(), PathBuf::from("/old/v6router"));
        let Kind::Tinc(sides) = Catalogue::new(&[old]).subject(word).unwrap().kind else {
            panic!("{word} is no daemon of tinc's protocol");
        };
        *sides
    }

    #[test]
    fn a_name_says_daemon_mode_and_lines() {
        let [left, right] = sides("v6router-router:Offload=no:Cipher=none");
        assert_eq!(left, right);
        assert_eq!((left.product, left.mode), (Product::V6router, Mode::Router));
        let lines = [("Offload", "no"), ("Cipher", "none")];
        assert_eq!(left.lines, lines.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn left_sends_to_right() {
        let [left, right] = sides("tincd+v6router:Offload=no");
        assert_eq!(left.product, Product::Tincd);
        assert!(left.lines.is_empty());
        assert_eq!(right.product, Product::V6router);
        assert_eq!(right.lines.len(), 1);
    }

    #[test]
    fn another_program_has_a_name_of_its_own_or_takes_the_usual_ones_place() {
        let program = sides("old-router")[0].program.clone();
        assert_eq!(program, Some("/old/v6router".into()));
        assert_eq!(sides("v6router")[0].program, None);
        let instead = Catalogue::new(&[("v6router".to_owned(), "/new".into())]);
        let Kind::Tinc(sides) = instead.subject("v6router").unwrap().kind else {
            panic!("no daemon");
        };
        assert_eq!(sides[1].program, Some("/new".into()));
    }

    #[test]
    fn what_is_no_subject_is_told_with_what_there_is() {
        let wrong = |word: &str| Catalogue::new(&[]).subject(word).unwrap_err().to_string();
        for word in [
            "openvpn",
            "",
            "veth+tincd",
            "wireguard-go-router",
            "v6router-switch",
        ] {
            assert!(wrong(word).contains("tinc11, tincd, v6router"), "{word}");
        }
        assert!(wrong("v6router+tincd-router").contains("mode switch"));
        for word in ["tincd:Offload", "tincd:=no", "tincd:A b=no", "tincd:A=b\nc"] {
            assert!(wrong(word).contains("no line of a tinc.conf"), "{word}");
        }
    }

    #[test]
    fn the_reference_is_tincd_at_both_ends() {
        let is = |word: &str| Catalogue::new(&[]).subject(word).unwrap().is_reference();
        assert!(is("tincd") && is("tincd-router"));
        assert!(!is("tincd+v6router") && !is("veth"));
    }
}
