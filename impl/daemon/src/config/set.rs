//! Assignments gathered from several files, in the order in which they count.
//!
//! tincd lets the lowest *line number* win whatever the file. We read `-o`, then `tinc.conf`,
//! then `conf.d/*.conf` sorted by name, then our own host file, and the first entry wins.

use std::io;
use std::path::{Path, PathBuf};

use v6router_core::name::NodeName;

use super::layout::Layout;
use super::syntax::{Assignment, FileError, Override, Span, read_file};

/// Assignments; earlier ones win.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConfigSet {
    entries: Vec<Assignment>,
}

impl ConfigSet {
    /// Our own set without our host file: `-o`, `tinc.conf` and `conf.d`.
    ///
    /// # Errors
    /// If `tinc.conf` cannot be read, or any file has a line without a value.
    pub(crate) fn server(layout: &Layout, overrides: &[Override]) -> Result<Self, FileError> {
        let mut set = Self::command_line(overrides);
        set.add_server(layout)?;
        Ok(set)
    }

    /// Only what the command line says of ourselves.
    pub(crate) fn command_line(overrides: &[Override]) -> Self {
        Self {
            entries: chosen(overrides, None),
        }
    }

    /// The set of one host file, after the overrides that name the host.
    ///
    /// # Errors
    /// If the file cannot be read or has a line without a value.
    pub(crate) fn host(
        layout: &Layout,
        name: &NodeName,
        overrides: &[Override],
    ) -> Result<Self, FileError> {
        let mut set = Self::default();
        set.add_host(layout, name, overrides)?;
        Ok(set)
    }

    /// Adds what `tinc.conf` and `conf.d` say.
    ///
    /// # Errors
    /// As for [`Self::server`]; what stands before the mistake is added.
    pub(crate) fn add_server(&mut self, layout: &Layout) -> Result<(), FileError> {
        read_file(&layout.tinc_conf(), &mut self.entries)?;
        for path in conf_d(&layout.conf_d())? {
            read_file(&path, &mut self.entries)?;
        }
        Ok(())
    }

    /// Adds what is said of one host: by overrides that name it, before all files, and by its
    /// file, behind them.
    ///
    /// # Errors
    /// As for [`Self::host`]; what stands before the mistake is added.
    pub(crate) fn add_host(
        &mut self,
        layout: &Layout,
        name: &NodeName,
        overrides: &[Override],
    ) -> Result<(), FileError> {
        self.entries.extend(chosen(overrides, Some(name)));
        // The sort is stable: what files say stays in order.
        self.entries.sort_by_key(|entry| match entry.at {
            Span::CommandLine(nth) => nth,
            Span::File(..) => usize::MAX,
        });
        read_file(&layout.host(name), &mut self.entries)
    }

    /// Takes out what is written at a place; whether there was something.
    pub(crate) fn remove(&mut self, at: &Span) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.at != *at);
        self.entries.len() < before
    }

    /// Appends a set whose entries count less than those present.
    pub(crate) fn append(&mut self, other: Self) {
        self.entries.extend(other.entries);
    }

    /// The entry of `key` that counts.
    pub(crate) fn first(&self, key: &str) -> Option<&Assignment> {
        self.all(key).next()
    }

    /// All entries of `key`, in order.
    pub(crate) fn all<'s>(&'s self, key: &str) -> impl Iterator<Item = &'s Assignment> {
        self.entries
            .iter()
            .filter(move |entry| entry.key.eq_ignore_ascii_case(key))
    }

    /// Every entry, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Assignment> {
        self.entries.iter()
    }

    #[cfg(test)]
    pub(crate) fn from_text(text: &str) -> Self {
        let mut set = Self::default();
        let path = Path::new("tinc.conf").into();
        super::syntax::parse(text.as_bytes(), &path, &mut set.entries).unwrap();
        set
    }
}

fn chosen(overrides: &[Override], host: Option<&NodeName>) -> Vec<Assignment> {
    overrides
        .iter()
        .filter(|o| o.host.as_deref() == host.map(NodeName::as_str))
        .map(|o| o.assignment.clone())
        .collect()
}

/// The `*.conf` files of the directory by name; none if it does not exist.
fn conf_d(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    match list(dir) {
        Ok(mut paths) => {
            paths.retain(|path| path.extension().is_some_and(|e| e == "conf"));
            paths.sort();
            Ok(paths)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(FileError::Open(dir.into(), error)),
    }
}

/// What is in a directory, in no order.
pub(super) fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    std::fs::read_dir(dir)?
        .map(|entry| entry.map(|e| e.path()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_entry_counts_and_case_does_not() {
        let set = ConfigSet::from_text("port = 1\nPORT = 2\nConnectTo = a\nconnectto = b\n");
        assert_eq!(set.first("Port").unwrap().value, "1");
        let names: Vec<&str> = set.all("ConnectTo").map(|a| a.value.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn overrides_come_first_then_tinc_conf_then_conf_d_by_name() {
        let dir = crate::testing::TempDir::new();
        dir.write("tinc.conf", "# comment\nPort = 2\n");
        dir.write("conf.d/20.conf", "Port = 4\n");
        dir.write("conf.d/10.conf", "Port = 3\n");
        dir.write("conf.d/ignored.txt", "Nonsense\n");
        dir.write("conf.d/.conf", "Nonsense\n");
        let layout = dir.layout();
        let overrides = [
            Override::parse("Port=1", 1).unwrap(),
            Override::parse("node_one.Port=9", 2).unwrap(),
        ];
        let set = ConfigSet::server(&layout, &overrides).unwrap();
        let ports: Vec<&str> = set.all("Port").map(|a| a.value.as_str()).collect();
        assert_eq!(ports, ["1", "2", "3", "4"]);
        dir.write("hosts/node_one", "Port = 10\n");
        let host = ConfigSet::host(&layout, &"node_one".parse().unwrap(), &overrides).unwrap();
        assert_eq!(host.first("Port").unwrap().value, "9");
    }

    #[test]
    fn what_the_command_line_says_of_a_host_counts_where_it_stands_and_before_files() {
        let dir = crate::testing::TempDir::new();
        dir.write("tinc.conf", "Port = 3\n");
        dir.write("hosts/me", "Port = 4\n");
        let (layout, me) = (dir.layout(), "me".parse().unwrap());
        let overrides = [
            Override::parse("me.Port=1", 1).unwrap(),
            Override::parse("Port=2", 2).unwrap(),
        ];
        let mut set = ConfigSet::server(&layout, &overrides).unwrap();
        set.add_host(&layout, &me, &overrides).unwrap();
        let ports: Vec<&str> = set.all("Port").map(|a| a.value.as_str()).collect();
        assert_eq!(ports, ["1", "2", "3", "4"]);
    }

    #[test]
    fn a_missing_tinc_conf_is_told_from_a_broken_one() {
        let dir = crate::testing::TempDir::new();
        let missing = ConfigSet::server(&dir.layout(), &[]).unwrap_err();
        assert!(missing.is_missing());
        dir.write("tinc.conf", "Name\n");
        assert!(
            !ConfigSet::server(&dir.layout(), &[])
                .unwrap_err()
                .is_missing()
        );
    }
}
