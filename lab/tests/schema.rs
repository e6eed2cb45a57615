//! The schemas for editors say of the files in `scenarios/` what the program says.

use std::fs;
use std::path::{Path, PathBuf};

use boon::{Compiler, Schemas};
use serde_json::Value;
use v6lab::model::{scenario_schema, venue_schema};

/// What a schema says of a value.
struct Judge {
    schemas: Schemas,
    index: boon::SchemaIndex,
}

impl Judge {
    fn new(schema: Value) -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("schema.json", schema).unwrap();
        let index = compiler.compile("schema.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn objection(&self, value: &Value) -> Option<String> {
        let judged = self.schemas.validate(value, self.index);
        judged.err().map(|error| error.to_string())
    }
}

fn files(folder: &str) -> Vec<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scenarios")
        .join(folder);
    let all = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let toml = all.filter(|path| path.extension().is_some_and(|found| found == "toml"));
    toml.map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let value: toml::Table = toml::from_str(&text).unwrap();
        (path, serde_json::to_value(value).unwrap())
    })
    .collect()
}

#[test]
fn every_scenario_and_venue_is_as_its_schema_says() {
    for (folder, schema) in [("", scenario_schema()), ("venues", venue_schema())] {
        let judge = Judge::new(schema);
        let files = files(folder);
        assert!(!files.is_empty());
        for (path, value) in files {
            let objection = judge.objection(&value);
            assert_eq!(objection, None, "{}", path.display());
        }
    }
}

/// Every table of a value, as the way there.
fn tables(value: &Value, way: String, found: &mut Vec<String>) {
    match value {
        Value::Object(keys) => {
            found.push(way.clone());
            for (key, value) in keys {
                tables(value, format!("{way}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (n, value) in items.iter().enumerate() {
                tables(value, format!("{way}/{n}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn a_wrong_key_is_refused_in_every_table() {
    for (folder, schema) in [("", scenario_schema()), ("venues", venue_schema())] {
        let judge = Judge::new(schema);
        for (path, value) in files(folder) {
            let mut ways = Vec::new();
            tables(&value, String::new(), &mut ways);
            for way in ways {
                let mut wrong = value.clone();
                let table = wrong.pointer_mut(&way).and_then(Value::as_object_mut);
                table.unwrap().insert("no-such-key".to_owned(), 1.into());
                let objection = judge.objection(&wrong);
                assert!(objection.is_some(), "{}: {way}", path.display());
            }
        }
    }
}

#[test]
fn a_value_of_a_wrong_kind_is_refused() {
    let judge = Judge::new(venue_schema());
    for (text, good) in [
        ("nat = \"open\"\nudp-timeout = { replied = 30 }", true),
        ("nat = \"open\"\nudp-timeout = { replied = \"30\" }", false),
        ("nat = 1", false),
        ("[link]\nrate = \"20 Mbit/s\"", true),
        (
            "[link]\nrate = { down = \"20 Mbit/s\", up = \"5 Mbit/s\" }",
            true,
        ),
        ("[link]\nrate = 20", false),
        ("[link]\nrate = { sideways = \"20 Mbit/s\" }", false),
    ] {
        let value: toml::Table = toml::from_str(text).unwrap();
        let objection = judge.objection(&serde_json::to_value(value).unwrap());
        assert_eq!(objection.is_none(), good, "{text}: {objection:?}");
    }
}
