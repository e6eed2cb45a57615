//! A script as a file, and what it does.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use v6router_core::name::NodeName;

use crate::check::script::{self, Act, Deed, Variables};

/// Largest script read, bytes; ours.
const MAX_SCRIPT: u64 = 1 << 20;

/// One script.
pub(crate) struct Script {
    /// `tinc-up`, `hosts/NAME-up`.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Its first line names an interpreter.
    pub(crate) has_interpreter: bool,
    /// It may be executed, or an interpreter executes it.
    pub(crate) executable: bool,
    /// Its first line ends as on Windows.
    pub(crate) crlf: bool,
    pub(crate) acts: Vec<Act>,
}

impl Script {
    /// `None` if there is no such script.
    pub(super) fn read(
        name: String,
        path: PathBuf,
        interpreter: Option<&str>,
        variables: &Variables,
    ) -> Option<Self> {
        let meta = fs::metadata(&path).ok().filter(|meta| meta.is_file())?;
        let bytes = match meta.len() <= MAX_SCRIPT {
            true => fs::read(&path).ok(),
            false => None,
        };
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let first = text
            .as_deref()
            .and_then(|text| text.lines().next())
            .unwrap_or_default();
        let shebang = first.strip_prefix("#!");
        // The file name of the interpreter; without one it is read by sh.
        let shell = interpreter.or(shebang).map_or("sh", |program| {
            let mut words = program.split_whitespace();
            let mut program = words.next().unwrap_or_default();
            if program.ends_with("/env") {
                program = words.next().unwrap_or_default();
            }
            program.rsplit('/').next().unwrap_or_default()
        });
        let acts = match &text {
            Some(text) if matches!(shell, "sh" | "bash" | "dash" | "ash" | "ksh" | "zsh") => {
                script::read(text, variables.clone())
            }
            _ => vec![Act {
                line: 1,
                shown: String::new(),
                conditional: false,
                deed: Deed::Unknown,
            }],
        };
        Some(Self {
            has_interpreter: interpreter.is_some() || shebang.is_some() || text.is_none(),
            executable: interpreter.is_some() || meta.permissions().mode() & 0o111 != 0,
            crlf: text
                .as_ref()
                .and_then(|text| text.split('\n').next())
                .is_some_and(|line| line.ends_with('\r')),
            name,
            path,
            acts,
        })
    }
}

/// Whether the name in `hosts` is that of a node's script.
pub(super) fn is_script(name: &str) -> bool {
    let node = name
        .strip_suffix("-up")
        .or_else(|| name.strip_suffix("-down"));
    node.is_some_and(|node| node.parse::<NodeName>().is_ok())
}
