//! A scenario on an axis of time: a lane for each machine with what became of its daemon and what passed on its link, and
//! the steps across all of them.

use maud::{Markup, html};

use super::super::events::{DaemonState, Drawing};
use super::super::story::{Scenario, Step};
use super::topology::colour;
use crate::plan::Role;

/// Pixels: width of the names in front of the lanes, of the lanes, and of the figures behind them.
const NAMES: f64 = 104.0;
const AXIS: f64 = 560.0;
const FIGURES: f64 = 124.0;

/// Pixels: height of what is above the lanes, of a lane, and of the axis below them.
const HEAD: f64 = 20.0;
const LANE: f64 = 30.0;
const FOOT: f64 = 20.0;

/// Half the height of what shows traffic, and where the line of a daemon is, from the top of a lane.
const WAVE: f64 = 11.0;
const BAR: f64 = 26.0;

/// At most so many marks on the axis.
const MARKS: f64 = 8.0;

/// What a link has passed in one part of the time, in bytes a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Rate {
    down: f64,
    up: f64,
}

/// The time of a scenario, laid out over the width of the axis.
#[derive(Debug, Clone, Copy)]
struct Scale {
    began: f64,
    took: f64,
}

/// Draws a scenario, its traffic in so many parts of the time; none at all, if there is no network to have lanes.
pub(super) fn draw(scenario: &Scenario, parts: usize) -> Markup {
    let Some(network) = &scenario.network else {
        return html! {};
    };
    let scale = Scale {
        began: scenario.began,
        took: scenario.took().max(0.001),
    };
    // The core is at the other end of everybody's link.
    let lanes: Vec<_> = network
        .nodes
        .iter()
        .filter(|node| node.role != Role::Core)
        .collect();
    let bottom = HEAD + LANE * lanes.len() as f64;
    let rates: Vec<Vec<Rate>> = lanes
        .iter()
        .map(|node| {
            let counted = uplink(network, &node.name).and_then(|link| scenario.traffic.get(link));
            counted.map_or_else(Vec::new, |counted| rates(counted, scale, parts))
        })
        .collect();
    let fastest = rates
        .iter()
        .flatten()
        .map(|rate| rate.down.max(rate.up))
        .fold(0.0, f64::max);
    let (width, height) = (NAMES + AXIS + FIGURES, bottom + FOOT);
    let grounds: String = (1..=lanes.len())
        .map(|n| format!("M{NAMES} {}h{AXIS}", HEAD + LANE * n as f64))
        .collect();
    html! {
        svg.time viewBox=(format!("0 0 {width} {height}")) role="img"
            aria-label=(format!("{} over {:.1} s", scenario.name, scale.took)) {
            (steps(scenario, scale, bottom))
            @for (n, (node, rates)) in lanes.iter().zip(&rates).enumerate() {
                @let top = HEAD + LANE * n as f64;
                text.lane x="0" y=(top + 17.0) { (node.name) }
                @if let Some(path) = wave(rates, fastest, top + 1.0 + WAVE) {
                    path.wave d=(path) {}
                }
                (life(scenario, &node.name, scale, top + BAR))
                @if let Some((_, down, up)) = uplink(network, &node.name)
                    .and_then(|link| scenario.traffic.get(link)?.last()) {
                    text.sum x=(NAMES + AXIS + 6.0) y=(top + 17.0) {
                        "↓" (amount(*down)) " ↑" (amount(*up))
                    }
                }
            }
            path.ground d=(grounds) {}
            (axis(scale, bottom))
            @if fastest > 0.0 {
                text.sum x=(NAMES + AXIS + 6.0) y=(bottom + 15.0) {
                    "peak " (amount(fastest as u64)) "/s"
                }
            }
        }
    }
}

/// The steps as bands, numbered as in the list below.
fn steps(scenario: &Scenario, scale: Scale, bottom: f64) -> Markup {
    let extent = |step: &Step| {
        let ended = step.ended.unwrap_or(scenario.ended);
        (scale.x(step.began), scale.x(ended))
    };
    // All of one kind in one shape.
    let band = |wanted: fn(usize, &Step) -> bool| {
        let steps = scenario.steps.iter().enumerate();
        let bands = steps.filter(|(n, step)| wanted(*n, step)).map(|(_, step)| {
            let (from, to) = extent(step);
            let wide = px((to - from).max(1.0));
            format!("M{} {HEAD}h{wide}V{bottom}h-{wide}", px(from))
        });
        bands.collect::<String>()
    };
    html! {
        path.band d=(band(|n, step| n % 2 == 0 && step.failure.is_none())) {}
        path.band.odd d=(band(|n, step| n % 2 == 1 && step.failure.is_none())) {}
        path.band.bad d=(band(|_, step| step.failure.is_some())) {}
        @for (n, step) in scenario.steps.iter().enumerate() {
            @let (from, to) = extent(step);
            // A number needs this much room.
            @if to - from > 9.0 || step.failure.is_some() {
                text.number x=(((from + to) / 2.0).round()) y="14" { (n + 1) }
            }
        }
    }
}

/// What became of the daemon on a machine: a line while it runs, broken while it is frozen, a cross where it ended.
fn life(scenario: &Scenario, node: &str, scale: Scale, y: f64) -> Markup {
    let turns: Vec<_> = scenario
        .daemons
        .iter()
        .filter(|turn| turn.node == node)
        .collect();
    html! {
        @for (n, turn) in turns.iter().enumerate() {
            @let from = scale.x(turn.at);
            @let until = turns.get(n + 1).map_or(scenario.ended, |next| next.at);
            @if turn.state == DaemonState::Down {
                path.cross d=(format!("M{0} {1}l6 6m0-6l-6 6", px(from - 3.0), px(y - 3.0))) {
                    title { (turn.product) " ended at " (seconds(turn.at - scale.began)) }
                }
            } @else {
                line class=(colour(turn.state)) x1=(px(from)) x2=(px(scale.x(until))) y1=(px(y))
                    y2=(px(y)) {
                    title { (turn.product) " " (colour(turn.state)) " from "
                        (seconds(turn.at - scale.began)) }
                }
            }
        }
    }
}

fn axis(scale: Scale, bottom: f64) -> Markup {
    let every = round_step(scale.took / MARKS);
    let marks = (0..=(scale.took / every) as usize).map(|n| n as f64 * every);
    let marks: Vec<(f64, f64)> = marks
        .map(|at| (at, scale.x(scale.began + at).round()))
        .collect();
    let ticks: String = marks
        .iter()
        .map(|(_, x)| format!("M{x} {bottom}v4"))
        .collect();
    html! {
        path.ground d=(ticks) {}
        @for (at, x) in marks { text.mark x=(x) y=(bottom + 15.0) { (short(at)) " s" } }
    }
}

/// The link of a machine towards the core, and so the one its counters belong to.
fn uplink<'a>(network: &'a Drawing, node: &str) -> Option<&'a String> {
    let link = network.links.iter().find(|link| link.ends[1] == node);
    link.map(|link| &link.name)
}

/// What passed in each of so many parts of the time. Counters are read from time to time; in between they are taken to
/// rise steadily.
fn rates(counted: &[(f64, u64, u64)], scale: Scale, parts: usize) -> Vec<Rate> {
    let long = scale.took / parts.max(1) as f64;
    let borders: Vec<(f64, f64)> = (0..=parts)
        .map(|n| at(counted, scale.began + n as f64 * long))
        .collect();
    let rate = |pair: &[(f64, f64)]| Rate {
        down: (pair[1].0 - pair[0].0) / long,
        up: (pair[1].1 - pair[0].1) / long,
    };
    borders.windows(2).map(rate).collect()
}

/// How much had passed at a time.
fn at(counted: &[(f64, u64, u64)], time: f64) -> (f64, f64) {
    let after = counted.partition_point(|(when, ..)| *when < time);
    let before = after.checked_sub(1).and_then(|n| counted.get(n)).copied();
    let (Some((t1, d1, u1)), (t0, d0, u0)) = (counted.get(after), before.unwrap_or_default())
    else {
        return before.map_or((0.0, 0.0), |(_, down, up)| (down as f64, up as f64));
    };
    // Nothing is known of the time before the first reading, in which there was no network for most of it.
    let part = if before.is_none() || *t1 <= t0 {
        0.0
    } else {
        (time - t0) / (t1 - t0)
    };
    let between = |from: u64, to: u64| from as f64 + part * (to as f64 - from as f64);
    (between(d0, *d1), between(u0, *u1))
}

/// What comes down above a line, what goes up below it, by the square root, so that little is seen beside much.
fn wave(rates: &[Rate], fastest: f64, middle: f64) -> Option<String> {
    if fastest <= 0.0 || rates.iter().all(|rate| *rate == Rate::default()) {
        return None;
    }
    let wide = AXIS / rates.len() as f64;
    // To half a pixel.
    let high = |rate: f64| ((rate.max(0.0) / fastest).sqrt() * WAVE * 2.0).round() / 2.0;
    let x = |n: usize| (NAMES + (n as f64 + 0.5) * wide).round();
    let there = rates.iter().enumerate();
    let back = there.clone().rev();
    let mut points = vec![(NAMES, middle)];
    points.extend(there.map(|(n, rate)| (x(n), middle - high(rate.down))));
    points.push((NAMES + AXIS, middle));
    points.extend(back.map(|(n, rate)| (x(n), middle + high(rate.up))));
    Some(outline(&points))
}

/// A closed shape, as short as it can be said: each corner by its distance from the one before, those left out that are in
/// the middle of a level.
fn outline(points: &[(f64, f64)]) -> String {
    let mut corners = points.to_vec();
    let mut n = 1;
    while n + 1 < corners.len() {
        if corners[n - 1].1 == corners[n].1 && corners[n].1 == corners[n + 1].1 {
            corners.remove(n);
        } else {
            n += 1;
        }
    }
    let mut path = String::new();
    for (n, corner) in corners.iter().enumerate() {
        match n.checked_sub(1).map(|before| corners[before]) {
            None => path.push_str(&format!("M{} {}", corner.0, corner.1)),
            Some(before) => {
                let (right, down) = (corner.0 - before.0, corner.1 - before.1);
                let space = if down < 0.0 { "" } else { " " };
                path.push_str(&format!("l{right}{space}{down}"));
            }
        }
    }
    path.push('Z');
    path
}

impl Scale {
    fn x(self, time: f64) -> f64 {
        NAMES + ((time - self.began) / self.took).clamp(0.0, 1.0) * AXIS
    }
}

/// One, two or five times a power of ten, not less than `least`.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    // For what rounding has made a little larger.
    steps
        .into_iter()
        .find(|step| *step >= least)
        .unwrap_or(10.0 * power)
}

/// A length, to a tenth of a pixel.
fn px(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}

/// A time in seconds.
pub(super) fn seconds(time: f64) -> String {
    format!("{time:.2} s")
}

/// A number without more digits than it needs.
fn short(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// An amount of bytes, with three digits and a unit.
#[must_use]
pub fn amount(bytes: u64) -> String {
    let (mut rest, mut units) = (bytes as f64, ["B", "kB", "MB", "GB"].into_iter());
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if rest < 999.5 {
            break;
        }
        (rest, unit) = (rest / 1000.0, larger);
    }
    let digits = if unit == "B" || rest >= 99.95 { 0 } else { 1 };
    format!("{rest:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: Scale = Scale {
        began: 10.0,
        took: 4.0,
    };

    #[test]
    fn rates_come_to_what_was_counted() {
        let counted = [(11.0, 0, 0), (12.0, 1000, 50), (13.0, 3000, 50)];
        let rates = rates(&counted, SCALE, 8);
        let sum: f64 = rates.iter().map(|rate| rate.down).sum();
        assert!((sum * 0.5 - 3000.0).abs() < 1e-6, "{rates:?}");
        assert_eq!(rates[0], Rate::default(), "before there was a network");
        let fast = Rate {
            down: 2000.0,
            up: 0.0,
        };
        assert_eq!(rates[4], fast);
        assert_eq!(rates[7], Rate::default(), "when nothing more was counted");
    }

    #[test]
    fn a_link_that_was_silent_has_no_wave() {
        assert_eq!(wave(&[Rate::default(); 4], 100.0, 10.0), None);
    }

    #[test]
    fn a_level_has_two_corners() {
        let points = [(0.0, 5.0), (1.0, 5.0), (2.0, 5.0), (3.0, 2.5), (4.0, 5.0)];
        assert_eq!(outline(&points), "M0 5l2 0l1-2.5l1 2.5Z");
    }

    #[test]
    fn marks_stand_at_round_times() {
        for (least, step) in [
            (0.03, 0.05),
            (0.2, 0.2),
            (0.6, 1.0),
            (1.5, 2.0),
            (7.0, 10.0),
        ] {
            assert!((round_step(least) - step).abs() < 1e-9, "{least}");
        }
    }

    #[test]
    fn amounts_have_three_digits() {
        let said = [0, 999, 1000, 99_940, 99_960, 1_500_000].map(amount);
        assert_eq!(
            said,
            ["0 B", "999 B", "1.0 kB", "99.9 kB", "100 kB", "1.5 MB"]
        );
    }
}
