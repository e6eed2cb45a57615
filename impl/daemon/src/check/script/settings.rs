//! Settings of the kernel: `sysctl`, what is written to `/proc/sys`, and what is only put on paper.

use super::shell::{Command, Word};
use super::{Deed, Missing};

/// Where settings are in force as soon as they are written.
const PROC_SYS: &str = "/proc/sys/";
/// Where settings wait for the next start: `/etc/sysctl.conf`, `/etc/sysctl.d/*.conf`.
const PAPER: &str = "sysctl";

/// What `echo` and its like would write.
pub(super) fn said(command: &Command) -> Option<String> {
    let (name, words) = command.words.split_first()?;
    if !matches!(name.text.as_str(), "echo" | "printf") || words.iter().any(|word| word.uncertain) {
        return None;
    }
    let words = words.iter().map(|word| word.text.as_str());
    let words: Vec<&str> = words.filter(|word| !matches!(*word, "-n" | "-e")).collect();
    Some(words.join(" "))
}

/// What a command does that writes files; `piped` is what the command before it said. `None` if it writes none of ours.
pub(super) fn written(command: &Command, piped: Option<&str>) -> Option<Vec<Deed>> {
    let name = command.words.first().map_or("", |word| word.text.as_str());
    let text = match name {
        "tee" => piped.map(str::to_owned),
        _ => said(command),
    };
    // `sed -i` changes the file it names.
    let arguments: &[Word] = match name {
        "tee" | "sed" => command.words.get(1..).unwrap_or_default(),
        _ => &[],
    };
    let mut found = None;
    for target in command.writes.iter().chain(arguments) {
        let path = &target.text;
        if target.uncertain {
            let number = text.as_ref().map(|text| text.trim().parse::<u32>());
            if matches!(number, Some(Ok(_))) || path.starts_with(PROC_SYS) {
                found
                    .get_or_insert_with(Vec::new)
                    .push(Deed::PerhapsSetting);
            }
            continue;
        }
        if let Some(key) = path.strip_prefix(PROC_SYS) {
            let value = text.as_ref().map(|text| text.trim().to_owned());
            found
                .get_or_insert_with(Vec::new)
                .push(setting(key, value, None));
        } else if path.starts_with("/etc/") && path.contains(PAPER) {
            let lines = match name {
                "sed" => arguments.iter().map(|word| word.text.clone()).collect(),
                _ => text
                    .iter()
                    .flat_map(|text| text.lines())
                    .map(str::to_owned)
                    .collect::<Vec<_>>(),
            };
            let deeds = lines.iter().filter_map(|line| {
                let (key, value) = line.rsplit_once('=')?;
                let key = key
                    .rsplit(['/', '#', ' '])
                    .find(|part| part.contains("net."))?;
                let value = value.trim().trim_end_matches(['/', 'g']).to_owned();
                Some(setting(key, Some(value), Some(path.clone())))
            });
            found.get_or_insert_with(Vec::new).extend(deeds);
        }
    }
    found
}

/// `sysctl [-w] KEY=VALUE`, `sysctl -p` (sysctl(8)).
pub(super) fn sysctl(words: &[Word]) -> Vec<Deed> {
    let loads = |word: &Word| matches!(word.text.as_str(), "-p" | "--load" | "--system" | "-f");
    if words.iter().any(loads) {
        return vec![Deed::Load];
    }
    let assignments = words.iter().filter_map(|word| {
        if word.uncertain && !word.text.contains('=') {
            return Some(Deed::PerhapsSetting);
        }
        let (key, value) = word.text.split_once('=')?;
        let value = (!word.uncertain).then(|| value.trim().to_owned());
        Some(setting(key.trim(), value, None))
    });
    assignments.collect()
}

/// `key` with dots or slashes.
fn setting(key: &str, value: Option<String>, kept_in: Option<String>) -> Deed {
    let key = key.replace('/', ".");
    match key.contains("conf..") || key.contains("$INTERFACE") {
        true if key.contains('$') => Deed::NoInterface(Missing::Unexpanded),
        true => Deed::NoInterface(Missing::Empty),
        false => Deed::Setting {
            key,
            value,
            kept_in,
        },
    }
}
