//! JSON Schemas of the files people write, for editors: made from the types the files are read into.

use serde_json::Value;

use super::kind::VenueFile;
use super::{Scenario, shape};

/// The dialect that editors know best.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Of a scenario.
#[must_use]
pub fn scenario_schema() -> Value {
    titled("A scenario of v6lab", shape::schema::<Scenario>())
}

/// Of a venue.
#[must_use]
pub fn venue_schema() -> Value {
    titled("A venue of v6lab", shape::schema::<VenueFile>())
}

fn titled(title: &str, mut schema: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".to_owned(), DIALECT.into());
        object.insert("title".to_owned(), title.into());
    }
    schema
}
