//! From text to a [`Subnet`].

use std::net::Ipv4Addr;
use std::num::IntErrorKind;
use std::str::FromStr;

use super::{Mac, Subnet, SubnetAddr, SubnetError};
use crate::constants::DEFAULT_SUBNET_WEIGHT;
use crate::scanf::rest_of_number;

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let (rest, weight) = match text.split_once('#') {
            Some((rest, weight)) => (rest, parse_weight(weight)?),
            None => (text, DEFAULT_SUBNET_WEIGHT),
        };
        let (address, prefix) = match rest.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (rest, None),
        };
        // Six groups are a MAC before they could be anything else: the reference tries the
        // forms in this order.
        let addr = if let Some(mac) = parse_mac(address) {
            if prefix.is_some() {
                return Err(SubnetError::Prefix { max: 0 });
            }
            SubnetAddr::Mac(mac?)
        } else if let Some(addr) = parse_v4(address) {
            let len = parse_prefix(prefix, 32)?;
            SubnetAddr::V4 { addr: addr?, len }
        } else if address.contains(':') {
            let addr = address.parse().map_err(|_| v6_error(address))?;
            let len = parse_prefix(prefix, 128)?;
            SubnetAddr::V6 { addr, len }
        } else {
            return Err(SubnetError::Address);
        };
        Ok(Self { addr, weight })
    }
}

/// Six groups of one to four hex digits; `None` if the text has another shape.
fn parse_mac(text: &str) -> Option<Result<Mac, SubnetError>> {
    let groups = groups::<6>(text, ':', 16, 4)?;
    Some(narrow(groups).map(Mac).ok_or(SubnetError::NumberTooLarge))
}

/// Four decimal numbers; leading zeros, a plus sign and `-0` pass. `None` if the text has another shape.
fn parse_v4(text: &str) -> Option<Result<Ipv4Addr, SubnetError>> {
    let groups = groups::<4>(text, '.', 10, usize::MAX)?;
    Some(match narrow(groups) {
        Some(bytes) => Ok(Ipv4Addr::from(bytes)),
        // The reference keeps 16 bits of each.
        None if groups.iter().all(|group| group & 0xffff <= 0xff) => {
            Err(SubnetError::NumberTooLarge)
        }
        None => Err(SubnetError::Address),
    })
}

fn groups<const N: usize>(
    text: &str,
    separator: char,
    radix: u32,
    digits: usize,
) -> Option<[u64; N]> {
    let mut values = [0; N];
    let mut groups = text.split(separator);
    for value in &mut values {
        let group = groups.next()?;
        if group.len() > digits {
            return None;
        }
        // The reference takes signs, and what is negative wraps around; what has no room is the largest there is.
        let read = |digits| match u64::from_str_radix(digits, radix) {
            Err(error) if *error.kind() == IntErrorKind::PosOverflow => Some(u64::MAX),
            other => other.ok(),
        };
        *value = match group.strip_prefix('-') {
            Some(digits) => read(digits)?.wrapping_neg(),
            None => read(group)?,
        };
    }
    groups.next().is_none().then_some(values)
}

fn narrow<const N: usize>(groups: [u64; N]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, group) in bytes.iter_mut().zip(groups) {
        *byte = u8::try_from(group).ok()?;
    }
    Some(bytes)
}

fn parse_prefix(text: Option<&str>, max: u8) -> Result<u8, SubnetError> {
    let Some(text) = text else { return Ok(max) };
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(SubnetError::Prefix { max });
    }
    let length = |number: i32| u8::try_from(number).ok().filter(|len| *len <= max);
    if let Ok(number) = text.parse() {
        return length(number).ok_or(SubnetError::Prefix { max });
    }
    // The reference reads 64 bits and keeps 32 of them (atoi(3)).
    let beyond = if text.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "which is what is asked here"
    )]
    let kept = text.parse().unwrap_or(beyond) as i32;
    Err(match length(kept) {
        Some(_) => SubnetError::NumberTooLarge,
        None => SubnetError::Prefix { max },
    })
}

fn parse_weight(text: &str) -> Result<i32, SubnetError> {
    text.parse().map_err(|_| {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            SubnetError::NumberTooLarge
        } else {
            SubnetError::Weight
        }
    })
}

/// Tells a group that tincd reads and we refuse, because it has a sign, `0x` or more than four digits, from a text that
/// is no address at all.
fn v6_error(text: &str) -> SubnetError {
    let plain = |group: &str| group.len() <= 4 && group.bytes().all(|b| b.is_ascii_hexdigit());
    let read = |group: &str| group.is_empty() || rest_of_number(group, 16) == Some("");
    if text.split(':').all(read) && !text.split(':').all(plain) {
        SubnetError::NumberTooLarge
    } else {
        SubnetError::Address
    }
}
