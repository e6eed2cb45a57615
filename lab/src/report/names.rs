//! What features and scenarios are called in everything that is told of them.

use std::path::Path;

use cucumber::gherkin::{Feature, Scenario};

/// The name of a feature's file without its extension, after that of the directory it is in: others may have files of
/// the same name.
pub(crate) fn stem(feature: &Feature) -> String {
    let path = feature.path.as_deref();
    let directory = path.and_then(Path::parent).and_then(Path::file_name);
    let parts = directory.into_iter().chain(path.and_then(Path::file_stem));
    let parts: Vec<_> = parts.map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// The identity of a scenario, `directory/file_stem::scenario_name:line`.
pub(crate) fn id(stem: &str, scenario: &Scenario) -> String {
    format!("{stem}::{}:{}", scenario.name, scenario.position.line)
}

/// The name of the directory in which is kept what belongs to a scenario. A page links to it, so nothing is in it that
/// means something else there.
pub(crate) fn folder(stem: &str, scenario: &Scenario) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let stem = stem.replace(|c| !plain(c), "-");
    format!("{stem}-{}", scenario.position.line)
}

#[cfg(test)]
mod tests {
    use cucumber::gherkin::GherkinEnv;

    use super::*;

    #[test]
    fn files_of_one_name_in_different_directories_are_told_apart() {
        let text = "Feature: Visits\n\n  Scenario: By day\n    Given the sun\n";
        let named = |path: &str| {
            let mut feature = Feature::parse(text, GherkinEnv::default()).unwrap();
            feature.path = Some(path.into());
            let stem = stem(&feature);
            let scenario = &feature.scenarios[0];
            (id(&stem, scenario), folder(&stem, scenario))
        };
        assert_eq!(
            named("/all/router/visits.feature"),
            ("router/visits::By day:3".into(), "router-visits-3".into())
        );
        assert_eq!(named("/all/50%/#1?.feature").1, "50---1--3");
        assert_eq!(
            named("visits.feature"),
            ("visits::By day:3".into(), "visits-3".into())
        );
    }
}
