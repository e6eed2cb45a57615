//! Tables: each scenario with each cast of daemons, and each in every sort of place.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::super::story::{Run, Scenario};
use super::timeline::seconds;

/// A scenario as several runs have played it, by number of the run.
pub(super) type Group<'a> = BTreeMap<usize, &'a Scenario>;

/// The scenarios of all runs, those of one identity together, in the order in which the features have them.
pub(super) fn groups(runs: &[Run]) -> Vec<Group<'_>> {
    let mut groups = BTreeMap::<_, Group<'_>>::new();
    for (n, run) in runs.iter().enumerate() {
        for scenario in &run.scenarios {
            // Files are told of as they are seen from where a run was started; their stems are always the same.
            let stem = scenario.id.split("::").next();
            let key = (stem, scenario.line, &scenario.name);
            groups.entry(key).or_default().insert(n, scenario);
        }
    }
    groups.into_values().collect()
}

/// A sign for how a scenario went, which does not depend on its colour.
pub(super) fn mark(passed: Option<bool>) -> Markup {
    match passed {
        Some(true) => html! { span.ok title="passed" { "✓" } },
        Some(false) => html! { span.bad title="failed" { "✗" } },
        None => html! { span.cut title="the run ended before" { "…" } },
    }
}

/// Each scenario with each cast: whether it passed, in which time, and what was measured.
pub(super) fn by_cast(runs: &[Run], groups: &[Group<'_>]) -> Markup {
    let feature = |n: usize| {
        groups
            .get(n)?
            .values()
            .next()
            .map(|scenario| &scenario.feature)
    };
    html! {
        table.cast {
            thead { tr {
                th { "Scenario" }
                @for run in runs { th { (run.daemons) } }
            } }
            tbody {
                @for (n, group) in groups.iter().enumerate() {
                    @if let Some(any) = group.values().next() {
                        @if n.checked_sub(1).and_then(feature) != Some(&any.feature) {
                            tr.feature { th colspan=(runs.len() + 1) { (any.feature)
                                span.file { (any.file) } } }
                        }
                        tr {
                            td { a href=(format!("#s{n}")) { (any.name) } }
                            @for run in 0..runs.len() { (cell(group.get(&run).copied())) }
                        }
                    }
                }
            }
        }
    }
}

fn cell(scenario: Option<&Scenario>) -> Markup {
    let Some(scenario) = scenario else {
        return html! { td.none title="not played" { "–" } };
    };
    html! {
        td {
            (mark(scenario.passed)) " " (seconds(scenario.took()))
            @if scenario.passed == Some(true) {
                @for remark in &scenario.remarks {
                    @for line in remark.lines() { div.measured { (line) } }
                }
            }
        }
    }
}

/// What was played in more than one sort of place: each in each of them, with a sign for each cast.
pub(super) fn by_venue(runs: &[Run], groups: &[Group<'_>]) -> Markup {
    let mut kinds = BTreeSet::new();
    let mut rows = BTreeMap::<_, BTreeMap<&str, BTreeMap<usize, Tally>>>::new();
    for (run, scenario) in groups.iter().flatten() {
        let likes = likes(scenario);
        let row = rows
            .entry((&scenario.file, general(scenario, &likes)))
            .or_default();
        for like in likes {
            let tally = row.entry(like).or_default().entry(*run).or_default();
            tally.add(scenario.passed);
        }
    }
    rows.retain(|_, row| row.len() > 1);
    kinds.extend(rows.values().flat_map(|row| row.keys().copied()));
    if rows.is_empty() {
        return html! { p.none { "No scenario was played in more than one sort of place." } };
    }
    html! {
        div.wide { table.venue {
            thead { tr {
                th { "Scenario" }
                @for kind in &kinds { th.tilted { span { (kind) } } }
            } }
            tbody {
                @for ((_, name), row) in &rows {
                    tr {
                        td { (name) }
                        @for kind in &kinds { td {
                            @if let Some(casts) = row.get(kind) {
                                @for (run, tally) in casts {
                                    span title=(tally.words(&runs[*run].daemons, kind)) {
                                        (mark(tally.verdict()))
                                    }
                                }
                            }
                        } }
                    }
                }
            }
        } }
        @if runs.len() > 1 {
            p.note { "Signs stand for "
                @for (n, run) in runs.iter().enumerate() {
                    @if n > 0 { ", then " } (run.daemons)
                }
                "." }
        }
    }
}

/// How a scenario, and those that differ from it only in who is concerned, went in one sort of place.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: usize,
    failed: usize,
    cut: usize,
}

impl Tally {
    fn add(&mut self, passed: Option<bool>) {
        match passed {
            Some(true) => self.passed += 1,
            Some(false) => self.failed += 1,
            None => self.cut += 1,
        }
    }

    fn verdict(&self) -> Option<bool> {
        match self {
            Self { failed: 1.., .. } => Some(false),
            Self { cut: 1.., .. } => None,
            _ => Some(true),
        }
    }

    fn words(&self, daemons: &str, kind: &str) -> String {
        let Self { passed, failed, .. } = self;
        format!("{daemons} in {kind}: {passed} passed, {failed} failed")
    }
}

/// What the venues of a scenario are like.
fn likes(scenario: &Scenario) -> BTreeSet<&str> {
    let venues = scenario.network.iter().flat_map(|network| &network.venues);
    venues.map(|(_, like)| like.as_str()).collect()
}

/// The name of a scenario without the place it is about.
fn general(scenario: &Scenario, likes: &BTreeSet<&str>) -> String {
    // The longest first: one may be part of another.
    let mut likes: Vec<_> = likes.iter().collect();
    likes.sort_by_key(|like| std::cmp::Reverse(like.len()));
    likes
        .into_iter()
        .fold(scenario.name.clone(), |name, like| name.replace(like, "…"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::events::Drawing;

    fn played(name: &str, line: usize, like: &str, passed: bool) -> Scenario {
        Scenario {
            name: name.to_owned(),
            line,
            passed: Some(passed),
            network: Some(Drawing {
                title: String::new(),
                nodes: Vec::new(),
                links: Vec::new(),
                venues: vec![("cafe".to_owned(), like.to_owned())],
            }),
            ..Scenario::default()
        }
    }

    fn run(daemons: &str, scenarios: Vec<Scenario>) -> Run {
        Run {
            dir: "run".into(),
            daemons: daemons.to_owned(),
            time: 0.0,
            version: String::new(),
            argv: Vec::new(),
            scenarios,
            complete: true,
            took: 0.0,
        }
    }

    #[test]
    fn one_row_has_all_the_places_a_scenario_was_played_in() {
        let runs = [
            run(
                "v6router",
                vec![
                    played("From web-only out", 7, "web-only", true),
                    played("From hotel out", 8, "hotel", true),
                    played("Elsewhere", 12, "hotel", true),
                ],
            ),
            run(
                "tincd",
                vec![played("From web-only out", 7, "web-only", false)],
            ),
        ];
        let groups = groups(&runs);
        assert_eq!(groups.len(), 3);
        let table = by_venue(&runs, &groups).into_string();
        assert_eq!(table.matches("From … out").count(), 1, "{table}");
        assert!(!table.contains("Elsewhere"), "{table}");
        assert!(
            table.contains("tincd in web-only: 0 passed, 1 failed"),
            "{table}"
        );
    }

    #[test]
    fn the_casts_stand_side_by_side() {
        let runs = [
            run("v6router", vec![played("One", 3, "hotel", true)]),
            run("tincd", vec![played("Two", 9, "hotel", false)]),
        ];
        let table = by_cast(&runs, &groups(&runs)).into_string();
        assert_eq!(table.matches("not played").count(), 2, "{table}");
        assert_eq!(table.matches("class=\"bad\"").count(), 1, "{table}");
    }
}
