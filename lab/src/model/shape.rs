//! What a type can be read from, asked of the type itself: it is read again and again, each time a step further on one of
//! the ways through it, from something that has nothing to say but notes what it is asked for.
//!
//! So the schema of a format is always that of the program that reads it.

use std::fmt;

use serde::Deserialize;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Visitor};
use serde::de::{MapAccess, SeqAccess};
use serde_json::{Map, Value, json};

/// What `toml` calls a value of which it tells the place.
const SPANNED: &str = "$__serde_spanned_private_Spanned";

/// A key that nothing has.
const NO_KEY: &str = "?";

/// One step on a way through a type.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Into the field of that name.
    Field(&'static str),
    /// Into whatever there are several of, or need not be.
    Inner,
    /// Into one of what a value can be that says what it is.
    Choice(Choice),
}

#[derive(Debug, Clone, Copy)]
enum Choice {
    Text,
    Table,
    Number,
    Truth,
}

/// What is found at the end of a way.
#[derive(Debug, Clone)]
enum Found {
    Table(&'static [&'static str]),
    Optional,
    List,
    Keyed,
    Choices,
    One(&'static [&'static str]),
    Leaf(&'static str),
}

/// How a reading ends.
#[derive(Debug)]
enum End {
    /// At the end of the way.
    There(Found),
    /// Earlier, since a value was not of that kind.
    WrongKind,
    /// Earlier, for another reason.
    Otherwise,
}

/// The JSON Schema of what `T` is read from.
pub(super) fn schema<'de, T: Deserialize<'de>>() -> Value {
    describe::<T>(&mut Vec::new())
}

fn describe<'de, T: Deserialize<'de>>(way: &mut Vec<Step>) -> Value {
    match follow::<T>(way) {
        Some(Found::Table(fields)) => {
            let mut properties = Map::new();
            for field in fields {
                let described = further::<T>(way, Step::Field(field));
                properties.insert((*field).to_owned(), described);
            }
            json!({"type": "object", "properties": properties, "additionalProperties": false})
        }
        Some(Found::Optional) => further::<T>(way, Step::Inner),
        Some(Found::List) => json!({"type": "array", "items": further::<T>(way, Step::Inner)}),
        Some(Found::Keyed) => {
            json!({"type": "object", "additionalProperties": further::<T>(way, Step::Inner)})
        }
        Some(Found::One(names)) => json!({"enum": names}),
        Some(Found::Leaf(kind)) => json!({"type": kind}),
        Some(Found::Choices) => {
            let all = [Choice::Text, Choice::Table, Choice::Number, Choice::Truth];
            let possible = all.map(|choice| further::<T>(way, Step::Choice(choice)));
            let possible: Vec<_> = possible.into_iter().filter(|one| !one.is_null()).collect();
            json!({"anyOf": possible})
        }
        None => Value::Null,
    }
}

fn further<'de, T: Deserialize<'de>>(way: &mut Vec<Step>, step: Step) -> Value {
    way.push(step);
    let described = describe::<T>(way);
    way.pop();
    described
}

/// What is at the end of a way; nothing, if it does not go there.
fn follow<'de, T: Deserialize<'de>>(way: &[Step]) -> Option<Found> {
    match T::deserialize(Walker(way)) {
        Err(End::There(found)) => Some(found),
        Err(End::Otherwise | End::WrongKind) | Ok(_) => None,
    }
}

/// Reads along a way.
#[derive(Clone, Copy)]
struct Walker<'a>(&'a [Step]);

impl<'a> Walker<'a> {
    /// One step, or what is found here.
    fn step(self, here: Found) -> Result<(Step, Self), End> {
        match self.0.split_first() {
            Some((step, rest)) => Ok((*step, Walker(rest))),
            None => Err(End::There(here)),
        }
    }
}

macro_rules! leaves {
    ($($method:ident $kind:literal,)*) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, End> {
            Err(End::There(Found::Leaf($kind)))
        })*
    };
}

impl<'de> Deserializer<'de> for Walker<'_> {
    type Error = End;

    leaves! {
        deserialize_bool "boolean",
        deserialize_i8 "integer", deserialize_i16 "integer", deserialize_i32 "integer",
        deserialize_i64 "integer", deserialize_u8 "integer", deserialize_u16 "integer",
        deserialize_u32 "integer", deserialize_u64 "integer",
        deserialize_f32 "number", deserialize_f64 "number",
        deserialize_char "string", deserialize_str "string", deserialize_string "string",
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, End> {
        let (step, rest) = self.step(Found::Choices)?;
        let Step::Choice(choice) = step else {
            return Err(End::Otherwise);
        };
        let leaf = |read: Result<V::Value, End>, kind| match read {
            Err(End::WrongKind) => Err(End::WrongKind),
            // Whether this very value is one does not matter.
            _ => Err(End::There(Found::Leaf(kind))),
        };
        match choice {
            Choice::Text => leaf(visitor.visit_str(""), "string"),
            Choice::Number => leaf(visitor.visit_i64(0), "integer"),
            Choice::Truth => leaf(visitor.visit_bool(true), "boolean"),
            Choice::Table => visitor.visit_map(OneKey::unknown(rest.0)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, End> {
        let (_, rest) = self.step(Found::Optional)?;
        visitor.visit_some(rest)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, End> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, End> {
        let (_, rest) = self.step(Found::List)?;
        visitor.visit_seq(OneItem(Some(rest)))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, End> {
        let (_, rest) = self.step(Found::Keyed)?;
        visitor.visit_map(OneKey {
            key: Some(NO_KEY),
            value: rest,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, End> {
        if name == SPANNED {
            // The place before and after is no step: what matters is the value, the last of the three.
            return visitor.visit_map(OneKey {
                key: fields.last().copied(),
                value: self,
            });
        }
        let (step, rest) = self.step(Found::Table(fields))?;
        let Step::Field(field) = step else {
            return Err(End::Otherwise);
        };
        visitor.visit_map(OneKey {
            key: Some(field),
            value: rest,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, End> {
        Err(End::There(Found::One(variants)))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, End> {
        self.deserialize_str(visitor)
    }

    // What TOML does not have.
    serde::forward_to_deserialize_any! {
        i128 u128 bytes byte_buf unit unit_struct tuple tuple_struct ignored_any
    }
}

/// A table with one key.
struct OneKey<'a> {
    key: Option<&'static str>,
    value: Walker<'a>,
}

impl<'a> OneKey<'a> {
    /// Whose keys are asked for by one that is not among them, if the way does not say which to take.
    fn unknown(way: &'a [Step]) -> Self {
        match way.split_first() {
            Some((Step::Field(field), rest)) => Self {
                key: Some(field),
                value: Walker(rest),
            },
            _ => Self {
                key: Some(NO_KEY),
                value: Walker(way),
            },
        }
    }
}

impl<'de> MapAccess<'de> for OneKey<'_> {
    type Error = End;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, End> {
        // Some take no other.
        let key = self.key.take().map(BorrowedStrDeserializer::new);
        key.map(|key| seed.deserialize(key)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, End> {
        seed.deserialize(self.value)
    }
}

/// A list with one item.
struct OneItem<'a>(Option<Walker<'a>>);

impl<'de> SeqAccess<'de> for OneItem<'_> {
    type Error = End;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, End> {
        self.0.take().map(|item| seed.deserialize(item)).transpose()
    }
}

impl serde::de::Error for End {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Otherwise
    }

    fn invalid_type(_: serde::de::Unexpected<'_>, _: &dyn serde::de::Expected) -> Self {
        Self::WrongKind
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        if field == NO_KEY {
            return Self::There(Found::Table(expected));
        }
        Self::Otherwise
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is only to see what is asked for")
    }
}

impl std::error::Error for End {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use toml::Spanned;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only read")]
    struct Whole {
        how_many: Option<Spanned<u32>>,
        parts: Vec<Part>,
        colours: BTreeMap<String, Spanned<Colour>>,
        address: std::net::Ipv4Addr,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Part {
        good: bool,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Red,
        Blue,
    }

    #[test]
    fn a_type_tells_what_it_is_read_from() {
        let part = json!({"type": "object", "properties": {"good": {"type": "boolean"}},
            "additionalProperties": false});
        let colours = json!({"type": "object", "additionalProperties": {"enum": ["red", "blue"]}});
        let expected = json!({"type": "object", "additionalProperties": false, "properties": {
            "how-many": {"type": "integer"},
            "parts": {"type": "array", "items": part},
            "colours": colours,
            "address": {"type": "string"},
        }});
        assert_eq!(schema::<Whole>(), expected);
    }
}
