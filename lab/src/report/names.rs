//! What features and scenarios are called in everything that is told of them.

use std::path::Path;

use cucumber::gherkin::{Feature, Scenario};

/// The name of a feature's file, without its extension.
pub(crate) fn stem(feature: &Feature) -> String {
    let stem = feature.path.as_deref().and_then(Path::file_stem);
    stem.unwrap_or_default().to_string_lossy().into_owned()
}

/// The identity of a scenario, `file_stem::scenario_name:line`.
pub(crate) fn id(stem: &str, scenario: &Scenario) -> String {
    format!("{stem}::{}:{}", scenario.name, scenario.position.line)
}

/// The name of the directory in which is kept what belongs to a scenario.
pub(crate) fn folder(stem: &str, scenario: &Scenario) -> String {
    format!("{stem}-{}", scenario.position.line)
}
