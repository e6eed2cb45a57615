//! PEM blocks in a file that holds other things too, with their line numbers (RFC 7468).

/// One block of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block<'t> {
    /// As in `-----BEGIN LABEL-----`.
    pub(super) label: &'t str,
    /// Line of the BEGIN, counted from 1.
    pub(super) line: usize,
    /// From BEGIN to END, lines included; to the end of the file if there is no END.
    pub(super) text: &'t str,
    /// Whether there is an END.
    pub(super) complete: bool,
}

/// All blocks of a text, in order.
pub(super) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    // Offsets below are ends of lines of `text`, so slicing at them is sound.
    let mut open: Option<(usize, usize, &str)> = None;
    let mut offset = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let end = offset + line.len();
        match open {
            None => {
                let label = line
                    .strip_prefix("-----BEGIN ")
                    .and_then(|rest| rest.trim_end().strip_suffix("-----"));
                if let Some(label) = label {
                    open = Some((index + 1, offset, label));
                }
            }
            Some((number, start, label)) if line.starts_with("-----END") => {
                found.push(Block {
                    label,
                    line: number,
                    text: &text[start..end],
                    complete: true,
                });
                open = None;
            }
            Some(_) => {}
        }
        offset = end;
    }
    if let Some((line, start, label)) = open {
        found.push(Block {
            label,
            line,
            text: &text[start..],
            complete: false,
        });
    }
    found
}

/// The text with every RSA block relabelled `OLD`, and whether there was one.
///
/// The key stays readable for whoever needs it once more, but is no key of ours any longer.
pub(super) fn retire(text: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::with_capacity(text.len());
    let mut any = false;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let retired = [&b"-----BEGIN "[..], b"-----END "]
            .into_iter()
            .find_map(|start| {
                let rest = line.strip_prefix(start)?.strip_prefix(b"RSA")?;
                Some([start, b"OLD", rest].concat())
            });
        any |= retired.is_some();
        out.extend_from_slice(retired.as_deref().unwrap_or(line));
    }
    (out, any)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "Port = 1\n\n-----BEGIN RSA PUBLIC KEY-----\nAA\n-----END RSA PUBLIC KEY-----\n\
                        -----BEGIN PUBLIC KEY-----\nBB\n";

    #[test]
    fn blocks_know_their_label_line_and_whether_they_end() {
        let found = blocks(FILE);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].label, found[0].line, found[0].complete),
            ("RSA PUBLIC KEY", 3, true)
        );
        assert_eq!(
            found[0].text,
            "-----BEGIN RSA PUBLIC KEY-----\nAA\n-----END RSA PUBLIC KEY-----\n"
        );
        assert_eq!(
            (found[1].label, found[1].line, found[1].complete),
            ("PUBLIC KEY", 6, false)
        );
    }

    #[test]
    fn retiring_changes_the_label_and_nothing_else() {
        let (text, any) = retire(FILE.as_bytes());
        assert!(any);
        let expected = FILE
            .replace("BEGIN RSA", "BEGIN OLD")
            .replace("END RSA", "END OLD");
        assert_eq!(text, expected.as_bytes());
        assert_eq!(retire(&text), (text.clone(), false));
    }
}
