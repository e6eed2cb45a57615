//! Our own configuration as types: all the daemon has to know before it starts.

use v6router_core::addr::Port;
use v6router_core::constants::DEFAULT_PORT;
use v6router_core::crypto::algorithm::PacketSpec;
use v6router_core::dataplane::Policy;
use v6router_core::name::NodeName;
use v6router_core::node::Trust;
use v6router_core::options::Options;
use v6router_core::router::RouterConfig;
use v6router_core::subnet::Subnet;

use super::device::device;
use super::known;
use super::layout::Layout;
use super::name::{OwnNameError, own_name, rule};
use super::numbers::Numbers;
use super::owners::{owners, trust};
use super::packet::packet_spec;
use super::policy::policy;
use super::proxy::Proxy;
use super::router::{self, RouterError};
use super::rsa_keys::{self, OwnKey};
use super::set::ConfigSet;
use super::syntax::{Assignment, Override};
use super::values::{BadValue, Complaint, Reader, place};
use crate::io::device::DeviceSetup;

/// Our own configuration.
#[derive(Debug)]
pub(crate) struct ServerConfig {
    pub(crate) name: NodeName,
    /// What becomes of frames.
    pub(crate) policy: Policy,
    pub(crate) numbers: Numbers,
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) connect_to: Vec<NodeName>,
    pub(crate) packet: PacketSpec,
    pub(crate) options: Options,
    /// What others' announcements are worth.
    pub(crate) trust: Trust,
    /// Who owns what by the files, if these are what counts.
    pub(crate) owners: Vec<(NodeName, Subnet)>,
    pub(crate) private_key: OwnKey,
    pub(crate) listen: Listen,
    /// What of an IPv6 router we are, if any.
    pub(crate) router: Option<RouterConfig>,
    /// By whose help outgoing connections are made.
    pub(crate) proxy: Option<Proxy>,
    /// What carries our frames.
    pub(crate) device: DeviceSetup,
    /// Datagrams are given to the kernel as one where it takes that.
    pub(crate) udp_segmentation: bool,
    /// Datagrams are taken from the kernel as one where it gives that.
    pub(crate) udp_coalescing: bool,
    pub(crate) scripts_interpreter: Option<String>,
    /// `nice` value, if asked for.
    pub(crate) nice: Option<i32>,
    /// `GraphDumpFile`.
    pub(crate) graph_dump: Option<String>,
    /// Addresses are looked up for the log.
    pub(crate) hostnames: bool,
    /// Nodes are looked for on our own network as well.
    pub(crate) local_discovery: bool,
    /// What is wrong without stopping the start, one line each.
    pub(crate) complaints: Vec<Complaint>,
    /// What all this was read from.
    source: ConfigSet,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listen {
    /// `Port` as written, if written.
    pub(crate) port: Option<Port>,
    pub(crate) family: Family,
    /// `BindToAddress`; none means everywhere.
    pub(crate) bind_to: Vec<BindTo>,
    /// `BindToInterface`.
    pub(crate) interface: Option<String>,
    /// Where all of that is written.
    pub(crate) places: Vec<String>,
}

/// `AddressFamily`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Both.
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// One `BindToAddress`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BindTo {
    /// `None`: any address.
    pub(crate) host: Option<String>,
    /// `None`: that of `Port`.
    pub(crate) port: Option<Port>,
}

/// Why the daemon cannot start with this configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// No usable name.
    #[error(transparent)]
    Name(#[from] OwnNameError),
    /// A value that cannot be used.
    #[error(transparent)]
    Bad(#[from] BadValue),
    /// `router.toml` is wrong.
    #[error("{}", lines(.0))]
    Router(Vec<RouterError>),
    /// A variable that has to be there.
    #[error("{0}")]
    Missing(String),
}

impl ServerConfig {
    /// Reads everything from our own set, and `router.toml`; our host file counts at its end, as far as it can be read.
    ///
    /// # Errors
    /// At the first value with which the daemon cannot or must not start.
    pub(crate) fn read(
        set: ConfigSet,
        layout: &Layout,
        overrides: &[Override],
    ) -> Result<Self, ServerError> {
        let mut config = Self::read_tinc(set, layout, overrides)?;
        config.router = router::read(layout).map_err(ServerError::Router)?;
        Ok(config)
    }

    /// Reads what is tinc's of it.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub(crate) fn read_tinc(
        mut set: ConfigSet,
        layout: &Layout,
        overrides: &[Override],
    ) -> Result<Self, ServerError> {
        let name = own_name(&set, &layout.tinc_conf().display().to_string())?;
        let mut complaints: Vec<Complaint> = Vec::new();
        if let Err(error) = set.add_host(layout, &name, overrides) {
            complaints.push(error.into());
        }
        complaints.extend(known::remarks(&set).into_iter().map(Complaint::from));
        let mut reader = Reader::new(&set);
        let mut config = Self::typed(name, layout, &mut reader)?;
        complaints.extend(reader.into_complaints().into_iter().map(Complaint::from));
        if config.trust.is_strict() {
            let (owners, skipped) = owners(&config.name, &set, layout, overrides);
            config.owners = owners;
            complaints.extend(skipped);
        }
        config.complaints = complaints;
        config.source = set;
        Ok(config)
    }

    /// What makes it doubtful who owns what, where files say so.
    pub(crate) fn doubtful_owners(&self) -> Vec<String> {
        self.complaints
            .iter()
            .filter(|complaint| self.trust.is_strict() && complaint.hides_subnets())
            .map(ToString::to_string)
            .collect()
    }

    /// Takes over what may change while the daemon runs, and names the variables whose new value
    /// only a restart puts in force.
    pub(crate) fn adopt(&mut self, new: Self) -> Vec<&'static str> {
        self.connect_to = new.connect_to;
        self.numbers.pmtu = new.numbers.pmtu;
        self.listen.interface = new.listen.interface;
        self.scripts_interpreter = new.scripts_interpreter;
        self.graph_dump = new.graph_dump;
        self.hostnames = new.hostnames;
        let mut need_restart = known::need_restart(&self.source, &new.source);
        if self.trust.is_strict() && self.trust == new.trust {
            self.owners = new.owners;
            // We are an owner among them.
            need_restart.retain(|variable| *variable != "Subnet");
        }
        let way_out = |config: &Option<RouterConfig>| {
            let router = config.as_ref();
            router.map(|router| router.gateway.is_some())
        };
        // Sockets are marked when they are opened.
        if way_out(&self.router) == way_out(&new.router) {
            self.router = new.router;
        } else {
            need_restart.push("router.toml");
        }
        need_restart
    }

    fn typed(name: NodeName, layout: &Layout, r: &mut Reader<'_>) -> Result<Self, ServerError> {
        let policy = policy(r)?;
        let text = |r: &Reader<'_>, key| r.text(key).map(|entry| entry.value.clone());
        Ok(Self {
            connect_to: connect_to(&name, r),
            name,
            policy,
            numbers: Numbers::read(r)?,
            subnets: subnets(r)?,
            packet: packet_spec(r)?,
            options: options(r),
            trust: trust(r),
            owners: Vec::new(),
            private_key: rsa_keys::own(r, layout)?,
            listen: Listen::read(r)?,
            router: None,
            proxy: Proxy::read(r)?,
            device: device(policy.mode, r, layout)?,
            udp_segmentation: r.yes_no("UDPSegmentation").unwrap_or(true),
            udp_coalescing: r.yes_no("UDPCoalescing").unwrap_or(true),
            scripts_interpreter: text(r, "ScriptsInterpreter"),
            graph_dump: text(r, "GraphDumpFile"),
            hostnames: r.yes_no("Hostnames") == Some(true),
            local_discovery: r.yes_no("LocalDiscovery") == Some(true),
            nice: r.one_of(
                "ProcessPriority",
                &[("low", 10), ("normal", 0), ("high", -10)],
            )?,
            complaints: Vec::new(),
            source: ConfigSet::default(),
        })
    }
}

fn lines(errors: &[RouterError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

impl Listen {
    fn read(r: &Reader<'_>) -> Result<Self, BadValue> {
        const FAMILIES: [(&str, Family); 3] = [
            ("any", Family::Any),
            ("ipv4", Family::V4),
            ("ipv6", Family::V6),
        ];
        let bind_to = r.all("BindToAddress").map(|entry| {
            let mut words = entry.value.split_whitespace();
            Ok(BindTo {
                host: words.next().filter(|host| *host != "*").map(str::to_owned),
                port: words.next().map(|text| port(entry, text)).transpose()?,
            })
        });
        Ok(Self {
            port: r
                .text("Port")
                .map(|entry| port(entry, &entry.value))
                .transpose()?,
            family: r.one_of("AddressFamily", &FAMILIES)?.unwrap_or(Family::Any),
            bind_to: bind_to.collect::<Result<_, _>>()?,
            interface: r.text("BindToInterface").map(|entry| entry.value.clone()),
            places: ["Port", "AddressFamily", "BindToAddress", "BindToInterface"]
                .iter()
                .flat_map(|variable| r.all(variable))
                .map(place)
                .collect(),
        })
    }
}

/// The nodes of `ConnectTo`, in order, each once.
fn connect_to(own: &NodeName, r: &mut Reader<'_>) -> Vec<NodeName> {
    let mut names = Vec::new();
    for entry in r.all("ConnectTo") {
        match entry.value.parse::<NodeName>() {
            Ok(name) if name == *own => r.complain(entry, "that is ourselves; skipped"),
            Ok(name) if names.contains(&name) => {}
            Ok(name) => names.push(name),
            Err(error) => r.complain(
                entry,
                format_args!("{}; skipped", rule(&entry.value, error)),
            ),
        }
    }
    names
}

/// A port from the word `text` of `entry`.
pub(super) fn port(entry: &Assignment, text: &str) -> Result<Port, BadValue> {
    match text.parse() {
        // A number out of range is no service name either.
        Ok(Port::Opaque(text)) if !text.contains(|c: char| c.is_ascii_alphabetic()) => None,
        Ok(port) => Some(port),
        Err(_) => None,
    }
    .ok_or_else(|| {
        let want = format!("expected a port number or a service name; usual is {DEFAULT_PORT}");
        BadValue::new(entry, want)
    })
}

fn subnets(r: &Reader<'_>) -> Result<Vec<Subnet>, BadValue> {
    r.all("Subnet")
        .map(|entry| {
            Subnet::parse_config(&entry.value)
                .map_err(|error| BadValue::new(entry, error.to_string()))
        })
        .collect()
}

fn options(r: &mut Reader<'_>) -> Options {
    let tcp_only = r.yes_no("TCPOnly") == Some(true);
    let indirect = r.yes_no("IndirectData") == Some(true);
    let discovery = r.yes_no("PMTUDiscovery").unwrap_or(!tcp_only);
    let clamp = r.yes_no("ClampMSS").unwrap_or(true);
    [
        (tcp_only, Options::TCP_ONLY),
        (indirect || tcp_only, Options::INDIRECT),
        (discovery && !tcp_only, Options::PMTU_DISCOVERY),
        (clamp, Options::CLAMP_MSS),
    ]
    .into_iter()
    .filter(|(wanted, _)| *wanted)
    .fold(Options::NONE, |all, (_, option)| all.with(option))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    fn read(text: &str, host: &str) -> Result<ServerConfig, ServerError> {
        let dir = TempDir::new();
        dir.write("hosts/node_one", host);
        let text = format!("Name = node_one\n{text}");
        ServerConfig::read(ConfigSet::from_text(&text), &dir.layout(), &[])
    }

    fn good(text: &str, host: &str) -> ServerConfig {
        read(text, host).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_minimal_configuration_has_tincs_defaults() {
        let config = good("", "");
        assert_eq!(
            config.options,
            Options::PMTU_DISCOVERY.with(Options::CLAMP_MSS)
        );
        assert_eq!(config.policy, Policy::default());
        assert_eq!(config.listen.port, None);
        assert!(config.complaints.is_empty(), "{:?}", config.complaints);
    }

    #[test]
    fn our_host_file_counts_after_tinc_conf() {
        let config = good("Port = 1655\n", "Port = 1656\nSubnet = 10.0.0.0/8\n");
        assert_eq!(config.listen.port, Some(1655.into()));
        assert_eq!(config.subnets, ["10.0.0.0/8".parse().unwrap()]);
    }

    #[test]
    fn a_broken_host_file_of_ours_counts_up_to_its_mistake() {
        let config = good("", "Port = 7005\nSubnet = 10.9.0.0/16\nCipher\nPMTU = 1\n");
        assert_eq!(config.listen.port, Some(7005.into()));
        assert_eq!(config.subnets, ["10.9.0.0/16".parse().unwrap()]);
        assert_eq!(config.numbers.pmtu, None);
        assert_eq!(config.complaints.len(), 1);
        assert!(
            config.complaints[0]
                .to_string()
                .contains("No value for variable `Cipher'")
        );
    }

    #[test]
    fn overrides_that_name_us_count_before_files_and_without_our_host_file() {
        let dir = TempDir::new();
        let read = |text: &str, option: &str| {
            let set = ConfigSet::from_text(&format!("Name = me\n{text}"));
            ServerConfig::read(set, &dir.layout(), &[Override::parse(option, 1).unwrap()])
        };
        for text in ["Port = 7001\n", ""] {
            let config = read(text, "me.Port=7009").unwrap();
            assert_eq!(config.listen.port, Some(7009.into()));
        }
        assert!(read("", "me.Mode=bogus").is_err());
    }

    #[test]
    fn our_subnets_need_no_restart_where_files_name_owners() {
        let strict = |host: &str| good("StrictSubnets = yes\n", host);
        let (old, new) = ("Subnet = 10.1.0.0/16\n", "Subnet = 10.2.0.0/16\n");
        assert_eq!(strict(old).adopt(strict(new)), [""; 0]);
        assert_eq!(good("", old).adopt(good("", new)), ["Subnet"]);
    }

    #[test]
    fn a_reload_takes_what_may_change_and_names_the_rest() {
        let mut config = good("Port = 655\nPMTU = 1400\n", "");
        let new = "Port = 656\nPMTU = 1300\nConnectTo = b\nGraphDumpFile = /g\nHostnames = yes\n";
        assert_eq!(config.adopt(good(new, "")), ["Port"]);
        assert_eq!(config.numbers.pmtu, Some(1300));
        assert_eq!(config.connect_to.len(), 1);
        assert_eq!(config.graph_dump.as_deref(), Some("/g"));
        assert!(config.hostnames);
        assert_eq!(config.listen.port, Some(655.into()));
    }

    #[test]
    fn nodes_are_looked_for_on_our_own_network_if_we_say_so() {
        assert!(good("LocalDiscovery = yes\n", "").local_discovery);
        assert!(!good("", "").local_discovery);
    }

    #[test]
    fn tcp_only_means_indirect_and_no_discovery() {
        let options = good("TCPOnly = yes\nPMTUDiscovery = yes\nClampMSS = no\n", "").options;
        assert_eq!(options, Options::TCP_ONLY.with(Options::INDIRECT));
    }

    #[test]
    fn an_invalid_connect_to_is_skipped_and_explained() {
        let config = good(
            "ConnectTo = node-two\nConnectTo = node_two\nConnectTo = node_one\n",
            "",
        );
        assert_eq!(config.connect_to, ["node_two".parse().unwrap()]);
        assert_eq!(config.complaints.len(), 2);
        assert!(
            config.complaints[0]
                .to_string()
                .contains("node_two would do")
        );
    }

    #[test]
    fn what_cannot_be_used_ends_the_start_with_its_place() {
        for bad in [
            "Subnet = 10.0.0.1/8",
            "Port = 70000",
            "Cipher = rot13",
            "Digest = crc",
            "MACLength = 99",
            "Compression = 12",
            "Interface = a/b",
            "Mode = bridge",
            "Forwarding = maybe",
            "AddressFamily = ipx",
            "Broadcast = all",
            "ProcessPriority = best",
            "Proxy = socks6",
        ] {
            let error = read(&format!("{bad}\n"), "").err();
            let text = error
                .unwrap_or_else(|| panic!("{bad} was accepted"))
                .to_string();
            assert!(
                text.starts_with(&format!("tinc.conf line 2: {bad}: ")),
                "{text}"
            );
        }
    }

    #[test]
    fn an_address_to_bind_may_have_its_own_port() {
        let listen = good(
            "BindToAddress = 192.0.2.1 1655\nBindToAddress = * 700\n",
            "",
        )
        .listen;
        let bind = |host: Option<&str>, port: u16| BindTo {
            host: host.map(str::to_owned),
            port: Some(port.into()),
        };
        assert_eq!(
            listen.bind_to,
            [bind(Some("192.0.2.1"), 1655), bind(None, 700)]
        );
    }
}
