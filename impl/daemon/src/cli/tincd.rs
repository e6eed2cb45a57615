//! What tincd was asked to do: its option table and the meaning of each option.
//!
//! Texts and exit codes are those of tincd 1.0.36, because init scripts read them.

use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::cli::grammar::{self, Flag, GrammarError, Takes};
use crate::config::{Layout, NetnameError, NoValue, Override, leading_integer};

/// First line of `--version`. A script that looks for `tinc version 1.0` finds it.
const VERSION: &str = concat!(
    "v6router ",
    env!("CARGO_PKG_VERSION"),
    " (tinc version 1.0.36 compatible, protocol 17)"
);

/// RSA key size of `-K` without a number, bits (tincd manual).
pub(super) const DEFAULT_KEY_BITS: usize = 2048;
/// Smallest RSA key `-K` makes, bits (tincd manual).
const MIN_KEY_BITS: usize = 512;
/// Largest RSA key `-K` makes, bits: the largest that tincd's request lines can carry.
const MAX_KEY_BITS: usize = 8192;

#[derive(Debug, Clone, Copy)]
enum Id {
    Config,
    NoDetach,
    Debug,
    Kill,
    Net,
    GenerateKeys,
    Mlock,
    Logfile,
    Pidfile,
    Override,
    BypassSecurity,
    Chroot,
    User,
    Help,
    Version,
}

/// In the order of tincd's own help.
#[rustfmt::skip]
const TABLE: &[Flag<Id>] = &[
    Flag { id: Id::Config, short: Some('c'), long: "config", takes: Takes::Value("DIR"), help: "Read configuration from DIR instead of /etc/tinc/NETNAME." },
    Flag { id: Id::NoDetach, short: Some('D'), long: "no-detach", takes: Takes::Nothing, help: "Don't fork and detach; log to the terminal." },
    Flag { id: Id::Debug, short: Some('d'), long: "debug", takes: Takes::Maybe("LEVEL"), help: "Increase debug level or set it to LEVEL (0 to 5)." },
    Flag { id: Id::Kill, short: Some('k'), long: "kill", takes: Takes::Maybe("SIGNAL"), help: "Send SIGNAL (default TERM) to a running tincd and exit." },
    Flag { id: Id::Net, short: Some('n'), long: "net", takes: Takes::Value("NETNAME"), help: "Connect to net NETNAME (`.' for none)." },
    Flag { id: Id::GenerateKeys, short: Some('K'), long: "generate-keys", takes: Takes::Maybe("BITS"), help: "Generate public/private RSA key pair and exit." },
    Flag { id: Id::Mlock, short: Some('L'), long: "mlock", takes: Takes::Nothing, help: "Lock the daemon into main memory." },
    Flag { id: Id::Logfile, short: None, long: "logfile", takes: Takes::Maybe("FILENAME"), help: "Write log entries to a file instead of syslog." },
    Flag { id: Id::Pidfile, short: None, long: "pidfile", takes: Takes::Value("FILENAME"), help: "Write the process id to FILENAME." },
    Flag { id: Id::Override, short: Some('o'), long: "option", takes: Takes::Value("[HOST.]KEY=VALUE"), help: "Set global/host configuration value." },
    Flag { id: Id::BypassSecurity, short: None, long: "bypass-security", takes: Takes::Nothing, help: "No authentication, no meta encryption. For tests only." },
    Flag { id: Id::Chroot, short: Some('R'), long: "chroot", takes: Takes::Nothing, help: "chroot to the configuration directory once started." },
    Flag { id: Id::User, short: Some('U'), long: "user", takes: Takes::Value("USER"), help: "setuid to the given USER once started." },
    Flag { id: Id::Help, short: None, long: "help", takes: Takes::Nothing, help: "Display this help and exit." },
    Flag { id: Id::Version, short: None, long: "version", takes: Takes::Nothing, help: "Output version information and exit." },
];

/// What all options together ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Be the daemon.
    Run,
    /// Send this signal number to the daemon of the network. Not every number has a name.
    Kill(i32),
    /// Make a key pair of so many bits.
    GenerateKeys(usize),
    /// Print the help text.
    Help,
    /// Print the version.
    Version,
}

/// One reading of tincd's command line.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) action: Action,
    /// Where this network's files are.
    pub(crate) layout: Layout,
    /// `-o`, in order.
    pub(crate) overrides: Vec<Override>,
    pub(crate) detach: bool,
    pub(crate) debug: u32,
    pub(crate) mlock: bool,
    pub(crate) chroot: bool,
    pub(crate) user: Option<String>,
    pub(crate) bypass_security: bool,
    /// Both `-c` and `-n` were given: the netname then only names things.
    pub(crate) config_beats_net: bool,
}

impl Invocation {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// The first misuse; nothing was done yet.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, UsageError> {
        let mut action = Action::Run;
        let (mut help, mut version) = (false, false);
        let (mut confbase, mut netname) = (None, None);
        let (mut logfile, mut pidfile) = (None, None);
        let (mut detach, mut mlock, mut chroot, mut bypass_security) = (true, false, false, false);
        let (mut debug, mut user, mut overrides) = (0, None, Vec::new());
        for (id, value) in grammar::parse(TABLE, words)? {
            let text = value.as_deref().unwrap_or_default();
            match id {
                Id::Config if confbase.is_some() => return Err(UsageError::TwoConfigs),
                Id::Config => confbase = Some(PathBuf::from(text)),
                Id::Net if netname.is_some() => return Err(UsageError::TwoNets),
                Id::Net => netname = Some(text.to_owned()),
                Id::NoDetach => detach = false,
                Id::Debug if value.is_none() => debug += 1,
                Id::Debug => debug = leading_integer(text).map_or(0, i32::unsigned_abs),
                Id::Kill => action = Action::Kill(kill_signal(value.as_deref())?),
                Id::GenerateKeys => action = Action::GenerateKeys(key_bits(value.as_deref())?),
                Id::Mlock => mlock = true,
                Id::Logfile => logfile = Some(value.map(PathBuf::from)),
                Id::Pidfile => pidfile = Some(PathBuf::from(text)),
                Id::Override => overrides.push(Override::parse(text, overrides.len() + 1)?),
                Id::BypassSecurity => bypass_security = true,
                Id::Chroot => chroot = true,
                Id::User => user = Some(text.to_owned()),
                Id::Help => help = true,
                Id::Version => version = true,
            }
        }
        if version {
            action = Action::Version;
        } else if help {
            action = Action::Help;
        }
        let netname = netname.filter(|name| !name.is_empty() && name != ".");
        let config_beats_net = confbase.is_some() && netname.is_some();
        Ok(Self {
            action,
            layout: Layout::new(netname, confbase, pidfile, logfile)?,
            overrides,
            detach,
            debug,
            mlock,
            chroot,
            user,
            bypass_security,
            config_beats_net,
        })
    }
}

/// The text of `--help`; `command` is how we were called.
pub(crate) fn help(command: &str) -> String {
    format!(
        "Usage: {command} [option]...\n\n{}\n\
         Signals a running daemon takes: TERM QUIT (stop), HUP (read ConnectTo and host files again),\n\
         ALRM (connect and ping now), INT (debug level 5 on and off), USR1 USR2 (log what is known),\n\
         WINCH (forget unreachable nodes).\n\n\
         Example: {command} -n vpn -K && {command} -n vpn -D -d2\n",
        grammar::help(TABLE)
    )
}

/// The text of `--version`.
pub(crate) fn version() -> String {
    format!(
        "{VERSION}\nA clean-room implementation of the tinc daemon; \
         not the work of the tinc authors.\nLicence: MIT OR Apache-2.0\n"
    )
}

/// A command line that asks for something impossible.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsageError {
    #[error("{0}")]
    Grammar(#[from] GrammarError),
    #[error("Only one configuration directory can be given.")]
    TwoConfigs,
    #[error("Only one netname can be given.")]
    TwoNets,
    #[error(
        "Invalid argument `{0}'; SIGNAL must be a number or one of HUP, TERM, KILL, USR1, USR2, WINCH, INT or ALRM."
    )]
    Signal(String),
    #[error(
        "Invalid argument `{0}'; BITS must be a number equal to or greater than {MIN_KEY_BITS}."
    )]
    BitsTooFew(String),
    #[error("Invalid argument `{0}'; BITS must not be greater than {MAX_KEY_BITS}.")]
    BitsTooMany(String),
    #[error("{0}")]
    Netname(#[from] NetnameError),
    #[error("{0}")]
    Override(#[from] NoValue),
}

fn kill_signal(text: Option<&str>) -> Result<i32, UsageError> {
    const NAMED: [(&str, Signal); 9] = [
        ("HUP", Signal::SIGHUP),
        ("TERM", Signal::SIGTERM),
        ("KILL", Signal::SIGKILL),
        ("USR1", Signal::SIGUSR1),
        ("USR2", Signal::SIGUSR2),
        ("WINCH", Signal::SIGWINCH),
        ("INT", Signal::SIGINT),
        ("ALRM", Signal::SIGALRM),
        ("ABRT", Signal::SIGABRT),
    ];
    let Some(text) = text else {
        return Ok(Signal::SIGTERM as i32);
    };
    NAMED
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, signal)| *signal as i32)
        .or_else(|| leading_integer(text).filter(|number| *number > 0))
        .ok_or_else(|| UsageError::Signal(text.to_owned()))
}

fn key_bits(text: Option<&str>) -> Result<usize, UsageError> {
    let Some(text) = text else {
        return Ok(DEFAULT_KEY_BITS);
    };
    match leading_integer(text).and_then(|bits| usize::try_from(bits).ok()) {
        Some(bits) if bits > MAX_KEY_BITS => Err(UsageError::BitsTooMany(text.to_owned())),
        Some(bits) if bits >= MIN_KEY_BITS => Ok(bits / 8 * 8),
        _ => Err(UsageError::BitsTooFew(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(words: &[&str]) -> Result<Invocation, UsageError> {
        Invocation::parse(words.iter().map(|w| (*w).to_owned()))
    }

    #[test]
    fn a_signal_has_a_name_or_a_number() {
        for (words, number) in [
            (&["-k"][..], 15),
            (&["-kHUP"], 1),
            (&["-k", "hup"], 1),
            (&["--kill=99x"], 99),
            (&["-kABRT"], 6),
        ] {
            assert_eq!(
                read(words).unwrap().action,
                Action::Kill(number),
                "{words:?}"
            );
        }
        for bad in ["FOO", "SIGHUP", "0", "-3"] {
            assert!(matches!(
                read(&[&format!("-k{bad}")]),
                Err(UsageError::Signal(_))
            ));
        }
    }

    #[test]
    fn key_sizes_are_whole_bytes_within_limits() {
        for (word, bits) in [("-K", 2048), ("-K4096", 4096), ("-K1027", 1024)] {
            assert_eq!(read(&[word]).unwrap().action, Action::GenerateKeys(bits));
        }
        assert!(matches!(read(&["-K12"]), Err(UsageError::BitsTooFew(_))));
        assert!(matches!(read(&["-Kabc"]), Err(UsageError::BitsTooFew(_))));
        assert!(matches!(read(&["-K9999"]), Err(UsageError::BitsTooMany(_))));
    }

    #[test]
    fn debug_levels_add_up_or_are_set() {
        for (words, level) in [
            (&["-d"][..], 1),
            (&["-d", "-d"], 2),
            (&["-d5"], 5),
            (&["-d", "3", "-d"], 4),
            (&["-dx"], 0),
        ] {
            assert_eq!(read(words).unwrap().debug, level, "{words:?}");
        }
    }

    #[test]
    fn a_configuration_directory_beats_the_netname_but_keeps_its_name() {
        let both = read(&["-c", "/x", "-n", "vpn"]).unwrap();
        assert!(both.config_beats_net);
        assert_eq!(both.layout.confbase(), Path::new("/x"));
        assert_eq!(both.layout.pidfile(), Path::new("/run/tinc.vpn.pid"));
        assert!(!read(&["-c", "/x", "-n", "."]).unwrap().config_beats_net);
    }

    #[test]
    fn given_twice_is_refused() {
        assert!(matches!(
            read(&["-c", "a", "-c", "b"]),
            Err(UsageError::TwoConfigs)
        ));
        assert!(matches!(
            read(&["-n", "a", "-n", "b"]),
            Err(UsageError::TwoNets)
        ));
    }

    #[test]
    fn an_override_needs_a_value() {
        assert_eq!(
            read(&["-o", "foo"]).unwrap_err().to_string(),
            "No value for variable `foo' in command line option 1"
        );
        assert_eq!(
            read(&["-o", "Name=x", "-oPort=1"]).unwrap().overrides.len(),
            2
        );
    }

    #[test]
    fn the_help_names_every_option() {
        let text = help("tincd");
        for flag in TABLE {
            assert!(text.contains(&format!("--{}", flag.long)), "{}", flag.long);
        }
    }
}
