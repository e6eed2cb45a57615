//! A scenario put together in code, for those who prefer `#[tokio::test]` to files.
//!
//! Every call becomes the lines it would be in a file, so that the same reader and the same checks judge both; a mistake
//! is told with file and line of the call.

use std::collections::HashMap;
use std::fmt::Display;
use std::panic::Location;
use std::path::PathBuf;

use toml::Value;

use super::error::{Source, nearest};
use super::{ModelError, Scenario, VenueKind, scenario_folders};

/// What a scenario consists of so far; see [`Scenario::builder`].
#[derive(Debug, Clone)]
pub struct Builder {
    home: PathBuf,
    /// What comes before all tables.
    head: Vec<Line>,
    tables: Vec<Table>,
    kinds: HashMap<String, VenueKind>,
    /// The first mistake that is none of what is written but of how.
    mistake: Option<ModelError>,
}

/// One table of the file.
#[derive(Debug, Clone)]
struct Table {
    /// What stands in its brackets.
    head: &'static str,
    name: String,
    lines: Vec<Line>,
}

/// A line of the file, and where in somebody's code it was asked for.
type Line = (String, &'static Location<'static>);

impl Scenario {
    /// Begins a scenario. Venues and NAT kinds are looked for in the `scenarios/` nearest above the working directory or
    /// the program; see [`Builder::files_in`].
    ///
    /// ```
    /// # use v6lab::model::Scenario;
    /// let scenario = Scenario::builder("a cafe")
    ///     .server("www", ["198.51.100.10/24"])
    ///     .venue("cafe", "home-default", "203.0.113.50/24", "192.168.1.0/24")
    ///     .pi("kit", "cafe")
    ///     .build()?;
    /// # Ok::<_, v6lab::model::ModelError>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn builder(title: &str) -> Builder {
        let home = scenario_folders().into_iter().next();
        Builder {
            home: home.unwrap_or_else(|| PathBuf::from("scenarios")),
            head: vec![(entry("title", title), Location::caller())],
            tables: Vec::new(),
            kinds: HashMap::new(),
            mistake: None,
        }
    }
}

impl Builder {
    /// Where `venues/` and `nat/` are.
    #[must_use]
    pub fn files_in(self, home: impl Into<PathBuf>) -> Self {
        Self {
            home: home.into(),
            ..self
        }
    }

    /// The IPv6 network to be laid over it: who holds the address space, that one's address with the length of the link
    /// all members share, and the address space.
    #[must_use]
    #[track_caller]
    pub fn overlay(self, server: &str, address: impl Display, pool: impl Display) -> Self {
        let keys = [("address", address.to_string()), ("pool", pool.to_string())];
        let mut with_overlay = self.table("overlay", "", &keys);
        if let Some(overlay) = with_overlay.tables.last_mut() {
            overlay
                .lines
                .push((entry("server", server), Location::caller()));
        }
        with_overlay
    }

    /// A machine with public addresses: at most one IPv4 and one IPv6, each with its network's length.
    #[must_use]
    #[track_caller]
    pub fn server<A: Display>(self, name: &str, addresses: impl IntoIterator<Item = A>) -> Self {
        let addresses = addresses
            .into_iter()
            .map(|address| Value::String(address.to_string()));
        let addresses = Value::Array(addresses.collect());
        let mut with_server = self.table("[server]", name, &[]);
        if let Some(server) = with_server.tables.last_mut() {
            server
                .lines
                .push((format!("addresses = {addresses}"), Location::caller()));
        }
        with_server
    }

    /// A place with a router, described in `venues/LIKE.toml`: its public IPv4 address and the network inside.
    #[must_use]
    #[track_caller]
    pub fn venue(self, name: &str, like: &str, wan: impl Display, lan: impl Display) -> Self {
        let keys = [
            ("like", like.to_owned()),
            ("wan", wan.to_string()),
            ("lan", lan.to_string()),
        ];
        self.table("[venue]", name, &keys)
    }

    /// The same of a kind that is in no file, or was changed.
    #[must_use]
    #[track_caller]
    pub fn venue_of(
        mut self,
        name: &str,
        kind: VenueKind,
        wan: impl Display,
        lan: impl Display,
    ) -> Self {
        let like = kind.nat.name.clone();
        self.kinds.insert(name.to_owned(), kind);
        self.venue(name, &like, wan, lan)
    }

    /// A person's computer in a venue's WLAN that shares it with what is cabled to it.
    #[must_use]
    #[track_caller]
    pub fn sharer(self, name: &str, at: &str, lan: impl Display) -> Self {
        let keys = [("at", at.to_owned()), ("lan", lan.to_string())];
        self.table("[sharer]", name, &keys)
    }

    /// A device at a venue or a sharer's.
    #[must_use]
    #[track_caller]
    pub fn pi(self, name: &str, at: &str) -> Self {
        self.table("[pi]", name, &[("at", at.to_owned())])
    }

    /// A static IPv4 address of a Pi's, beside the one the place gives it.
    #[must_use]
    #[track_caller]
    pub fn alias(self, pi: &str, address: impl Display) -> Self {
        self.with(&["[pi]"], pi, &[("address", address.to_string())])
    }

    /// What a Pi brings: its address on the overlay and the prefix it gives out.
    #[must_use]
    #[track_caller]
    pub fn brings(self, pi: &str, overlay: impl Display, prefix: impl Display) -> Self {
        let keys = [
            ("overlay", overlay.to_string()),
            ("prefix", prefix.to_string()),
        ];
        self.with(&["[pi]"], pi, &keys)
    }

    /// A machine plugged into a Pi.
    #[must_use]
    #[track_caller]
    pub fn client(self, name: &str, behind: &str) -> Self {
        self.table("[client]", name, &[("behind", behind.to_owned())])
    }

    /// What the cable of a server, a Pi or a client does to packets: keys of its `link`, each for both directions.
    ///
    /// ```
    /// # use v6lab::model::Scenario;
    /// let scenario = Scenario::builder("far away")
    ///     .server("www", ["198.51.100.10/24"])
    ///     .line("www", [("delay", "120 ms"), ("loss", "0.1 %")])
    ///     .build()?;
    /// # Ok::<_, v6lab::model::ModelError>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn line<'k>(
        self,
        machine: &str,
        keys: impl IntoIterator<Item = (&'k str, &'k str)>,
    ) -> Self {
        let keys: Vec<(String, String)> = keys
            .into_iter()
            .map(|(key, value)| (format!("link.{key}"), value.to_owned()))
            .collect();
        let keys: Vec<(&str, String)> = keys
            .iter()
            .map(|(key, value)| (key.as_str(), value.clone()))
            .collect();
        self.with(&["[server]", "[pi]", "[client]"], machine, &keys)
    }

    /// The scenario, checked as a file is.
    ///
    /// # Errors
    /// The first mistake, with file and line of the call that made it.
    pub fn build(self) -> Result<Scenario, ModelError> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let mut lines = self.head;
        for table in self.tables {
            lines.extend(table.lines);
        }
        Scenario::from_source_with(Source::from_code(&lines), &self.home, &self.kinds)
    }

    #[track_caller]
    fn table(mut self, head: &'static str, name: &str, keys: &[(&str, String)]) -> Self {
        let here = Location::caller();
        let mut lines = vec![(format!("[{head}]"), here)];
        if !name.is_empty() {
            lines.push((entry("name", name), here));
        }
        lines.extend(keys.iter().map(|(key, value)| (entry(key, value), here)));
        self.tables.push(Table {
            head,
            name: name.to_owned(),
            lines,
        });
        self
    }

    /// Adds keys to a table that stands already.
    #[track_caller]
    fn with(mut self, heads: &[&str], name: &str, keys: &[(&str, String)]) -> Self {
        let here = Location::caller();
        let found = self
            .tables
            .iter_mut()
            .find(|table| heads.contains(&table.head) && table.name == name);
        if let Some(table) = found {
            let keys = keys.iter().map(|(key, value)| (entry(key, value), here));
            table.lines.extend(keys);
            return self;
        }
        let named = self.tables.iter();
        let named = named.filter(|table| heads.contains(&table.head));
        let known: Vec<String> = named.map(|table| table.name.clone()).collect();
        let what = heads.join(" or ").replace(['[', ']'], "");
        self.mistake = self.mistake.or_else(|| {
            Some(ModelError {
                file: here.file().into(),
                line: usize::try_from(here.line()).ok(),
                reason: format!(
                    "no {what} {name:?} was added before{}",
                    nearest(name, &known)
                ),
            })
        });
        self
    }
}

/// A key and its value, a string, as TOML has them.
fn entry(key: &str, value: &str) -> String {
    format!("{key} = {}", Value::String(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    fn cafe() -> Builder {
        Scenario::builder("how-to")
            .overlay(
                "v6router",
                "2001:db8:85a3:ef00::1/64",
                "2001:db8:85a3:ef00::/56",
            )
            .server("v6router", ["198.51.100.10/24", "2001:db8:85a3:a1a1::1/64"])
            .server("www", ["2001:db8:ffff::42/64"])
            .venue("cafe", "home-default", "203.0.113.50/24", "192.168.1.0/24")
            .pi("node_one", "cafe")
            .alias("node_one", "192.168.1.6")
            .brings(
                "node_one",
                "2001:db8:85a3:ef00::11",
                "2001:db8:85a3:ef11::/64",
            )
            .client("laptop", "node_one")
    }

    #[test]
    fn what_is_built_is_what_the_file_says() {
        let file = Scenario::load(&Scenario::find("how-to".as_ref()).unwrap()).unwrap();
        assert_eq!(Plan::new(&cafe().build().unwrap()), Plan::new(&file));
    }

    #[test]
    fn a_mistake_is_told_with_the_line_of_the_call() {
        let line = usize::try_from(line!()).unwrap() + 1;
        let error = cafe().pi("node_two", "caff").build().unwrap_err();
        assert_eq!((error.file, error.line), (file!().into(), Some(line)));
        assert!(error.reason.contains("did you mean `cafe`?"));
    }

    #[test]
    fn whom_nobody_has_added_nothing_can_be_said_of() {
        let error = cafe().alias("node_on", "192.168.1.7").build().unwrap_err();
        assert!(error.reason.contains("did you mean `node_one`?"), "{error}");
        let error = cafe().line("wwww", []).build().unwrap_err();
        assert!(
            error
                .reason
                .starts_with("no server or pi or client \"wwww\""),
            "{error}"
        );
    }

    #[test]
    fn a_machine_has_a_line_of_its_own() {
        let with_line = cafe().line("laptop", [("delay", "3 ms")]).build();
        let plan = Plan::new(&with_line.unwrap());
        let ms = |link: &str| {
            let line = plan.link(link).unwrap().line;
            line.map(|line| (line.down.delay.as_millis(), line.up.delay.as_millis()))
        };
        assert_eq!(ms("node_one--laptop"), Some((3, 3)));
        assert_eq!(ms("cafe--node_one"), None);
    }

    #[test]
    fn a_name_cannot_break_out_of_its_line() {
        let error = cafe().pi("a\"\n[[pi]]", "cafe").build().unwrap_err();
        assert!(error.reason.contains("is not a name"), "{error}");
    }
}
