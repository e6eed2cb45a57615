//! One page about one run or several: a file that needs nothing else, not even a network or scripts.

mod matrix;
mod timeline;
mod topology;

pub use self::timeline::amount;

use std::path::{Path, PathBuf};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::matrix::{Group, by_cast, by_venue, groups, mark};
use self::timeline::seconds;
use self::topology::Drawings;
use super::events::EventsError;
use super::story::{Run, Scenario, Step};

/// How large a page may become, bytes.
pub const LARGEST: usize = 3_000_000;

/// In how many parts the time of a scenario is shown: the first with which the page is not too large.
const PARTS: [usize; 4] = [56, 28, 14, 0];

const STYLE: &str = include_str!("page.css");

/// A page about the runs that are kept in these directories; links to what is kept there beside are as seen from `home`,
/// the directory of the page. At most [`LARGEST`], unless there are too many scenarios even to name.
///
/// # Errors
/// When there is no run in one of them.
pub fn page(dirs: &[PathBuf], home: &Path) -> Result<String, EventsError> {
    let runs: Vec<Run> = dirs
        .iter()
        .map(|dir| Run::read(dir))
        .collect::<Result<_, _>>()?;
    Ok(fitting(&runs, home))
}

/// With as much detail as there is room for.
fn fitting(runs: &[Run], home: &Path) -> String {
    let (groups, mut text) = (groups(runs), String::new());
    for parts in PARTS {
        text = whole(runs, &groups, home, parts).into_string();
        if text.len() <= LARGEST {
            break;
        }
    }
    text
}

fn whole(runs: &[Run], groups: &[Group<'_>], home: &Path, parts: usize) -> Markup {
    let mut drawings = Drawings::default();
    let details: Vec<Markup> = groups
        .iter()
        .enumerate()
        .map(|(n, group)| detail(n, group, runs, home, parts, &mut drawings))
        .collect();
    let failed: usize = runs.iter().map(|run| run.counts().1).sum();
    let title = match failed {
        0 => "v6lab: all passed".to_owned(),
        failed => format!("v6lab: {failed} failed"),
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (drawings.symbols())
                header {
                    h1 { "v6lab" }
                    nav {
                        a href="#casts" { "Daemons" }
                        a href="#venues" { "Venues" }
                        a href="#scenarios" { "Scenarios" }
                    }
                }
                main {
                    section.runs { @for run in runs { (summary(run)) } }
                    @if failed > 0 { (failures(groups, runs)) }
                    section #casts { h2 { "Each scenario with each daemon" } (by_cast(runs, groups)) }
                    section #venues {
                        h2 { "Each scenario in each sort of place" }
                        (by_venue(runs, groups))
                    }
                    section #scenarios {
                        h2 { "What happened" }
                        (legend())
                        @for detail in details { (detail) }
                    }
                }
            }
        }
    }
}

/// A run in a few words.
fn summary(run: &Run) -> Markup {
    let (passed, failed) = run.counts();
    let all = (passed + failed).max(1);
    let share = 100.0 * passed as f64 / all as f64;
    let when = jiff::Timestamp::from_second(run.time as i64).ok();
    html! {
        div.run {
            h2 { (run.daemons) }
            p.count {
                (mark(Some(failed == 0))) " " (passed) " passed"
                @if failed > 0 { ", " strong.bad { (failed) " failed" } }
            }
            div.share role="img" aria-label=(format!("{share:.0} % passed")) {
                div style=(format!("width:{share:.2}%")) {}
            }
            p { (seconds(run.took)) @if let Some(when) = when {
                ", " (when.strftime("%Y-%m-%d %H:%M UTC").to_string()) }
                ", v6lab " (run.version) }
            @if !run.complete { p.bad { "The run was ended before it was through." } }
            p { code { (command(run)) } }
        }
    }
}

/// The command line, with the program's name only.
fn command(run: &Run) -> String {
    let mut words = run.argv.iter().map(String::as_str);
    let program = words.next().map(Path::new).and_then(Path::file_name);
    let program = program.unwrap_or_default().to_string_lossy().into_owned();
    [program]
        .into_iter()
        .chain(words.map(str::to_owned))
        .collect::<Vec<_>>()
        .join(" ")
}

/// What failed and why, before everything else.
fn failures(groups: &[Group<'_>], runs: &[Run]) -> Markup {
    html! {
        section.failures {
            h2 { "What failed" }
            ul {
                @for (n, group) in groups.iter().enumerate() {
                    @for (run, scenario) in group {
                        @if scenario.passed != Some(true) {
                            li {
                                (mark(scenario.passed)) " "
                                a href=(format!("#s{n}")) { (scenario.name) }
                                " with " (runs[*run].daemons)
                                @if let Some(reason) = reason(scenario) { ": " (reason) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The first line of why a scenario failed.
fn reason(scenario: &Scenario) -> Option<&str> {
    let failed = scenario
        .steps
        .iter()
        .find_map(|step| step.failure.as_deref());
    failed.and_then(|reason| reason.lines().next())
}

fn legend() -> Markup {
    html! {
        p.note {
            "A lane for each machine: above the middle what came to it over its link from the internet, below what it sent \
             (height by the square root of bytes a second). "
            svg width="34" height="10" { line.up x1="1" x2="33" y1="5" y2="5" {} }
            " daemon runs, "
            svg width="34" height="10" { line.frozen x1="1" x2="33" y1="5" y2="5" {} }
            " is frozen, "
            svg width="12" height="10" { path.cross d="M3 2l6 6m0-6l-6 6" {} }
            " has ended. Bands are the steps. A drawing shows the daemons as they were at the end: a dot is one that runs, a \
             circle one that does not."
        }
    }
}

/// One scenario as every cast has played it.
fn detail(
    n: usize,
    group: &Group<'_>,
    runs: &[Run],
    home: &Path,
    parts: usize,
    drawings: &mut Drawings,
) -> Markup {
    let Some(any) = group.values().next() else {
        return html! {};
    };
    let failed = group.values().any(|scenario| scenario.passed != Some(true));
    html! {
        details open[failed] {
            summary {
                span.marks { @for scenario in group.values() { (mark(scenario.passed)) } }
                " " (any.name) span.file { (any.file) ":" (any.line) }
            }
            // Within, so that a link to it opens what is around.
            div id=(format!("s{n}")) {
                @for (run, scenario) in group {
                    @let run = &runs[*run];
                    article {
                        h3 {
                            (mark(scenario.passed)) " " (run.daemons) ", "
                            (seconds(scenario.took()))
                            (kept(run, scenario, home))
                        }
                        div.picture { (timeline::draw(scenario, parts)) }
                        div.two {
                            ol { @for step in &scenario.steps { (told(step)) } }
                            div.picture { (drawings.show(scenario)) }
                        }
                        @for remark in &scenario.remarks { pre { (remark) } }
                    }
                }
            }
        }
    }
}

fn told(step: &Step) -> Markup {
    let took = step.ended.map(|ended| seconds(ended - step.began));
    html! {
        li.bad[step.failure.is_some()] {
            (step.text)
            span.took { (took.as_deref().unwrap_or("not ended")) }
            @if let Some(reason) = &step.failure { pre.bad { (reason) } }
        }
    }
}

/// Links to the files that were kept of a scenario.
fn kept(run: &Run, scenario: &Scenario, home: &Path) -> Markup {
    let dir = run.dir.join(&scenario.dir);
    let files = std::fs::read_dir(&dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = files
        .filter_map(|file| file.file_name().into_string().ok())
        .collect();
    names.sort();
    // Where the page is elsewhere, only the whole path leads there.
    let base = dir.strip_prefix(home).unwrap_or(&dir);
    html! {
        @if !names.is_empty() {
            span.kept { @for name in names {
                a href=(base.join(&name).to_string_lossy()) { (name) } " "
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::{Drawing, DrawnLink, DrawnNode};
    use super::super::story::Turn;
    use super::*;
    use crate::plan::Role;
    use crate::report::events::DaemonState;

    /// A network of twelve machines with a scenario of nine steps.
    fn large(n: usize) -> Scenario {
        let name = |node: usize| format!("machine_{node}");
        let began = n as f64;
        Scenario {
            id: format!("large::One of many scenarios, number {n}:{n}"),
            feature: format!("Feature {}", n / 9),
            name: format!("One of many scenarios, number {n}"),
            file: format!("features/large/feature_{}.feature", n / 9),
            line: n,
            dir: format!("feature-{n}"),
            began,
            ended: began + 20.0,
            passed: Some(true),
            steps: (0..9)
                .map(|step| Step {
                    text: format!("And machine_{step} reaches machine_1 again in good time"),
                    began: began + 2.0 * step as f64,
                    ended: Some(began + 2.0 * step as f64 + 1.9),
                    failure: None,
                })
                .collect(),
            network: Some(Drawing {
                title: "large".to_owned(),
                nodes: (0..12)
                    .map(|node| DrawnNode {
                        name: name(node),
                        role: Role::Server,
                        nat: None,
                        member: node > 6,
                    })
                    .collect(),
                links: (1..12)
                    .map(|node| DrawnLink {
                        name: format!("a--{node}"),
                        ends: [name(0), name(node)],
                    })
                    .collect(),
                venues: vec![(name(3), "hotel".to_owned())],
            }),
            daemons: (7..12)
                .map(|node| Turn {
                    at: began + 1.0,
                    node: name(node),
                    product: "v6router".to_owned(),
                    state: DaemonState::Up,
                })
                .collect(),
            traffic: (1..12)
                .map(|node| {
                    let counted =
                        (0..60).map(|at| (began + at as f64 / 3.0, at * 1234, at * at * 37));
                    (format!("a--{node}"), counted.collect())
                })
                .collect(),
            remarks: vec!["laptop reached www after 0.52 s".to_owned()],
        }
    }

    #[test]
    fn a_page_about_many_scenarios_with_three_casts_is_not_too_large() {
        let run = |daemons: &str| Run {
            dir: "nowhere".into(),
            daemons: daemons.to_owned(),
            time: 0.0,
            version: String::new(),
            argv: Vec::new(),
            scenarios: (0..200).map(large).collect(),
            complete: true,
            took: 4000.0,
        };
        let runs = ["v6router", "tincd", "mixed"].map(run);
        let text = fitting(&runs, Path::new(""));
        assert!(text.len() <= LARGEST, "{} bytes", text.len());
        assert_eq!(text.matches("<article").count(), 600);
    }
}
