//! A picture of tunnels side by side: one file that needs nothing else.

use maud::{Markup, html};

use super::subject::PLAIN;
use super::tunnels::{Figure, Measured, figure, times};
use super::{Metric, TunnelReport};

/// Lengths in pixels: of a panel, of the names before its bars, of the longest bar, of a bar with its gap, of a panel's
/// title, and of the margin around panels.
const WIDTH: usize = 560;
const NAMES: usize = 170;
const LONGEST: f64 = 240.0;
const BAR: usize = 22;
const TITLE: usize = 34;
const MARGIN: usize = 20;

/// Panels beside each other.
const COLUMNS: usize = 2;

/// Lines above the panels.
const HEAD: usize = 62;

const STYLE: &str = "text{font:13px sans-serif;fill:#222}\
.title{font-weight:bold;font-size:14px}.quiet{fill:#666;font-size:12px}\
.ours{fill:#2a6fb0}.others{fill:#b8bec4}\
.ends{stroke:#222;fill:none}.beyond{stroke:#fff;stroke-width:4;fill:none}";

/// A panel of bars for each metric: medians, with a line from the least to the most. What is far beyond all tunnels,
/// such as a cable without one, is broken off.
#[must_use]
pub fn svg(report: &TunnelReport) -> String {
    let measured = |metric: &Metric| {
        report
            .subjects
            .iter()
            .any(|subject| subject.figures.contains_key(metric))
    };
    let metrics: Vec<Metric> = Metric::ALL.into_iter().filter(measured).collect();
    let panel = TITLE + BAR * report.subjects.len() + MARGIN;
    let width = COLUMNS * WIDTH + MARGIN;
    let height = HEAD + metrics.len().div_ceil(COLUMNS) * panel + MARGIN;
    let compared = report.reference.as_ref();
    let compared = compared.map(|name| format!("; as many times {name}'s"));
    let what = format!(
        "Medians of {} rounds, least to most{}",
        report.rounds,
        compared.unwrap_or_default()
    );
    let picture = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {width} {height}")) width=(width)
            height=(height) role="img" aria-label="Tunnels side by side" {
            style { (STYLE) }
            rect width="100%" height="100%" fill="#fff" {}
            text.title x=(MARGIN) y="26" { (what) }
            text.quiet x=(MARGIN) y="46" { (report.machine) }
            @for (n, metric) in metrics.iter().enumerate() {
                @let (x, y) = (MARGIN + n % COLUMNS * WIDTH, HEAD + n / COLUMNS * panel);
                g transform=(format!("translate({x} {y})")) { (bars(report, *metric)) }
            }
        }
    };
    picture.into_string()
}

fn bars(report: &TunnelReport, metric: Metric) -> Markup {
    let subjects = report.subjects.iter();
    // A bare cable would make all else look alike.
    let tunnels = subjects.filter(|subject| subject.name != PLAIN);
    let all = tunnels.filter_map(|subject| Some(subject.figures.get(&metric)?.spread.max));
    let most = all.reduce(f64::max).filter(|most| *most > 0.0);
    let scale = |of: &Figure| LONGEST / most.unwrap_or_else(|| of.spread.max.max(1.0));
    let better = if metric.more_is_better() {
        "more is better"
    } else {
        "less is better"
    };
    html! {
        text.title x="0" y="16" { (metric.title()) }
        text.quiet x=(WIDTH - MARGIN) y="16" text-anchor="end" { (better) }
        @for (n, subject) in report.subjects.iter().enumerate() {
            g transform=(format!("translate(0 {})", TITLE - 8 + n * BAR)) {
                title { (subject.name) }
                text x=(NAMES - 8) y="13" text-anchor="end" { (short(&subject.name)) }
                @match subject.figures.get(&metric) {
                    Some(of) => (bar(subject, metric, of, scale(of))),
                    None => text.quiet x=(NAMES) y="13" { "-" },
                }
            }
        }
    }
}

fn bar(subject: &Measured, metric: Metric, of: &Figure, scale: f64) -> Markup {
    let theirs = ["tinc", "wireguard", PLAIN];
    let others = theirs.iter().any(|name| subject.name.starts_with(name));
    let class = if others { "others" } else { "ours" };
    let at = |value: f64| NAMES as f64 + (value * scale).min(LONGEST);
    let cut = of.spread.max * scale > LONGEST * 1.001;
    let [min, median, max] = [of.spread.min, of.spread.median, of.spread.max].map(at);
    let ratio = of.ratio.map(|ratio| format!("  {}", times(ratio)));
    let words = figure(metric, of.spread.median) + &ratio.unwrap_or_default();
    html! {
        rect class=(class) x=(NAMES) width=(format!("{:.1}", median - NAMES as f64)) y="2" height=(BAR - 6) {}
        @if cut {
            path.beyond d=(format!("M{:.1} 1l-5 9 5 9", max - 8.0)) {}
        } @else {
            path.ends d=(format!("M{min:.1} 10H{max:.1}M{min:.1} 6v8M{max:.1} 6v8")) {}
        }
        text x=(format!("{:.1}", max + 8.0)) y="13" { (words) }
    }
}

/// A name that fits before a bar.
fn short(name: &str) -> String {
    const LETTERS: usize = 22;
    if name.chars().count() <= LETTERS {
        return name.to_owned();
    }
    let begin: String = name.chars().take(LETTERS - 1).collect();
    begin + "…"
}

#[cfg(test)]
mod tests {
    use super::super::tunnels::tests::report;
    use super::*;

    #[test]
    fn a_picture_has_a_bar_for_each_figure_and_needs_nothing_else() {
        let picture = svg(&report(&[
            ("v6router:Offload=no<", &[1500.0]),
            ("tincd", &[250.0]),
        ]));
        assert!(picture.starts_with("<svg xmlns="), "{picture}");
        assert_eq!(picture.matches("class=\"ours\"").count(), 2);
        assert_eq!(picture.matches("class=\"others\"").count(), 2);
        assert!(picture.contains("1500  6.00x"), "{picture}");
        assert!(picture.contains("Offload=no&lt;"), "{picture}");
        for outside in ["href", "url(", "@import", "<script"] {
            assert!(!picture.contains(outside), "{outside}");
        }
        assert!(!picture.contains("NaN") && !picture.contains("inf"));
    }

    #[test]
    fn a_bare_cable_is_cut_so_that_tunnels_can_be_told_apart() {
        let picture = svg(&report(&[("tincd", &[250.0]), ("veth", &[9000.0])]));
        let longest = "width=\"240.0\"";
        // Of TCP both end at the edge, and the cable's goes on; of pings it is the cable's that is short.
        assert_eq!(picture.matches(longest).count(), 3, "{picture}");
        assert_eq!(picture.matches("class=\"beyond\"").count(), 1);
        assert!(picture.contains("9000  36.00x"), "{picture}");
    }

    #[test]
    fn a_long_name_is_cut() {
        assert_eq!(short("tincd"), "tincd");
        assert_eq!(short(&"x".repeat(40)).chars().count(), 22);
    }
}
