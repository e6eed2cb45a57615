//! `[link]`: the line between a venue and the internet, or between a machine and what it is plugged into.
//!
//! A value stands for both directions, or for each one: `rate = { down = "20 Mbit/s", up = "5 Mbit/s" }`.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use toml::Spanned;

use super::ModelError;
use super::error::Source;
use super::overriding::Said;
use super::quantity::{packets, rate, share, time};
use crate::conditioner::{Conditions, Line, QUEUE, Share};

/// What IPv4 asks of every host (RFC 791), and what Ethernet carries. Bytes.
const MTUS: std::ops::RangeInclusive<u32> = 576..=1500;

/// The line between a venue's router and what is in front of it, or of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// What it does to packets.
    pub line: Line,
    /// The longest IP packet it carries, in bytes, if that is less than Ethernet's.
    pub mtu: Option<u32>,
}

/// `[link]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LinkTable {
    rate: Option<Ways>,
    queue: Option<Ways>,
    delay: Option<Ways>,
    jitter: Option<Ways>,
    loss: Option<Ways>,
    bursts: Option<Ways>,
    reorder: Option<Ways>,
    duplicate: Option<Ways>,
    mtu: Option<Spanned<u32>>,
    black_hole: Option<Spanned<bool>>,
}

/// A value for each direction.
#[derive(Debug, Clone, Default)]
struct Ways {
    down: Option<Spanned<String>>,
    up: Option<Spanned<String>>,
}

/// A direction.
#[derive(Clone, Copy)]
enum Way {
    Down,
    Up,
}

impl<'de> Deserialize<'de> for Ways {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        /// `"VALUE"` or `{ down = "VALUE", up = "VALUE" }`.
        enum Written {
            Both(String),
            Each(Each),
        }

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Each {
            down: Option<Spanned<String>>,
            up: Option<Spanned<String>>,
        }

        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number with its unit in quotes, or { down = \"…\", up = \"…\" }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Written, E> {
                Ok(Written::Both(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
                Each::deserialize(MapAccessDeserializer::new(map)).map(Written::Each)
            }
        }

        impl<'de> Deserialize<'de> for Written {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(Reader)
            }
        }

        let written = Spanned::<Written>::deserialize(from)?;
        let span = written.span();
        Ok(match written.into_inner() {
            Written::Both(text) => Self {
                down: Some(Spanned::new(span.clone(), text.clone())),
                up: Some(Spanned::new(span, text)),
            },
            Written::Each(Each { down, up }) => Self { down, up },
        })
    }
}

/// The line, by what is said of it, nearest first; none if nobody speaks of one.
pub(super) fn link(said: &[Said<'_, &LinkTable>]) -> Result<Option<Link>, ModelError> {
    if said.is_empty() {
        return Ok(None);
    }
    let mtu = nearest(said, |table| table.mtu.as_ref());
    let black_hole = nearest(said, |table| table.black_hole.as_ref());
    if let Some(mtu) = &mtu
        && !MTUS.contains(mtu.value.get_ref())
    {
        let nearest = (*mtu.value.get_ref()).clamp(*MTUS.start(), *MTUS.end());
        return Err(mtu.error(format!(
            "`mtu`: the nearest there can be is {nearest} bytes"
        )));
    }
    let mtu = mtu.map(|mtu| *mtu.value.get_ref());
    let mtu = mtu.filter(|mtu| mtu < MTUS.end());
    if let (Some(hole), None) = (&black_hole, mtu)
        && *hole.value.get_ref()
    {
        let reason = "`black-hole`: nothing is too long for this line; add an `mtu` below 1500";
        return Err(hole.error(reason));
    }
    let line = Line {
        down: conditions(said, Way::Down)?,
        up: conditions(said, Way::Up)?,
        black_hole: black_hole.is_some_and(|hole| *hole.value.get_ref()),
    };
    Ok(Some(Link { line, mtu }))
}

/// The line of a machine, by the `link` in its table.
pub(super) fn of_machine(
    table: Option<&LinkTable>,
    by: &Source,
) -> Result<Option<Link>, ModelError> {
    let said: Vec<_> = table
        .map(|table| Said::new(table, by))
        .into_iter()
        .collect();
    // Its neighbours would send what it cannot hear, and nobody is between them who could tell.
    let reason = "a network carries the same to each of its machines; say it of a venue's line";
    if let Some(mtu) = nearest(&said, |table| table.mtu.as_ref()) {
        return Err(mtu.error(format!("`mtu`: {reason}")));
    }
    link(&said)
}

fn conditions(said: &[Said<'_, &LinkTable>], way: Way) -> Result<Conditions, ModelError> {
    let Field { value: rate, .. } = field(said, way, "rate", |table| &table.rate, rate)?;
    let queue = field(said, way, "queue", |table| &table.queue, time)?;
    let delay = field(said, way, "delay", |table| &table.delay, time)?;
    let jitter = field(said, way, "jitter", |table| &table.jitter, time)?;
    let loss = field(said, way, "loss", |table| &table.loss, share)?;
    let bursts = field(said, way, "bursts", |table| &table.bursts, packets)?;
    let reorder = field(said, way, "reorder", |table| &table.reorder, share)?;
    let duplicate = field(said, way, "duplicate", |table| &table.duplicate, share)?;
    if rate.is_none() {
        queue.must_not_be("`queue`: nobody has to wait on a line without a `rate`; add one")?;
    }
    if loss.value.is_none_or(|loss| loss == Share::default()) {
        bursts.must_not_be("`bursts`: nothing is lost on this line; add a `loss`")?;
    }
    let burst = bursts.value.unwrap_or(1);
    let most = Share::most_in_bursts_of(burst);
    if loss.value.is_some_and(|loss| loss > most) {
        let reason = format!("`loss`: in bursts of {burst} on average, the most is \"{most}\"");
        loss.must_not_be(&reason)?;
    }
    let (most, varies) = (
        delay.value.unwrap_or(Duration::ZERO),
        jitter.value.unwrap_or(Duration::ZERO),
    );
    if varies > most {
        let most = most.as_secs_f64() * 1e3;
        let reason =
            format!("`jitter`: a delay of {most} ms cannot vary by more than \"{most} ms\"");
        jitter.must_not_be(&reason)?;
    }
    Ok(Conditions {
        rate,
        queue: queue.value.unwrap_or(QUEUE),
        delay: most,
        jitter: varies,
        loss: loss.value.unwrap_or_default(),
        burst,
        reorder: reorder.value.unwrap_or_default(),
        duplicate: duplicate.value.unwrap_or_default(),
        cut: false,
    })
}

/// What is said of one thing in one direction, and where.
struct Field<'a, T> {
    value: Option<T>,
    said: Option<Said<'a, &'a Spanned<String>>>,
}

impl<T> Field<'_, T> {
    /// Fails with a reason if anything is said.
    fn must_not_be(&self, reason: &str) -> Result<(), ModelError> {
        self.said.map_or(Ok(()), |said| Err(said.error(reason)))
    }
}

fn field<'a, T>(
    said: &[Said<'a, &'a LinkTable>],
    way: Way,
    name: &str,
    of: impl Fn(&LinkTable) -> &Option<Ways>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Field<'a, T>, ModelError> {
    let said = nearest(said, |table| {
        let ways = of(table).as_ref()?;
        match way {
            Way::Down => ways.down.as_ref(),
            Way::Up => ways.up.as_ref(),
        }
    });
    let value = said.map(|said| {
        let read = read(said.value.get_ref());
        read.map_err(|reason| said.error(format!("`{name}`: {reason}")))
    });
    let value = value.transpose()?;
    Ok(Field { value, said })
}

fn nearest<'a, T>(
    said: &[Said<'a, &'a LinkTable>],
    of: impl Fn(&'a LinkTable) -> Option<&'a T>,
) -> Option<Said<'a, &'a T>> {
    said.iter().find_map(|said| said.part(&of))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VENUE: &str =
        "rate = { down = \"20 Mbit/s\", up = \"5 Mbit/s\" }\ndelay = \"30 ms\"\nloss = \"1 %\"\n";

    /// What comes of a venue's table and of what a scenario says in its place.
    fn said(venue: &str, scenario: &str) -> Result<Link, ModelError> {
        let [venue, scenario] = [("venue", venue), ("scenario", scenario)]
            .map(|(name, text)| Source::from_text(name, text.to_owned()));
        let (base, here) = (venue.parse::<LinkTable>()?, scenario.parse::<LinkTable>()?);
        let said = [Said::new(&here, &scenario), Said::new(&base, &venue)];
        Ok(link(&said)?.unwrap())
    }

    fn mistake(scenario: &str) -> String {
        said(VENUE, scenario).unwrap_err().to_string()
    }

    #[test]
    fn a_value_is_for_both_directions_or_for_one() {
        let line = said(VENUE, "").unwrap().line;
        assert_eq!(line.down.rate, Some(20_000_000));
        assert_eq!(line.up.rate, Some(5_000_000));
        assert_eq!(line.up.delay, Duration::from_millis(30));
        assert_eq!(line.down.queue, QUEUE);
    }

    #[test]
    fn a_scenario_changes_what_it_says_and_nothing_else() {
        let changed = said(
            VENUE,
            "rate = { up = \"1 Mbit/s\" }\nbursts = \"4 packets\"\n",
        )
        .unwrap();
        let line = said(VENUE, "").unwrap().line;
        let up = Conditions {
            rate: Some(1_000_000),
            burst: 4,
            ..line.up
        };
        assert_eq!(changed.line.up, up);
        assert_eq!(
            changed.line.down,
            Conditions {
                burst: 4,
                ..line.down
            }
        );
    }

    #[test]
    fn a_machine_has_a_line_of_its_own_but_no_mtu() {
        let of_machine = |text: &str| {
            let source = Source::from_text("scenario", text.to_owned());
            let table = source.parse::<LinkTable>().unwrap();
            of_machine(Some(&table), &source).map_err(|error| error.to_string())
        };
        let link = of_machine("delay = { up = \"3 ms\" }").unwrap().unwrap();
        assert_eq!(link.line.up.delay, Duration::from_millis(3));
        assert_eq!(link.line.down, Conditions::default());
        let told = of_machine("delay = \"3 ms\"\nmtu = 1400").unwrap_err();
        assert!(told.starts_with("scenario:2: `mtu`: a network carries the same"));
        let told = of_machine("black-hole = true").unwrap_err();
        assert!(told.starts_with("scenario:1: `black-hole`: nothing is too long"));
    }

    #[test]
    fn a_mistake_is_told_where_it_was_made_and_with_what_would_be_right() {
        for (text, told) in [
            (
                "\nrate = \"20 Mbits\"",
                "scenario:2: `rate`: \"Mbits\" is no unit of a rate; did you mean `Mbit/s`?",
            ),
            (
                "rate = 20",
                "scenario:1: invalid type: integer `20`, expected a number with its unit in quotes",
            ),
            (
                "rate = { dwn = \"1 Mbit/s\" }",
                "scenario:1: unknown key `dwn`; did you mean `down`?",
            ),
            (
                "delai = \"1 ms\"",
                "scenario:1: unknown key `delai`; did you mean `delay`?",
            ),
            (
                "jitter = \"40 ms\"",
                "scenario:1: `jitter`: a delay of 30 ms cannot vary by more than \"30 ms\"",
            ),
            (
                "loss = \"100 %\"",
                "scenario:1: `loss`: in bursts of 1 on average, the most is \"99.9999 %\"",
            ),
            (
                "loss = \"0 %\"\nbursts = \"3 packets\"",
                "scenario:2: `bursts`: nothing is lost on this line",
            ),
            (
                "mtu = 9000",
                "scenario:1: `mtu`: the nearest there can be is 1500 bytes",
            ),
            (
                "black-hole = true",
                "scenario:1: `black-hole`: nothing is too long for this line",
            ),
        ] {
            assert!(mistake(text).starts_with(told), "{text}: {}", mistake(text));
        }
        let error = said("loss = \"1 %\"", "queue = \"5 ms\"")
            .unwrap_err()
            .to_string();
        assert!(error.contains("`queue`: nobody has to wait"), "{error}");
    }
}
