//! Numbers as the reference reads them.

/// What scanf(3) leaves of a word in which it reads a number of that radix; nothing if it finds none.
pub(crate) fn rest_of_number(word: &str, radix: u32) -> Option<&str> {
    let is_digit = |c: char| c.is_digit(radix);
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let digits = match radix {
        16 => unsigned
            .strip_prefix("0x")
            .or_else(|| unsigned.strip_prefix("0X"))
            .filter(|digits| digits.starts_with(is_digit))
            .unwrap_or(unsigned),
        _ => unsigned,
    };
    let rest = digits.trim_start_matches(is_digit);
    (rest.len() < digits.len()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_ends_where_its_digits_do() {
        for (word, radix, rest) in [
            ("655", 10, Some("")),
            ("-3", 10, Some("")),
            ("+1x", 10, Some("x")),
            ("1-5", 10, Some("-5")),
            ("0x10", 10, Some("x10")),
            ("0x10", 16, Some("")),
            ("-0X1fg", 16, Some("g")),
            ("0x", 16, Some("x")),
            ("x", 16, None),
            ("-", 10, None),
            ("", 10, None),
        ] {
            assert_eq!(rest_of_number(word, radix), rest, "{word}");
        }
    }
}
