//! What is found, in a form that people and programs can read.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::Span;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// It works; worth knowing.
    Note,
    /// Part of it will not do what was meant.
    Warning,
    /// It cannot work.
    Error,
}

/// Declares the codes, each with its stable name.
macro_rules! codes {
    ($($code:ident = $name:literal,)*) => {
        /// Which mistake it is; the names are stable, and `docs/CHECK.md` explains each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub(crate) enum Code {
            $(#[serde(rename = $name)] $code,)*
        }

        impl Code {
            /// Every code.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$code,)*];

            /// The stable name.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)*
                }
            }
        }
    };
}

codes! {
    NoTincConf = "no-tinc-conf",
    Unreadable = "unreadable",
    InvalidName = "invalid-name",
    NoName = "no-name",
    BadValue = "bad-value",
    DoubtfulValue = "doubtful-value",
    UnknownVariable = "unknown-variable",
    StrayDirectory = "stray-directory",
    NetsBoot = "nets-boot",
    NoPrivateKey = "no-private-key",
    KeyExposed = "key-exposed",
    KeyMismatch = "key-mismatch",
    KeyShared = "key-shared",
    WeakKey = "weak-key",
    WeakPackets = "weak-packets",
    NoOwnHostFile = "no-own-host-file",
    NoPublicKey = "no-public-key",
    PrivateKeyInHostFile = "private-key-in-host-file",
    OddHostFileName = "odd-host-file-name",
    NameDiffers = "name-differs",
    UnknownPeer = "unknown-peer",
    NoAddress = "no-address",
    PrivateAddress = "private-address",
    SubnetTwice = "subnet-twice",
    SubnetWithin = "subnet-within",
    ModeWithoutSubnets = "mode-without-subnets",
    AddressWithoutSubnet = "address-without-subnet",
    SubnetsWithoutUse = "subnets-without-use",
    ScriptNotExecutable = "script-not-executable",
    ScriptWithoutInterpreter = "script-without-interpreter",
    ScriptCrlf = "script-crlf",
    EmptyInterface = "empty-interface",
    InterfaceDown = "interface-down",
    GatewayOffLink = "gateway-off-link",
    DefaultGatewayOffLink = "default-gateway-off-link",
    RouteTwice = "route-twice",
    PoolOnLink = "pool-on-link",
    ForwardingOff = "forwarding-off",
    AcceptRa = "accept-ra",
    RouterToml = "router-toml",
    Ipv4OnlyListener = "ipv4-only-listener",
}

/// One mistake at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) code: Code,
    pub(crate) severity: Severity,
    pub(crate) file: PathBuf,
    /// Counted from 1; `None` if it is about the file or directory as a whole.
    pub(crate) line: Option<usize>,
    /// What is there.
    pub(crate) what: String,
    /// What comes of it.
    pub(crate) why: String,
    /// What would be right.
    pub(crate) fix: String,
}

/// Where something was found.
#[derive(Debug, Clone)]
pub(crate) struct At {
    file: PathBuf,
    line: Option<usize>,
}

impl At {
    /// A line of a file, counted from 1.
    pub(crate) fn line(file: &Path, line: usize) -> Self {
        Self {
            line: Some(line),
            ..Self::file(file)
        }
    }

    /// A file as a whole.
    pub(crate) fn file(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
        }
    }

    /// Where a value is written.
    pub(crate) fn span(span: &Span) -> Self {
        match span {
            Span::File(path, line) => Self::line(path, *line),
            Span::CommandLine(_) => Self::file(Path::new("")),
        }
    }
}

/// Collects findings.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    pub(crate) fn error(
        &mut self,
        code: Code,
        at: At,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(
            code,
            Severity::Error,
            at,
            [what.into(), why.into(), fix.into()],
        );
    }

    pub(crate) fn warning(
        &mut self,
        code: Code,
        at: At,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(
            code,
            Severity::Warning,
            at,
            [what.into(), why.into(), fix.into()],
        );
    }

    pub(crate) fn note(
        &mut self,
        code: Code,
        at: At,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(
            code,
            Severity::Note,
            at,
            [what.into(), why.into(), fix.into()],
        );
    }

    /// A file or directory that whoever checks may not read.
    pub(crate) fn closed(&mut self, path: &Path) {
        self.warning(
            Code::Unreadable,
            At::file(path),
            "you may not read it",
            "what is in it was not looked at, and may well be right",
            "run as root",
        );
    }

    /// `texts` are what, why and fix.
    pub(crate) fn add(&mut self, code: Code, severity: Severity, at: At, texts: [String; 3]) {
        let [what, why, fix] = texts;
        self.0.push(Finding {
            code,
            severity,
            file: at.file,
            line: at.line,
            what,
            why,
            fix,
        });
    }

    /// In the order of files and lines.
    pub(crate) fn sorted(mut self) -> Vec<Finding> {
        self.0
            .sort_by(|a, b| (&a.file, a.line, a.code).cmp(&(&b.file, b.line, b.code)));
        self.0.dedup();
        self.0
    }
}
