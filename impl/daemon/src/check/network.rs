//! Everything there is of one network, read once.

mod host;
mod script;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use v6router_core::dataplane::Mode;
use v6router_core::name::NodeName;
use v6router_core::router::RouterConfig;

use super::script::Variables;
use crate::config::router::{self, RouterError};
use crate::config::{
    Assignment, BadValue, Complaint, ConfigSet, FileError, Layout, NetnameError, Override, OwnKey,
    OwnNameError, ServerConfig, ServerError, mended, own_name, remarks,
};
use crate::io::device::DeviceSetup;
use crate::keys::{KeyError, Loaded, read_private};
pub(crate) use host::Host;
use host::is_leftover;
pub(super) use host::looks_like_a_host_file;
pub(crate) use script::Script;
use script::is_script;

/// Wrong values reported of one configuration; ours.
const MAX_WRONG: usize = 100;
/// The interface if neither `Interface` nor the netname names it.
const NAMELESS: &str = "tun0";

/// One network's directory.
pub(crate) struct Network {
    pub(crate) dir: PathBuf,
    pub(crate) tinc_conf: PathBuf,
    /// `tinc.conf` and `conf.d`.
    pub(crate) set: Result<ConfigSet, FileError>,
    /// Our name, as far as it can be told.
    pub(crate) name: Option<NodeName>,
    /// Why we have none.
    pub(crate) bad_name: Option<OwnNameError>,
    /// Values with which the daemon does not start.
    pub(crate) wrong: Vec<BadValue>,
    /// The same, without a place.
    pub(crate) missing: Vec<String>,
    /// Values with which it starts, but not as they say.
    pub(crate) doubtful: Vec<BadValue>,
    /// Variables that have no effect.
    pub(crate) without_effect: Vec<BadValue>,
    /// All of it as types, if that could be done.
    pub(crate) server: Option<ServerConfig>,
    /// `None`: that cannot be told.
    pub(crate) mode: Option<Mode>,
    /// What scripts know as `$INTERFACE`; `None` if there is no interface of ours.
    pub(crate) interface: Option<String>,
    /// Where our key is, and whether it can be used; `None` if it is in tinc.conf.
    pub(crate) private_key: Option<(PathBuf, Result<Loaded, KeyError>)>,
    pub(crate) hosts: BTreeMap<NodeName, Host>,
    /// Files in `hosts` whose name no node can have, although a host file's content is in them.
    pub(crate) odd_hosts: Vec<PathBuf>,
    pub(crate) scripts: Vec<Script>,
    pub(crate) router: Result<Option<RouterConfig>, Vec<RouterError>>,
    /// `hosts` and `router.toml`, if this user may not read them.
    pub(crate) closed: Vec<PathBuf>,
}

impl Network {
    /// Reads the directory of a network; its name is the network's.
    ///
    /// # Errors
    /// If no network can have that name.
    pub(crate) fn read(dir: &Path) -> Result<Self, NetnameError> {
        let real = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
        let netname = real.file_name().and_then(|name| name.to_str());
        // `/etc/tinc` itself is a network without name.
        let netname = netname.filter(|name| *name != "tinc").map(str::to_owned);
        let layout = Layout::new(netname, Some(dir.to_owned()), None, None)?;
        let set = ConfigSet::server(&layout, &[]);
        let tinc_conf = layout.tinc_conf();
        let mut closed = vec![layout.hosts(), layout.router_toml()];
        closed.retain(|path| is_closed(path));
        let mut router = router::read(&layout);
        if !closed.is_empty() {
            // It may be right for who can read it, or sees the host files that it speaks of.
            router = router.map_err(|_| Vec::new());
        }
        let mut network = Self {
            dir: dir.to_owned(),
            set,
            name: None,
            bad_name: None,
            wrong: Vec::new(),
            missing: Vec::new(),
            doubtful: Vec::new(),
            without_effect: Vec::new(),
            server: None,
            mode: None,
            interface: None,
            private_key: None,
            hosts: BTreeMap::new(),
            odd_hosts: Vec::new(),
            scripts: Vec::new(),
            router,
            closed,
            tinc_conf,
        };
        network.read_hosts(&layout);
        network.read_config(&layout);
        network.read_key(&layout);
        network.read_scripts(&layout);
        Ok(network)
    }

    /// The command that makes our keys.
    pub(crate) fn make_keys(&self) -> String {
        match (self.dir.parent(), self.dir.file_name()) {
            (Some(parent), Some(net)) if parent == Path::new("/etc/tinc") => {
                format!("tincd -n {} -K", net.display())
            }
            _ => format!("tincd -c {} -K", self.dir.display()),
        }
    }

    /// Our own host file.
    pub(crate) fn own_host(&self) -> Option<&Host> {
        self.hosts.get(self.name.as_ref()?)
    }

    /// Whether it can be told which host files there are.
    pub(crate) fn shows_hosts(&self) -> bool {
        !self.closed.contains(&self.dir.join("hosts"))
    }

    /// The entries of a variable, wherever they may stand for ourselves.
    pub(crate) fn all<'n>(&'n self, key: &'n str) -> impl Iterator<Item = &'n Assignment> {
        let own = self.own_host().and_then(|host| host.set.as_ref().ok());
        let sets = self.set.as_ref().ok().into_iter().chain(own);
        sets.flat_map(move |set| set.all(key))
    }

    fn read_hosts(&mut self, layout: &Layout) {
        let entries = fs::read_dir(layout.hosts()).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.path().is_file()) {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            match name.parse::<NodeName>() {
                Ok(node) => {
                    let host = Host::read(layout, &node, path);
                    self.hosts.insert(node, host);
                }
                Err(_) if is_script(&name) || is_leftover(&name) => {}
                Err(_) if looks_like_a_host_file(&path) => self.odd_hosts.push(path),
                Err(_) => {}
            }
        }
        self.odd_hosts.sort();
    }

    fn read_config(&mut self, layout: &Layout) {
        let Ok(set) = &self.set else {
            return;
        };
        let written = set.first("Name").map(|entry| entry.value.clone());
        let of_environment = written.as_ref().is_some_and(|name| name.starts_with('$'));
        match own_name(set, &self.tinc_conf.display().to_string()) {
            // Of another machine's directory the environment tells nothing.
            Ok(name) if of_environment && !self.hosts.contains_key(&name) => {}
            Ok(name) => self.name = Some(name),
            Err(_) if of_environment => {}
            Err(error) => {
                self.name = written
                    .as_deref()
                    .and_then(mended)
                    .filter(|name| self.hosts.contains_key(name));
                self.bad_name = Some(error);
            }
        }
        let name = self.name.as_ref().map_or("unknown", |name| name.as_str());
        let overrides: Vec<Override> = Override::parse(&format!("Name={name}"), 1)
            .into_iter()
            .collect();
        self.without_effect = remarks(set);
        let written_mode = set.first("Mode").cloned();
        let written_mode = written_mode.as_ref();
        let mut set = set.clone();
        while self.wrong.len() < MAX_WRONG {
            let mut named = ConfigSet::command_line(&overrides);
            named.append(set.clone());
            match ServerConfig::read_tinc(named, layout, &overrides) {
                Ok(config) => {
                    self.server = Some(config);
                    break;
                }
                Err(ServerError::Bad(bad)) => {
                    let removed = set.remove(bad.at());
                    self.wrong.push(bad);
                    if !removed {
                        break;
                    }
                }
                Err(error) => {
                    self.missing.push(error.to_string());
                    break;
                }
            }
        }
        self.interface = set.first("Interface").map(|entry| entry.value.clone());
        self.interface = self
            .interface
            .take()
            .or_else(|| layout.netname().map(str::to_owned));
        if let Some(server) = &mut self.server {
            // A word that is no mode may have meant any.
            let bad_mode = |mode: &&Assignment| self.wrong.iter().any(|bad| *bad.at() == mode.at);
            self.mode = match written_mode.filter(bad_mode) {
                None => Some(server.policy.mode),
                Some(_) => None,
            };
            self.interface = match &server.device {
                DeviceSetup::TunTap { interface, .. } => {
                    Some(interface.clone().unwrap_or_else(|| NAMELESS.to_owned()))
                }
                _ => None,
            };
            for complaint in std::mem::take(&mut server.complaints) {
                // What is wrong with files is told where the files are looked at.
                if let Complaint::Value(value) = complaint {
                    self.doubtful.push(value);
                }
            }
        }
        let of_hosts = self
            .hosts
            .values()
            .filter_map(|host| host.set.as_ref().ok())
            .flat_map(remarks);
        self.without_effect.extend(of_hosts);
        self.doubtful
            .retain(|value| !self.without_effect.contains(value));
    }

    fn read_key(&mut self, layout: &Layout) {
        let path = match self.server.as_ref().map(|server| &server.private_key) {
            Some(OwnKey::Given(_)) => return,
            Some(OwnKey::File(path)) => path.clone(),
            None => layout.private_key(),
        };
        // In a copy of a directory the key lies beside the rest, whatever the path says.
        let beside = path
            .file_name()
            .map(|name| self.dir.join(name))
            .filter(|beside| beside.exists());
        let path = match path.exists() {
            true => path,
            false => beside.unwrap_or(path),
        };
        let key = read_private(&path);
        self.private_key = Some((path, key));
    }

    fn read_scripts(&mut self, layout: &Layout) {
        let interpreter = self
            .server
            .as_ref()
            .and_then(|server| server.scripts_interpreter.clone());
        let known = |text: Option<&str>| text.map(str::to_owned);
        let mut variables: Variables = [
            "NODE",
            "SUBNET",
            "WEIGHT",
            "REMOTEADDRESS",
            "REMOTEPORT",
            "DEVICE",
            "NAME",
            "NETNAME",
            "PATH",
            "HOME",
        ]
        .map(|name| (name.to_owned(), None))
        .into();
        variables.insert("INTERFACE".to_owned(), known(self.interface.as_deref()));
        if let Some(name) = &self.name {
            variables.insert("NAME".to_owned(), known(Some(name.as_str())));
        }
        if let Some(net) = layout.netname() {
            variables.insert("NETNAME".to_owned(), known(Some(net)));
        }
        let mut names: Vec<String> = GLOBAL_SCRIPTS.map(str::to_owned).into();
        let hosts = fs::read_dir(layout.hosts()).into_iter().flatten().flatten();
        let mut of_hosts: Vec<String> = hosts
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| is_script(name))
            .map(|name| format!("hosts/{name}"))
            .collect();
        of_hosts.sort();
        names.extend(of_hosts);
        let scripts = names.into_iter().filter_map(|name| {
            let path = self.dir.join(&name);
            Script::read(name, path, interpreter.as_deref(), &variables)
        });
        self.scripts = scripts.collect();
    }
}

fn is_closed(path: &Path) -> bool {
    File::open(path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// In the order in which they run when everything comes up.
const GLOBAL_SCRIPTS: [&str; 6] = [
    "tinc-up",
    "host-up",
    "subnet-up",
    "subnet-down",
    "host-down",
    "tinc-down",
];
