//! Lines that Gherkin takes for prose although they were meant to be played.

use cucumber::gherkin::Feature;
use strsim::osa_distance;

use super::suite::scenarios;

/// What has a name or a table behind it.
const HEADINGS: [&str; 5] = [
    "Background:",
    "Rule:",
    "Scenario:",
    "Scenario Outline:",
    "Examples:",
];

/// The first line of a description that may be meant to be played, and why it would not be. A feature or a rule may be
/// described, but not by what looks like a heading; a scenario may not, since what it would say is most often a step.
pub(super) fn unplayed_line(feature: &Feature) -> Option<(&str, String)> {
    let rules = &feature.rules;
    let backgrounds = rules.iter().filter_map(|rule| rule.background.as_ref());
    let backgrounds = backgrounds.chain(&feature.background);
    let mut among_steps = backgrounds
        .map(|background| &background.description)
        .chain(scenarios(feature).map(|scenario| &scenario.description))
        .flat_map(lines);
    let told = rules.iter().map(|rule| &rule.description);
    let mut told = told.chain([&feature.description]).flat_map(lines);
    let slip = told.find_map(|line| {
        let reason = format!(
            "it is taken for a description: did you mean `{}'?",
            heading(line)?
        );
        Some((line, reason))
    });
    slip.or_else(|| {
        let reason = "steps begin with Given, When, Then, And or But, and remarks with #";
        Some((among_steps.next()?, reason.to_owned()))
    })
}

fn lines(text: &Option<String>) -> impl Iterator<Item = &str> {
    let lines = text.as_deref().unwrap_or_default().lines();
    lines.map(str::trim).filter(|line| !line.is_empty())
}

/// The heading that a line is like.
fn heading(line: &str) -> Option<&'static str> {
    let (head, _) = line.split_once(':')?;
    let head = format!("{head}:").to_lowercase();
    let mut like = HEADINGS.into_iter();
    like.find(|heading| {
        // Of a short one, many words are two slips away: `Use:`, `True:`.
        let slips = if heading.len() > 5 { 2 } else { 1 };
        osa_distance(&head, &heading.to_lowercase()) <= slips
    })
}

#[cfg(test)]
mod tests {
    use cucumber::gherkin::GherkinEnv;

    use super::*;

    fn of(text: &str) -> Option<String> {
        let feature = Feature::parse(text, GherkinEnv::default()).unwrap();
        unplayed_line(&feature).map(|(line, _)| line.to_owned())
    }

    #[test]
    fn a_heading_or_a_step_with_a_slip_is_no_description() {
        for (text, line) in [
            (
                "Feature: A\n  Scenaro: One\n    Given a lamp\n  Scenario: Two\n    Given a lamp\n",
                "Scenaro: One",
            ),
            (
                "Feature: A\n  Scenario: One\n    when it is cut\n    Then it is dark\n",
                "when it is cut",
            ),
            (
                "Feature: A\n  Background:\n    Givn a lamp\n    And a cat\n  Scenario: One\n    Then it is dark\n",
                "Givn a lamp",
            ),
        ] {
            assert_eq!(of(text).as_deref(), Some(line), "{text}");
        }
    }

    #[test]
    fn what_a_feature_is_about_may_be_told() {
        let text = "Feature: A\n  When it is dark, lamps are lit: those of the house\n  and others.\n\n  Scenario: One\n    # Without oil.\n    Given a lamp\n";
        assert_eq!(of(text), None);
    }

    #[test]
    fn a_remark_with_a_short_word_before_a_colon_is_no_rule() {
        let told = |word: &str| {
            of(&format!(
                "Feature: A\n  {word} lamps.\n\n  Scenario: One\n    Given a lamp\n"
            ))
        };
        for word in ["Use:", "True:", "Roles:"] {
            assert_eq!(told(word), None, "{word}");
        }
        for slip in ["Ruel:", "Rul:", "rule:"] {
            assert!(told(slip).is_some(), "{slip}");
        }
    }
}
