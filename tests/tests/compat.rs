//! docs/COMPAT.md is complete and true: a row for every variable, option, signal and script of tincd 1.0, and every row
//! names tests that exist.

use std::collections::BTreeSet;
use std::fs;

use v6tests::tree::{root, texts};

/// What a row may come to.
const VERDICTS: [&str; 5] = ["same", "better", "refused", "no effect", "ours"];

/// Options of tincd 1.0.36 (tincd(8)).
const OPTIONS: [&str; 15] = [
    "-c, --config",
    "-D, --no-detach",
    "-d, --debug",
    "-k, --kill",
    "-n, --net",
    "-K, --generate-keys",
    "-L, --mlock",
    "-o, --option",
    "-R, --chroot",
    "-U, --user",
    "--logfile",
    "--pidfile",
    "--bypass-security",
    "--help",
    "--version",
];

/// Signals that mean something to tincd (tincd(8)), and those its users send to daemons.
const SIGNALS: [&str; 11] = [
    "TERM",
    "QUIT",
    "INT",
    "HUP",
    "ALRM",
    "USR1",
    "USR2",
    "WINCH",
    "SEGV, BUS, ILL",
    "PIPE, CHLD",
    "ABRT",
];

/// Scripts (tinc.conf(5)).
const SCRIPTS: [&str; 8] = [
    "tinc-up",
    "tinc-down",
    "host-up",
    "host-down",
    "hosts/NAME-up",
    "hosts/NAME-down",
    "subnet-up",
    "subnet-down",
];

struct Row {
    line: usize,
    subject: String,
    verdict: String,
    proof: String,
}

/// The rows of the tables of the document.
fn rows() -> Vec<Row> {
    let text = fs::read_to_string(root().join("docs/COMPAT.md")).unwrap();
    let cells = |line: &str| -> Option<Vec<String>> {
        let inner = line.strip_prefix('|')?.strip_suffix('|')?;
        Some(
            inner
                .split(" | ")
                .map(|cell| cell.trim().to_owned())
                .collect(),
        )
    };
    let lines = text.lines().enumerate();
    let rows = lines.filter_map(|(n, line)| {
        let cells = cells(line)?;
        let [subject, verdict, _, proof] = cells.as_slice() else {
            panic!("docs/COMPAT.md line {}: not four cells: {line}", n + 1);
        };
        Some(Row {
            line: n + 1,
            subject: subject.replace('`', ""),
            verdict: verdict.clone(),
            proof: proof.clone(),
        })
    });
    // Heads of tables and the dashes below them.
    rows.filter(|row| row.verdict != "verdict" && !row.verdict.starts_with("--"))
        .collect()
}

/// Every variable the daemon knows, from the table in which it looks for the nearest one to a typing error.
fn variables() -> BTreeSet<String> {
    let path = root().join("impl/daemon/src/config/known.rs");
    let text = fs::read_to_string(path).unwrap();
    let table = text.split("const VARIABLES").nth(1).unwrap();
    let table = table.split("\n];").next().unwrap();
    table
        .split("(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        // Remarks in the table have more than one word.
        .filter(|name| !name.contains(' '))
        .map(str::to_owned)
        .collect()
}

#[test]
fn everything_of_tincd_has_a_row() {
    let subjects: BTreeSet<String> = rows()
        .into_iter()
        .flat_map(|row| {
            let each = row.subject.split(", ").map(str::to_owned);
            each.chain([row.subject.clone()]).collect::<Vec<_>>()
        })
        .collect();
    let variables = variables();
    assert!(variables.len() > 40, "{variables:?}");
    let fixed = OPTIONS.iter().chain(&SIGNALS).chain(&SCRIPTS);
    let wanted = fixed.map(ToString::to_string).chain(variables);
    let missing: Vec<String> = wanted.filter(|name| !subjects.contains(name)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

#[test]
fn every_row_names_tests_that_exist() {
    let texts = texts().unwrap();
    let with = |extension: &str| -> String {
        texts
            .iter()
            .filter(|(path, _)| path.extension().is_some_and(|found| found == extension))
            .map(|(_, text)| text.as_str())
            .collect()
    };
    let (code, features) = (with("rs"), with("feature"));
    let mut wrong = Vec::new();
    for row in rows() {
        if !VERDICTS.contains(&row.verdict.as_str()) {
            wrong.push(format!("line {}: verdict {:?}", row.line, row.verdict));
        }
        let mut proofs = 0;
        // Tests in code stand in backticks, scenarios in quotation marks.
        for name in row.proof.split('`').skip(1).step_by(2) {
            proofs += 1;
            if !code.contains(&format!("fn {name}(")) {
                wrong.push(format!("line {}: there is no test {name}", row.line));
            }
        }
        for name in row.proof.split('"').skip(1).step_by(2) {
            proofs += 1;
            let named = |kind: &str| features.contains(&format!("{kind}: {name}\n"));
            if !named("Scenario") && !named("Scenario Outline") {
                wrong.push(format!("line {}: there is no scenario {name:?}", row.line));
            }
        }
        if proofs == 0 {
            wrong.push(format!("line {}: {} has no test", row.line, row.subject));
        }
    }
    assert!(wrong.is_empty(), "docs/COMPAT.md:\n{}", wrong.join("\n"));
}
