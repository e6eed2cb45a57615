//! What `v6router check` says of the tinc directory of a machine, whichever daemon runs there.

use anyhow::Context;
use cucumber::then;
use serde::Deserialize;

use super::{Outcome, World, fail};

/// Where it looks, in a node.
const DIRECTORY: &str = "/etc/tinc/";

/// The fields that steps speak of.
#[derive(Debug, Deserialize)]
struct Report {
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Finding {
    code: String,
    severity: String,
    file: String,
    line: Option<u64>,
    what: String,
}

impl World {
    async fn check(&self, node: &str) -> Outcome<Vec<Finding>> {
        let node = self.node(node)?;
        let program = self.stage()?.setting.programs.ours()?;
        node.install(&program, "v6router").await?;
        let output = node
            .exec(&["v6router", "check", DIRECTORY, "--json"])
            .await?;
        let report: Report = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        Ok(report.findings)
    }
}

fn told(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|one| {
        let line = one
            .line
            .map(|line| format!(" line {line}"))
            .unwrap_or_default();
        format!("{}{line}: {} [{}]", one.file, one.what, one.code)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[then(expr = "check on {word} finds {string} in {word}")]
async fn finds(world: &mut World, node: String, code: String, file: String) -> Outcome {
    let findings = world.check(&node).await?;
    let file = format!("{DIRECTORY}{file}");
    if !findings
        .iter()
        .any(|one| one.code == code && one.file == file)
    {
        fail!("it finds:\n{}", told(&findings));
    }
    Ok(())
}

#[then(expr = "check on {word} finds {string} in {word}, line {int}")]
async fn finds_in_line(
    world: &mut World,
    node: String,
    code: String,
    file: String,
    line: u64,
) -> Outcome {
    let findings = world.check(&node).await?;
    let file = format!("{DIRECTORY}{file}");
    let wanted = |one: &Finding| one.code == code && one.file == file && one.line == Some(line);
    if !findings.iter().any(wanted) {
        fail!("it finds:\n{}", told(&findings));
    }
    Ok(())
}

/// Notes are not wrong.
#[then(expr = "check on {word} finds nothing wrong")]
async fn finds_nothing(world: &mut World, node: String) -> Outcome {
    let mut findings = world.check(&node).await?;
    findings.retain(|one| one.severity != "note");
    if !findings.is_empty() {
        fail!("it finds:\n{}", told(&findings));
    }
    Ok(())
}
