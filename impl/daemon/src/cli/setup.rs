//! `v6router init` and `v6router site`.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use v6router_core::name::NodeName;
use v6router_core::router::{InterfaceAddress, Prefix, SLAAC_LEN};

use super::print;
use super::tincd::DEFAULT_KEY_BITS;
use super::which::Which;
use crate::check::{self, Look};
use crate::config::Layout;
use crate::setup::{self, Added, Advertise, Init, Role};

#[derive(Debug, Subcommand)]
pub(super) enum InitCommand {
    /// A server that hands out prefixes of a pool
    ///
    /// Example: `v6router init server --net vpn --name v6router --address 2001:db8:85a3:ef00::1/64
    /// --pool 2001:db8:85a3:ef00::/56 --listen 198.51.100.10`.
    Server {
        #[command(flatten)]
        which: Which,
        /// What the server calls itself: letters, digits, underscores
        #[arg(long)]
        name: NodeName,
        /// Its address on the VPN, with the length of the prefix that all members share there
        #[arg(long, value_name = "ADDRESS/LEN")]
        address: InterfaceAddress,
        /// What is routed to it, to hand out
        #[arg(long, value_name = "PREFIX")]
        pool: Prefix,
        /// Its public address or name, by which Pis find it; repeatable
        #[arg(long, value_name = "ADDRESS", required = true, value_parser = written)]
        listen: Vec<String>,
    },
    /// A Pi that dials a server and hands its prefix on
    ///
    /// `v6router site add` on the server prints this command with its values.
    Pi {
        #[command(flatten)]
        which: Which,
        /// What the Pi calls itself: letters, digits, underscores
        #[arg(long)]
        name: NodeName,
        /// What the server calls itself
        #[arg(long)]
        server: NodeName,
        /// A copy of the server's own file in `hosts`
        #[arg(long, value_name = "FILE")]
        server_file: Option<PathBuf>,
        /// The Pi's address on the VPN
        #[arg(long, value_name = "ADDRESS/LEN")]
        address: InterfaceAddress,
        /// The server's address on the VPN
        #[arg(long, value_name = "ADDRESS")]
        gateway: Ipv6Addr,
        /// The prefix for what is plugged into the Pi
        #[arg(long, value_name = "PREFIX", requires = "interface")]
        prefix: Option<Prefix>,
        /// An interface that gets a /64 of it: eth1, bt0; repeatable
        #[arg(long, value_name = "NAME", requires = "prefix")]
        interface: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SiteCommand {
    /// Give a site the next address and the next prefix, and say what its Pi needs
    ///
    /// The rest of router.toml stays as it is. Example: `v6router site add node_two --net vpn`.
    Add {
        #[command(flatten)]
        which: Which,
        /// What its Pi calls itself: letters, digits, underscores
        name: NodeName,
        /// Length of the prefix: 64 for one downstream network, shorter for more
        #[arg(long, value_name = "BITS", default_value_t = SLAAC_LEN)]
        len: u8,
    },
}

/// A line without a value would make the whole host file unreadable.
fn written(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("an address or a name is wanted"),
        text => Ok(text.to_owned()),
    }
}

pub(super) fn init(command: InitCommand) -> ExitCode {
    let (which, init) = match command {
        InitCommand::Server {
            which,
            name,
            address,
            pool,
            listen,
        } => {
            let role = Role::Server { pool, listen };
            (
                which,
                Init {
                    name,
                    address,
                    role,
                    bits: DEFAULT_KEY_BITS,
                },
            )
        }
        InitCommand::Pi {
            which,
            name,
            server,
            server_file,
            address,
            gateway,
            prefix,
            interface,
        } => {
            let advertise = prefix.map(|prefix| Advertise {
                prefix,
                interfaces: interface,
            });
            let role = Role::Pi {
                server,
                gateway,
                server_file,
                advertise,
            };
            (
                which,
                Init {
                    name,
                    address,
                    role,
                    bits: DEFAULT_KEY_BITS,
                },
            )
        }
    };
    let layout = match which.layout() {
        Ok(layout) => layout,
        Err(code) => return code,
    };
    if let Err(error) = init.write(&layout) {
        eprintln!("v6router init: {error:#}");
        return ExitCode::FAILURE;
    }
    let mut text = format!("{} is made.\n", layout.confbase().display());
    match &init.role {
        Role::Server { .. } => text.push_str(&format!(
            "Next, for each Pi: v6router site add NAME{}\n",
            named(&layout)
        )),
        Role::Pi { server, .. } => {
            let own = layout.host(&init.name);
            text.push_str(&format!(
                "Next, copy {} to hosts/{} on {server}.\n",
                own.display(),
                init.name
            ));
        }
    }
    // What is still to come from elsewhere.
    if let Ok(report) = check::examine(layout.confbase(), None, Look::Files)
        && report.worst().is_some()
    {
        text.push_str(&format!("\nStill to do:\n\n{report}"));
    }
    print(text.as_bytes())
}

/// What a command about that network has to say.
fn named(layout: &Layout) -> String {
    let net = layout.netname();
    let mut words = net.map_or_else(String::new, |net| format!(" --net {net}"));
    let usual = Layout::new(net.map(str::to_owned), None, None, None);
    if !usual.is_ok_and(|usual| usual.confbase() == layout.confbase()) {
        words.push_str(&format!(" --config {}", layout.confbase().display()));
    }
    words
}

pub(super) fn site(command: SiteCommand) -> ExitCode {
    let SiteCommand::Add { which, name, len } = command;
    let layout = match which.layout() {
        Ok(layout) => layout,
        Err(code) => return code,
    };
    match setup::add(&layout, name, len) {
        Ok(added) => print(instructions(&layout, &added).as_bytes()),
        Err(error) => {
            eprintln!("v6router site add: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What is to be done on the Pi and here.
fn instructions(layout: &Layout, added: &Added) -> String {
    let Added {
        name,
        address,
        gateway,
        prefix,
        server,
        awaited,
    } = added;
    let net = layout.netname().unwrap_or("vpn");
    let file = server.as_ref().map_or_else(
        || layout.hosts().join("SERVER"),
        |server| layout.host(server),
    );
    let server = server.as_ref().map_or("SERVER", |server| server.as_str());
    let mut text = format!(
        "{name} has {address} on the VPN, and {prefix}.\n\n\
         On the Pi, with {} copied to {server}.host there, and the interface that is to have the prefix:\n\n    \
         v6router init pi --net {net} --name {name} --server {server} --server-file {server}.host \\\n        \
         --address {address} --gateway {gateway} \\\n        --prefix {prefix} --interface eth1\n\n",
        file.display()
    );
    if let Some(path) = awaited {
        text.push_str(&format!(
            "Then put the Pi's own hosts/{name} in the place of {}.\n",
            path.display()
        ));
    }
    text.push_str(&in_force(layout.netname(), layout.confbase()));
    text
}

/// How a running daemon takes it over.
fn in_force(netname: Option<&str>, confbase: &Path) -> String {
    match netname {
        Some(net) => {
            format!("A daemon that runs takes it over with: v6router tincd -n {net} -kHUP\n")
        }
        None => format!(
            "A daemon that runs takes it over with: v6router tincd -c {} -kHUP\n",
            confbase.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn the_next_command_finds_the_directory_that_was_made() {
        for (net, config, said) in [
            (Some("vpn"), None, " --net vpn"),
            (Some("vpn"), Some("/etc/tinc/vpn/"), " --net vpn"),
            (Some("vpn"), Some("/srv/q"), " --net vpn --config /srv/q"),
            (None, Some("/srv/q"), " --config /srv/q"),
            (None, None, ""),
        ] {
            let (net, config) = (net.map(str::to_owned), config.map(PathBuf::from));
            let layout = Layout::new(net, config, None, None).unwrap();
            assert_eq!(named(&layout), said);
        }
    }

    #[test]
    fn a_server_listens_somewhere() {
        let parse = |listen: &str| {
            let words =
                "v6router init server --name a --address 2001:db8::1/64 --pool 2001:db8::/56";
            let words = words.split(' ').chain(["--listen", listen]);
            Cli::try_parse_from(words).is_ok()
        };
        assert!(parse("198.51.100.10 655"));
        assert!(!parse(""));
        assert!(!parse(" "));
    }
}
