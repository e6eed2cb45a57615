//! Which network a command is about.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::config::Layout;

/// Which network, of those of this machine.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The network: /etc/tinc/NET
    #[arg(short, long, value_name = "NET")]
    net: Option<String>,
    /// Its configuration directory, in place of /etc/tinc/NET
    #[arg(short, long, value_name = "DIR")]
    config: Option<PathBuf>,
}

/// Which network, and where its daemon runs.
#[derive(Debug, Args)]
pub(super) struct Running {
    #[command(flatten)]
    which: Which,
    /// Its pid file, in place of /run/tinc.NET.pid
    #[arg(long, value_name = "FILE")]
    pidfile: Option<PathBuf>,
}

impl Which {
    pub(super) fn layout(&self) -> Result<Layout, ExitCode> {
        layout(self, None)
    }
}

impl Running {
    pub(super) fn layout(&self) -> Result<Layout, ExitCode> {
        layout(&self.which, self.pidfile.clone())
    }
}

fn layout(which: &Which, pidfile: Option<PathBuf>) -> Result<Layout, ExitCode> {
    // As tincd's `-n .`: none.
    let net = which
        .net
        .clone()
        .filter(|net| !net.is_empty() && net != ".");
    Layout::new(net, which.config.clone(), pidfile, None).map_err(|error| {
        eprintln!("v6router: {error}");
        ExitCode::from(2)
    })
}
