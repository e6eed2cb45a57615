//! From the command line to a running daemon and back: the order of things at start and stop.
//!
//! As in tincd: read the configuration, take the pid file, detach, open the device, run
//! `tinc-up`, open the sockets, run our own `subnet-up`, say "Ready", drop privileges, serve.
//! At the end: connections with their scripts, sockets, `tinc-down`, device, pid file.

mod daemon;
mod outputs;
mod picture;
mod reload;
mod residents;
mod routing;
mod start;
mod status;
mod streams;

use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use tracing::{error, info, warn};
use v6router_core::crypto::rsa::{PrivateKey, PublicKey};

use crate::cli::{Invocation, unreadable};
use crate::config::{ConfigSet, Layout, OwnKey, ServerConfig, describe};
use crate::io::activation;
use crate::io::device::{Device, device_mac};
use crate::keys::{self, Loaded};
use crate::logging::Log;
use crate::pidfile::PidFile;
use crate::privilege;
use crate::scripts::Scripts;
use crate::signals::Signals;
use daemon::{Daemon, Setup};
use routing::Routing;

/// Runs the daemon until it is told to stop.
pub(crate) fn run(mut invocation: Invocation) -> ExitCode {
    // Sockets that are meant for this process would be lost with it.
    invocation.detach &= !activation::is_meant();
    let inherited = match invocation.detach {
        true => Vec::new(),
        false => activation::listeners(),
    };
    let layout = &invocation.layout;
    let log = match Log::start(layout.ident(), invocation.debug, layout.logfile()) {
        Ok(log) => log,
        Err(error) => {
            let path = layout.logfile().unwrap_or_else(|| layout.confbase());
            eprintln!(
                "Cannot write log file {}: {}",
                path.display(),
                describe(&error)
            );
            return ExitCode::FAILURE;
        }
    };
    let set = match ConfigSet::server(layout, &invocation.overrides) {
        Ok(set) => set,
        Err(error) => {
            for line in unreadable(layout, &error) {
                error!("{line}");
            }
            return ExitCode::FAILURE;
        }
    };
    // Removed when this function ends.
    let pidfile = match PidFile::take(layout.pidfile(), layout.netname()) {
        Ok(pidfile) => pidfile,
        Err(error) => {
            error!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = settle(&invocation, &log, &pidfile) {
        error!("{error:#}");
        return ExitCode::FAILURE;
    }
    info!(
        "v6router {} (tincd) starting, debug level {}",
        env!("CARGO_PKG_VERSION"),
        invocation.debug
    );
    let outcome = serve(invocation, inherited, log, set);
    if let Err(error) = &outcome {
        error!("{error:#}");
    }
    info!("Terminating");
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Puts back what a daemon that was killed has left behind.
///
/// # Errors
/// If a daemon is at work, the kernel does not speak with us, or something could not be put back.
pub(crate) fn down(layout: &Layout) -> anyhow::Result<()> {
    // Nobody may start meanwhile.
    let _pidfile = PidFile::take(layout.pidfile(), layout.netname())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let left = runtime.block_on(routing::heal(&layout.journal()))?;
    if !left.is_empty() {
        bail!("{}", left.join("\n"));
    }
    Ok(())
}

/// Detaches if that is wanted. Nothing may have made a thread before.
fn settle(invocation: &Invocation, log: &Log, pidfile: &PidFile) -> anyhow::Result<()> {
    if invocation.detach {
        // The parent ends here, with status 0: whether the set-up succeeds is in the log.
        nix::unistd::daemon(false, false).context("Couldn't detach from the terminal")?;
        log.settle(true).context("Couldn't open syslog")?;
        pidfile.rewrite()?;
    } else {
        log.settle(false)?;
    }
    privilege::allow_files();
    if invocation.mlock {
        privilege::lock_memory()?;
    }
    Ok(())
}

fn serve(
    invocation: Invocation,
    inherited: Vec<TcpListener>,
    log: Log,
    set: ConfigSet,
) -> anyhow::Result<()> {
    let Invocation {
        layout, overrides, ..
    } = &invocation;
    let config = ServerConfig::read(set, layout, overrides)?;
    for complaint in &config.complaints {
        warn!("{complaint}");
    }
    if invocation.chroot && config.router.is_some() {
        bail!(
            "-R cannot be used with router.toml: a router needs /proc/sys until it ends, \
             and there is none below another root"
        );
    }
    let private_key = match &config.private_key {
        OwnKey::Given(key) => PrivateKey::clone(key),
        OwnKey::File(path) => key_in_file(path, &layout.host(&config.name))?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Threads for name resolution only: one each for names that are looked up at the same
        // time, so that a resolver that hangs for one network does not stop other names. Small,
        // for `-L` keeps their stacks in memory.
        .max_blocking_threads(64)
        .thread_stack_size(512 << 10)
        .build()
        .context("Couldn't start the event loop")?;
    let setup = Setup {
        invocation,
        config,
        inherited,
        opened: None,
    };
    let outcome = runtime.block_on(live(setup, log, private_key));
    // A name that is still being looked up must not delay the end.
    runtime.shutdown_background();
    outcome
}

/// Our key out of its file, with a warning if others can read it or know another one.
fn key_in_file(path: &Path, own_host_file: &Path) -> anyhow::Result<PrivateKey> {
    let Loaded { key, exposed } = keys::read_private(path)?;
    if exposed {
        warn!(
            "insecure file permissions for RSA private key file `{}': \
             others can read it; try chmod 600",
            path.display()
        );
    }
    if keys::read_public(own_host_file).is_ok_and(|known| !is_same(&known, key.public())) {
        warn!(
            "{} has another public key than belongs to {}: peers who copied it will refuse us; \
             distribute the file that -K wrote",
            own_host_file.display(),
            path.display()
        );
    }
    Ok(key)
}

fn is_same(one: &PublicKey, other: &PublicKey) -> bool {
    matches!((one.to_pem(), other.to_pem()), (Ok(one), Ok(other)) if one == other)
}

/// The life of the daemon within its event loop.
async fn live(mut setup: Setup, log: Log, private_key: PrivateKey) -> anyhow::Result<()> {
    setup.open_early().await?;
    let Setup {
        invocation, config, ..
    } = &setup;
    let mut signals = Signals::take(invocation.detach).context("Couldn't take over signals")?;
    let mac = device_mac(invocation.layout.netname(), &config.name);
    let device = Arc::new(Device::open(&config.device, mac)?);
    info!(
        "{} is a {}, interface {}",
        device.path(),
        device.kind(),
        device.name()
    );
    let mut scripts = Scripts {
        confbase: invocation.layout.confbase().to_owned(),
        interpreter: config.scripts_interpreter.clone(),
        netname: invocation.layout.netname().unwrap_or_default().to_owned(),
        name: config.name.clone(),
        device: device.path().to_owned(),
        interface: device.name().to_owned(),
    };
    let journal = invocation.layout.journal();
    let routing = Routing::start(config.router.as_ref(), device.name(), &journal).await?;
    let beside = routing.clone();
    let outcome = tokio::select! {
        () = scripts.tinc_up() => {
            work(setup, log, private_key, &device, beside, &mut scripts, &mut signals).await
        }
        name = signals.stop() => {
            info!("Got {name} signal");
            Ok(())
        }
    };
    tokio::select! {
        () = scripts.tinc_down() => {}
        name = signals.stop() => warn!("Got {name} signal, not waiting for tinc-down"),
    }
    if let Some(routing) = routing {
        routing.stop().await;
    }
    outcome
}

/// What lies between `tinc-up` and `tinc-down`.
async fn work(
    setup: Setup,
    log: Log,
    private_key: PrivateKey,
    device: &Arc<Device>,
    routing: Option<Routing>,
    scripts: &mut Scripts,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let nice = setup.config.nice;
    let routes = setup.config.router.is_some();
    let user = setup.invocation.user.clone();
    let root = setup
        .invocation
        .chroot
        .then(|| setup.invocation.layout.confbase().to_owned());
    let mut daemon =
        Daemon::start(setup, log, private_key, device, routing, scripts.clone()).await?;
    // The scripts of our own subnets.
    tokio::select! {
        () = daemon.runner.idle() => {}
        name = signals.stop() => {
            info!("Got {name} signal");
            daemon.stop(signals).await;
            return Ok(());
        }
    }
    info!("Ready");
    if let Some(nice) = nice {
        privilege::set_nice(nice)?;
    }
    privilege::drop_to(user.as_deref(), root.as_deref(), routes)?;
    if root.is_some() {
        scripts.confbase = Path::new("/").to_owned();
        daemon.root_changed(scripts.clone());
    }
    daemon.ready();
    let outcome = daemon.serve(signals).await;
    // For tinc-down, which is left to do.
    scripts
        .interpreter
        .clone_from(&daemon.setup.config.scripts_interpreter);
    daemon.stop(signals).await;
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn down_fails_if_something_cannot_be_put_back_and_names_it() {
        let dir = TempDir::new();
        let layout = dir.layout();
        down(&layout).unwrap();
        // A directory, which holds no value.
        let step = r#"{"doing":{"item":{"setting":{"key":"ipv6/conf","value":"1","only":null}},
            "before":{"settings":{"ipv6/conf":"0"}}}}"#;
        std::fs::write(layout.journal(), step.replace('\n', "") + "\n").unwrap();
        let error = down(&layout).unwrap_err().to_string();
        assert!(error.contains("could not be undone"), "{error}");
        assert!(layout.journal().exists());
    }
}
