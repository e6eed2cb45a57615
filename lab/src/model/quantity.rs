//! Numbers with units, as authors write them: `20 Mbit/s`, `15 ms`, `0.5 %`.

use std::time::Duration;

use super::error::nearest;
use crate::conditioner::Share;

/// Bits a second by unit.
const RATES: [(&str, f64); 3] = [("Mbit/s", 1e6), ("kbit/s", 1e3), ("Gbit/s", 1e9)];

/// Seconds by unit.
const TIMES: [(&str, f64); 3] = [("ms", 1e-3), ("s", 1.0), ("us", 1e-6)];

/// The most a line may be asked for.
const FASTEST: f64 = 10e9;
const SLOWEST: f64 = 8e3;
const LONGEST: f64 = 10.0;

/// Bits a second.
pub(crate) fn rate(text: &str) -> Result<u64, String> {
    let rate = number(text, "rate", &RATES)?;
    if (SLOWEST..=FASTEST).contains(&rate) {
        // In range, and whole bits are enough.
        return Ok(rate.round() as u64);
    }
    let nearest = if rate < SLOWEST {
        "8 kbit/s"
    } else {
        "10 Gbit/s"
    };
    Err(format!(
        "{text:?}: the nearest rate there can be is \"{nearest}\""
    ))
}

/// A time.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let seconds = number(text, "time", &TIMES)?;
    if (0.0..=LONGEST).contains(&seconds) {
        return Ok(Duration::from_secs_f64(seconds));
    }
    let nearest = if seconds < 0.0 { "0 ms" } else { "10 s" };
    Err(format!(
        "{text:?}: the nearest time there can be is \"{nearest}\""
    ))
}

/// A share of all packets.
pub(super) fn share(text: &str) -> Result<Share, String> {
    let percent = number(text, "share", &[("%", 1.0)])?;
    Share::percent(percent).ok_or_else(|| {
        let nearest = if percent < 0.0 { 0 } else { 100 };
        format!("{text:?}: the nearest share there can be is \"{nearest} %\"")
    })
}

/// How many packets.
pub(super) fn packets(text: &str) -> Result<u32, String> {
    let count = number(text, "number of packets", &[("packets", 1.0)])?;
    if count.fract() == 0.0 && (1.0..=1000.0).contains(&count) {
        return Ok(count as u32);
    }
    let nearest = count.round().clamp(1.0, 1000.0);
    Err(format!(
        "{text:?}: the nearest there can be is \"{nearest} packets\""
    ))
}

/// A number and one of these units, multiplied.
fn number(text: &str, what: &str, units: &[(&str, f64)]) -> Result<f64, String> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'));
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let unit = unit.trim();
    let (first, _) = units.first().copied().unwrap_or_default();
    let Ok(value) = number.parse::<f64>() else {
        return Err(format!(
            "{text:?} is no {what}; one is written as \"10 {first}\""
        ));
    };
    if let Some((_, factor)) = units.iter().find(|(known, _)| *known == unit) {
        return Ok(value * factor);
    }
    if unit.is_empty() {
        return Err(format!(
            "{text:?} has no unit; did you mean \"{number} {first}\"?"
        ));
    }
    let known: Vec<String> = units.iter().map(|(known, _)| (*known).to_owned()).collect();
    Err(format!(
        "{unit:?} is no unit of a {what}{}",
        nearest(unit, &known)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_their_units() {
        assert_eq!(rate("20 Mbit/s"), Ok(20_000_000));
        assert_eq!(rate("0.5Mbit/s"), Ok(500_000));
        assert_eq!(time("15 ms"), Ok(Duration::from_millis(15)));
        assert_eq!(time("0.25 ms"), Ok(Duration::from_micros(250)));
        assert_eq!(share("0.5 %"), Ok(Share(5000)));
        assert_eq!(packets("8 packets"), Ok(8));
    }

    #[test]
    fn a_mistake_is_answered_with_what_would_be_right() {
        let told = |answer: Result<u64, String>| answer.unwrap_err();
        assert_eq!(
            told(rate("20 Mbits")),
            "\"Mbits\" is no unit of a rate; did you mean `Mbit/s`?"
        );
        assert_eq!(
            told(rate("20")),
            "\"20\" has no unit; did you mean \"20 Mbit/s\"?"
        );
        assert_eq!(
            told(rate("fast")),
            "\"fast\" is no rate; one is written as \"10 Mbit/s\""
        );
        assert_eq!(
            told(rate("40 Gbit/s")),
            "\"40 Gbit/s\": the nearest rate there can be is \"10 Gbit/s\""
        );
        assert!(time("-3 ms").unwrap_err().contains("\"0 ms\""));
        assert!(share("120 %").unwrap_err().contains("\"100 %\""));
        assert!(
            packets("0.3 packets")
                .unwrap_err()
                .contains("\"1 packets\"")
        );
    }
}
