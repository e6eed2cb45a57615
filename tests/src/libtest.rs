//! libtest's command line, for a test program that has its own harness.
//!
//! Cargo hands the same arguments to every test program, and cargo-nextest asks each for a list and then for one test
//! at a time. So whatever libtest takes is taken here.

/// What is asked of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To run tests.
    Run,
    /// To name them.
    List,
}

/// Which tests are meant, and what is to be done with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is to be done.
    pub asked: Asked,
    /// How many at a time, if somebody cares.
    pub jobs: Option<usize>,
    filters: Vec<String>,
    skipped: Vec<String>,
    exact: bool,
    ignored_only: bool,
}

/// Options without a meaning here that stand alone.
const HARMLESS: [&str; 12] = [
    "--nocapture",
    "--no-capture",
    "--show-output",
    "--quiet",
    "-q",
    "--test",
    "--bench",
    "--include-ignored",
    "--force-run-in-process",
    "--exclude-should-panic",
    "--report-time",
    "--ensure-time",
];

/// Options without a meaning here that are followed by a value, or have it behind a `=`.
const HARMLESS_WITH_VALUE: [&str; 7] = [
    "--format",
    "--color",
    "--logfile",
    "-Z",
    "--shuffle-seed",
    "--test-threads",
    "--output-format",
];

impl Choice {
    /// Reads a command line without the program's name.
    ///
    /// # Errors
    /// An option that libtest does not have either.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut choice = Self {
            asked: Asked::Run,
            jobs: None,
            filters: Vec::new(),
            skipped: Vec::new(),
            exact: false,
            ignored_only: false,
        };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let (name, attached) = match arg.split_once('=') {
                Some((name, value)) if arg.starts_with('-') => (name, Some(value.to_owned())),
                _ => (arg.as_str(), None),
            };
            let mut value = || {
                attached
                    .clone()
                    .or_else(|| args.next())
                    .ok_or_else(|| format!("{name} lacks its value"))
            };
            match name {
                "--list" => choice.asked = Asked::List,
                "--exact" => choice.exact = true,
                "--ignored" => choice.ignored_only = true,
                "--skip" => choice.skipped.push(value()?),
                "--jobs" => {
                    let number = value()?;
                    let jobs = number.parse().ok().filter(|jobs| *jobs > 0);
                    choice.jobs =
                        Some(jobs.ok_or_else(|| format!("--jobs {number}: not a number above 0"))?);
                }
                _ if HARMLESS.contains(&name) => {}
                _ if HARMLESS_WITH_VALUE.contains(&name) => drop(value()?),
                _ if name.starts_with('-') => return Err(format!("unknown option {arg}")),
                _ => choice.filters.push(arg),
            }
        }
        Ok(choice)
    }

    /// Whether a test of that name is meant. None is ever ignored.
    #[must_use]
    pub fn takes(&self, test: &str) -> bool {
        let matches = |filter: &String| {
            if self.exact {
                test == filter
            } else {
                test.contains(filter.as_str())
            }
        };
        let wanted = self.filters.is_empty() || self.filters.iter().any(matches);
        wanted && !self.ignored_only && !self.skipped.iter().any(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(line: &str) -> Choice {
        Choice::parse(line.split_whitespace().map(str::to_owned)).unwrap()
    }

    #[test]
    fn a_bare_word_is_part_of_a_name_and_a_whole_one_if_exact() {
        assert!(choice("pings").takes("works::pings_www:3"));
        assert!(!choice("--exact pings").takes("works::pings_www:3"));
        assert!(choice("works::pings_www:3 --exact").takes("works::pings_www:3"));
        assert!(!choice("--skip pings").takes("works::pings_www:3"));
        assert!(choice("").takes("anything"));
    }

    #[test]
    fn what_nextest_asks_is_understood() {
        assert_eq!(choice("--list --format terse").asked, Asked::List);
        assert!(!choice("--list --format terse --ignored").takes("anything"));
        assert!(choice("--exact x --nocapture").takes("x"));
    }

    #[test]
    fn options_of_libtest_do_no_harm() {
        let busy = choice("--nocapture --test-threads=1 --color always -Z unstable-options -q");
        assert!(busy.takes("anything"));
    }

    #[test]
    fn an_option_libtest_does_not_have_is_refused() {
        let error = Choice::parse(["--nonsense".to_owned()]).unwrap_err();
        assert!(error.contains("--nonsense"), "{error}");
        assert!(Choice::parse(["--jobs".to_owned(), "0".to_owned()]).is_err());
    }
}
