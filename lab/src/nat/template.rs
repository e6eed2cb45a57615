//! From a template to a ruleset that `nft` understands.

use std::net::Ipv4Addr;

use crate::net::Net;
use crate::plan::Ruleset;

/// Where a router stands: what the words of a template mean there.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// Name of the outer interface, `$wan`.
    pub wan: &'a str,
    /// Name of the inner interface, `$lan`.
    pub lan: &'a str,
    /// The outer addresses: the first is `$public`, all are `$pool`.
    pub outside: &'a [Ipv4Addr],
    /// The inner network, `$inside`.
    pub inside: Option<Net>,
    /// How long a UDP mapping lives, in seconds: `$mapping_timeout`.
    pub mapping_timeout: u32,
}

/// How many ports `$scattered_ports` has, how far they are apart, and the first: the dynamic ports of RFC 6335.
const SCATTERED: (u16, u16, u16) = (4096, 4, 49_152);

/// The same of `$consecutive_ports`.
const CONSECUTIVE: (u16, u16, u16) = (256, 1, 50_000);

/// The ruleset of a router of this kind that stands there.
///
/// What nft takes as the value of a variable is defined; maps and timeouts, which it does not, are written out.
#[must_use]
pub fn ruleset(kind: &str, template: &str, sides: &Sides<'_>) -> Ruleset {
    let Sides { wan, lan, .. } = sides;
    let mut text = format!("define wan = \"{wan}\"\ndefine lan = \"{lan}\"\n");
    if let Some(public) = sides.outside.first() {
        text.push_str(&format!("define public = {public}\n"));
    }
    if let Some(inside) = sides.inside {
        text.push_str(&format!("define inside = {}\n", inside.network()));
    }
    let pool = map(sides.outside.iter());
    let timeout = format!("{}s", sides.mapping_timeout);
    let body = template
        .replace("$pool", &pool)
        .replace("$mapping_timeout", &timeout)
        .replace("$scattered_ports", &ports(SCATTERED))
        .replace("$consecutive_ports", &ports(CONSECUTIVE));
    Ruleset {
        kind: kind.to_owned(),
        text: text + &body,
    }
}

fn ports((count, step, first): (u16, u16, u16)) -> String {
    map((0..count).map(|n| first + n * step))
}

/// An anonymous map from 0, 1, 2 and so on. (What `numgen` and `jhash` give cannot be a port itself: nft 1.0.6 has its
/// bytes in the wrong order.)
fn map(values: impl Iterator<Item = impl ToString>) -> String {
    let pairs: Vec<String> = (0..)
        .zip(values)
        .map(|(n, value): (u32, _)| format!("{n} : {}", value.to_string()))
        .collect();
    format!("{{ {} }}", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDES: Sides<'_> = Sides {
        wan: "wan0",
        lan: "lan0",
        outside: &[
            Ipv4Addr::new(203, 0, 113, 50),
            Ipv4Addr::new(203, 0, 113, 51),
        ],
        inside: None,
        mapping_timeout: 30,
    };

    #[test]
    fn words_get_their_meaning() {
        let text = ruleset("x", "timeout $mapping_timeout to $public in $pool", &SIDES).text;
        assert!(text.contains("define public = 203.0.113.50\n"), "{text}");
        assert!(
            text.ends_with("timeout 30s to $public in { 0 : 203.0.113.50, 1 : 203.0.113.51 }"),
            "{text}"
        );
    }

    #[test]
    fn scattered_ports_are_the_dynamic_ones() {
        let text = ruleset("x", "$scattered_ports", &SIDES).text;
        assert!(text.contains("{ 0 : 49152, 1 : 49156, "), "{text}");
        assert!(text.ends_with(", 4095 : 65532 }"), "{text}");
    }
}
