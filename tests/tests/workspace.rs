//! What the whole tree promises, beside what it does: files of a readable size, documents that hold, and nothing that
//! is true on one machine only.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use v6lab::model::Scenario;
use v6lab::plan::Plan;
use v6lab::run::Suite;
use v6tests::tree::{root, texts};

/// No file longer than this: split it at a noun.
const LONGEST: usize = 500;

/// What people write and read, by extension; data files may be as long as they like.
const WRITTEN: [&str; 6] = ["rs", "toml", "feature", "md", "nft", "sh"];

/// Where systems keep people's homes.
const HOMES: [&str; 2] = ["/home/", "/Users/"];

/// The text of a README section, without its heading.
fn section(heading: &str) -> String {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let lines = readme.lines().skip_while(|line| *line != heading).skip(1);
    lines
        .take_while(|line| !line.starts_with("## "))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn files_have_a_readable_size() {
    let written = |path: &Path| {
        path.extension()
            .is_some_and(|extension| WRITTEN.iter().any(|known| extension == *known))
    };
    let long: Vec<String> = texts()
        .unwrap()
        .iter()
        .filter(|(path, text)| written(path) && text.lines().count() > LONGEST)
        .map(|(path, text)| format!("{}: {} lines", path.display(), text.lines().count()))
        .collect();
    assert!(
        long.is_empty(),
        "longer than {LONGEST} lines:\n{}",
        long.join("\n")
    );
}

#[test]
fn nothing_names_a_place_on_somebodys_machine() {
    let here = root().display().to_string();
    let mut told = Vec::new();
    for (path, text) in texts().unwrap() {
        let lines = text.lines().enumerate();
        let bad = lines.filter(|(_, line)| {
            line.contains(&here) || HOMES.iter().any(|home| names_home(line, home))
        });
        told.extend(bad.map(|(n, line)| format!("{}:{}: {line}", path.display(), n + 1)));
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// Whether a path in `line` begins with somebody's home below `home`.
fn names_home(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + home.len()..].chars().next();
        before.is_none_or(|c| !c.is_alphanumeric()) && after.is_some_and(char::is_alphanumeric)
    })
}

#[test]
fn the_readme_says_how_to_run_and_to_test_in_one_command_each() {
    for heading in ["## Run it", "## Test it"] {
        let section = section(heading);
        // Blocks of shell commands; others show what is printed.
        let blocks: Vec<&str> = section
            .split("```")
            .skip(1)
            .step_by(2)
            .filter_map(|block| block.strip_prefix("sh\n"))
            .collect();
        let [block] = blocks.as_slice() else {
            panic!("{heading}: {} commands instead of one", blocks.len());
        };
        let commands = block.lines().filter(|line| !line.trim().is_empty()).count();
        assert_eq!(commands, 1, "{heading}: {block}");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for (path, text) in texts()
        .unwrap()
        .iter()
        .filter(|(path, _)| path.extension().is_some_and(|extension| extension == "md"))
    {
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#', ' ']).next());
        for target in targets.filter(|target| !target.is_empty() && !target.contains("://")) {
            if !path.parent().unwrap().join(target).exists() {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_feature_can_be_read() {
    let suite = Suite::load(&[root().join("features")]).unwrap();
    assert!(!suite.ids().is_empty());
    suite.understood().unwrap();
}

#[test]
fn every_scenario_can_be_planned() {
    for entry in fs::read_dir(root().join("scenarios")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let plan = Plan::new(&Scenario::load(&path).unwrap());
            assert!(!plan.nodes.is_empty(), "{}", path.display());
        }
    }
}

/// In a scenario, or in a step or table of a feature.
#[test]
fn every_venue_is_played_by_some_feature() {
    let is_played = |path: &Path| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let scenario = path.parent() == Some(&root().join("scenarios"));
        extension == Some("feature") || (scenario && extension == Some("toml"))
    };
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let texts = texts().unwrap();
    let played = texts.iter().filter(|(path, _)| is_played(path));
    let words: HashSet<&str> = played
        .flat_map(|(_, text)| text.split(|c| !of_a_name(c)))
        .collect();
    let venues: Vec<String> = fs::read_dir(root().join("scenarios/venues"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let idle: Vec<&String> = venues
        .iter()
        .filter(|venue| !words.contains(venue.as_str()))
        .collect();
    assert!(venues.len() >= 20, "{venues:?}");
    assert!(idle.is_empty(), "no feature plays {idle:?}");
}
