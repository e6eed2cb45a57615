//! Tunnels side by side: rounds in which every subject has its turn, and what they come to.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use serde::Serialize;

use super::round::{Figures, How, METHOD, round};
use super::table::table;
use super::tunnel::Prepared;
use super::{Machine, Metric, Spread, Subject, iperf};

/// What fits into a line of the terminal.
const BLOCKS: [&[Metric]; 2] = {
    let (speed, rest) = Metric::ALL.split_at(7);
    [speed, rest]
};

/// Subjects that are to be measured.
pub struct Tunnels {
    prepared: Vec<Prepared>,
    rounds: u16,
    how: How,
}

/// Everything that was measured, and how.
#[derive(Debug, Serialize)]
pub struct TunnelReport {
    /// How it was measured.
    pub method: &'static str,
    /// Where.
    pub machine: Machine,
    /// How often each was measured.
    pub rounds: u16,
    /// For how long, in seconds.
    pub seconds: u16,
    /// To whom the ratios are: the first subject that is tincd.
    pub reference: Option<String>,
    /// Each subject, in the order in which they were named.
    pub subjects: Vec<Measured>,
}

/// What was measured of a subject.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// As it was asked for.
    pub name: String,
    /// What could be measured at least once.
    pub figures: BTreeMap<Metric, Figure>,
    /// What went wrong, with the round.
    pub troubles: Vec<String>,
}

/// What the rounds have come to.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// Their middle and ends, in the unit of the metric.
    #[serde(flatten)]
    pub spread: Spread,
    /// How many times as much as the reference has.
    pub ratio: Option<f64>,
    /// Each by itself, in order.
    pub values: Vec<f64>,
}

impl Tunnels {
    /// Looks for all programs that will be needed, before anything is built.
    ///
    /// # Errors
    /// What is missing, and how to get it.
    pub fn prepare(subjects: Vec<Subject>, rounds: u16, seconds: u16) -> Result<Self> {
        iperf::there()?;
        let prepared = subjects.into_iter().map(Prepared::new);
        Ok(Self {
            prepared: prepared.collect::<Result<_>>()?,
            rounds,
            how: How {
                seconds,
                buffer: iperf::most_buffer(),
            },
        })
    }

    /// Measures, within a session; `tell` hears what is done.
    ///
    /// # Errors
    /// When no keys can be made. What fails later is in the report.
    pub async fn measure(mut self, machine: Machine, tell: impl Fn(&str)) -> Result<TunnelReport> {
        for prepared in &mut self.prepared {
            prepared.keys().await?;
        }
        let mut measured: Vec<Vec<Figures>> = self.prepared.iter().map(|_| Vec::new()).collect();
        for n in 0..self.rounds {
            for place in order(self.prepared.len(), n) {
                let (Some(prepared), Some(figures)) =
                    (self.prepared.get(place), measured.get_mut(place))
                else {
                    continue;
                };
                let name = &prepared.subject.name;
                let tell =
                    |what: &str| tell(&format!("round {}/{}, {name}: {what}", n + 1, self.rounds));
                let one = round(prepared, self.how, &tell).await;
                for trouble in &one.troubles {
                    tell(&format!("FAILED: {trouble}"));
                }
                figures.push(one);
            }
        }
        let subjects = self.prepared.iter().map(|prepared| &prepared.subject);
        Ok(TunnelReport {
            method: METHOD,
            machine,
            rounds: self.rounds,
            seconds: self.how.seconds,
            reference: subjects
                .clone()
                .find(|subject| subject.is_reference())
                .map(|subject| subject.name.clone()),
            subjects: subjects
                .zip(measured)
                .map(|(subject, rounds)| Measured::of(&subject.name, rounds))
                .collect(),
        }
        .compared())
    }
}

/// The order of a round's subjects: each round begins with the next one.
fn order(subjects: usize, round: u16) -> impl Iterator<Item = usize> {
    (0..subjects).map(move |n| (n + usize::from(round)) % subjects.max(1))
}

impl Measured {
    fn of(name: &str, rounds: Vec<Figures>) -> Self {
        let mut values: BTreeMap<Metric, Vec<f64>> = BTreeMap::new();
        let mut troubles = Vec::new();
        for (n, round) in (1..).zip(rounds) {
            for (metric, value) in round.values {
                values.entry(metric).or_default().push(value);
            }
            let told = round.troubles.into_iter();
            troubles.extend(told.map(|trouble| format!("round {n}, {trouble}")));
        }
        let figures = values.into_iter().filter_map(|(metric, values)| {
            let figure = Figure {
                spread: Spread::of(&values)?,
                ratio: None,
                values,
            };
            Some((metric, figure))
        });
        Self {
            name: name.to_owned(),
            figures: figures.collect(),
            troubles,
        }
    }
}

impl TunnelReport {
    /// Whether everything could be measured.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.subjects
            .iter()
            .all(|subject| subject.troubles.is_empty())
    }

    /// With the ratios to the reference.
    fn compared(mut self) -> Self {
        let mut subjects = self.subjects.iter();
        let reference: BTreeMap<Metric, Spread> = subjects
            .find(|subject| Some(&subject.name) == self.reference.as_ref())
            .map(|subject| {
                let figures = subject.figures.iter();
                figures.map(|(metric, of)| (*metric, of.spread)).collect()
            })
            .unwrap_or_default();
        for subject in &mut self.subjects {
            for (metric, figure) in &mut subject.figures {
                let theirs = reference.get(metric);
                figure.ratio = theirs.and_then(|theirs| figure.spread.ratio(theirs));
            }
        }
        self
    }

    /// A table of some metrics; `cell` says what of a figure stands in it.
    fn table(&self, metrics: &[Metric], cell: impl Fn(Metric, &Figure) -> String) -> String {
        let head = |n: usize| {
            let words = metrics.iter().map(|metric| metric.head()[n].to_owned());
            [String::new()].into_iter().chain(words).collect()
        };
        let mut rows: Vec<Vec<String>> = vec![head(0), head(1)];
        for subject in &self.subjects {
            let cells = metrics.iter().map(|metric| {
                let figure = subject.figures.get(metric);
                figure.map_or_else(|| "-".to_owned(), |figure| cell(*metric, figure))
            });
            rows.push([subject.name.clone()].into_iter().chain(cells).collect());
        }
        table(&rows)
    }
}

/// A value with as many digits as are worth telling.
pub(super) fn figure(metric: Metric, value: f64) -> String {
    format!("{value:.*}", metric.digits())
}

/// How many times as much.
pub(super) fn times(ratio: f64) -> String {
    format!("{ratio:.*}x", if ratio < 0.1 { 3 } else { 2 })
}

impl fmt::Display for TunnelReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        let compared = self
            .reference
            .as_ref()
            .map(|name| format!(", and as many times {name}'s"));
        writeln!(
            f,
            "medians of {} rounds of {} s{}\n",
            self.rounds,
            self.seconds,
            compared.unwrap_or_default()
        )?;
        for metrics in BLOCKS {
            let medians = self.table(metrics, |metric, of| {
                let ratio = of.ratio.map(|ratio| format!(" {}", times(ratio)));
                figure(metric, of.spread.median) + &ratio.unwrap_or_default()
            });
            writeln!(f, "{medians}")?;
        }
        if self.rounds > 1 {
            writeln!(f, "least and most\n")?;
            for metrics in BLOCKS {
                let ends = self.table(metrics, |metric, of| {
                    format!(
                        "{}-{}",
                        figure(metric, of.spread.min),
                        figure(metric, of.spread.max)
                    )
                });
                writeln!(f, "{ends}")?;
            }
        }
        for subject in &self.subjects {
            for trouble in &subject.troubles {
                writeln!(f, "FAILED: {}, {trouble}", subject.name)?;
            }
        }
        write!(f, "{}", self.method)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What rounds came to that were never played.
    pub(in super::super) fn report(subjects: &[(&str, &[f64])]) -> TunnelReport {
        let subjects = subjects.iter().map(|(name, values)| {
            let rounds = values.iter().map(|value| Figures {
                values: [(Metric::TcpMbitS, *value), (Metric::PingUs, 2e4 / value)].into(),
                troubles: Vec::new(),
            });
            Measured::of(name, rounds.collect())
        });
        TunnelReport {
            method: METHOD,
            machine: Machine::look().unwrap(),
            rounds: 3,
            seconds: 3,
            reference: Some("tincd".to_owned()),
            subjects: subjects.collect(),
        }
        .compared()
    }

    #[test]
    fn every_subject_comes_first_in_its_turn() {
        let orders: Vec<Vec<usize>> = (0..3).map(|round| order(3, round).collect()).collect();
        assert_eq!(orders, [[0, 1, 2], [1, 2, 0], [2, 0, 1]]);
        assert_eq!(order(0, 5).count(), 0);
    }

    #[test]
    fn medians_stand_beside_their_ratio_to_tincd_and_ends_below() {
        let report = report(&[
            ("v6router", &[1500.0, 1700.0, 1600.0]),
            ("tincd", &[300.0, 200.0, 250.0]),
        ]);
        let said = report.to_string();
        assert!(said.contains("v6router  1600 6.40x"), "{said}");
        assert!(said.contains("tincd      250 1.00x"), "{said}");
        assert!(said.contains("1500-1700"), "{said}");
        assert!(said.contains("as many times tincd's"), "{said}");
        let json = serde_json::to_value(&report).unwrap();
        let ours = &json["subjects"][0]["figures"]["tcp_mbit_s"];
        assert_eq!(
            (&ours["median"], &ours["ratio"]),
            (&1600.0.into(), &6.4.into())
        );
    }

    #[test]
    fn what_could_not_be_measured_is_told_with_its_round() {
        let failed = Figures {
            troubles: vec!["start: no ping".to_owned()],
            ..Figures::default()
        };
        let measured = Measured::of("tinc11", vec![Figures::default(), failed]);
        assert!(measured.figures.is_empty());
        assert_eq!(measured.troubles, ["round 2, start: no ping"]);
    }
}
