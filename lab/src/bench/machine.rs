//! Where something was measured.

use std::fmt;
use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;

/// The machine and the build, as far as results depend on them.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Cores that may be used.
    pub cpus: usize,
    /// What they call themselves.
    pub model: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Congestion control of TCP, which nodes have from the machine.
    pub congestion: String,
    /// Processes that wanted to run, averaged over the last minute, before anything was measured: others' load.
    pub load: f64,
    /// How the lab was built, and so most likely v6router too: `debug` or `release`.
    pub build: &'static str,
}

impl Machine {
    /// This one, now.
    ///
    /// # Errors
    /// When `/proc` is not there.
    pub fn look() -> Result<Self> {
        let read =
            |path: &str| fs::read_to_string(path).with_context(|| format!("cannot read {path}"));
        let load = read("/proc/loadavg")?;
        let load = load.split(' ').next().and_then(|load| load.parse().ok());
        let congestion = read("/proc/sys/net/ipv4/tcp_congestion_control").unwrap_or_default();
        Ok(Self {
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            model: model(&read("/proc/cpuinfo")?),
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            congestion: congestion.trim().to_owned(),
            load: load.unwrap_or_default(),
            build: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cpus,
            model,
            kernel,
            congestion,
            load,
            build,
        } = self;
        write!(
            f,
            "{cpus} cores ({model}), Linux {kernel}, TCP {congestion}, load {load} before, {build} build"
        )
    }
}

/// The first line that names a processor: `model name` on x86, `Model` of the board on a Pi, whose cores have no name.
fn model(cpuinfo: &str) -> String {
    let named = |key: &str| {
        cpuinfo.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == key).then(|| value.trim().to_owned())
        })
    };
    let found = named("model name").or_else(|| named("Model"));
    found.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_called_by_its_name_or_its_boards() {
        assert_eq!(
            model("processor\t: 0\nmodel name\t: AMD EPYC\n"),
            "AMD EPYC"
        );
        let pi =
            "processor\t: 0\nBogoMIPS\t: 108.00\n\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n";
        assert_eq!(model(pi), "Raspberry Pi 4 Model B Rev 1.4");
        assert_eq!(model(""), std::env::consts::ARCH);
    }
}
