//! Tables of a configuration file.
//!
//! A derived `Deserialize` of a struct also reads a list, by position: `["client_secret", "client_id"]` would send the
//! secret under the id's name. Under `#[serde(flatten)]` it ignores unknown keys. Through [`Table`], a struct must be a
//! table without unknown keys, and an enum a word or a table of one key.

use std::{fmt, iter, marker::PhantomData};

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, EnumAccess, Error, IgnoredAny, IntoDeserializer, MapAccess, Unexpected,
        VariantAccess, Visitor,
        value::{MapDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};

/// A deserializer that does not accept a list as a table. An error shows `shape` as the expected form.
pub(crate) struct Table<D> {
    pub(crate) deserializer: D,
    pub(crate) shape: &'static str,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Table<D> {
    type Error = D::Error;

    /// A map, not a struct: a format must not accept a list for it, and must pass unknown keys too.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserializer.deserialize_map(Entries {
            visitor,
            shape: self.shape,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserializer.deserialize_any(Choice {
            visitor,
            shape: self.shape,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// Accepts a table only.
struct Entries<V> {
    visitor: V,
    shape: &'static str,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Entries<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shape)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(map)
    }

    /// The error does not quote the text: somebody may have written a secret in place of its location.
    fn visit_str<E: Error>(self, _: &str) -> Result<V::Value, E> {
        Err(E::invalid_type(Unexpected::Other("a string"), &self))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<V::Value, E> {
        Err(E::invalid_type(Unexpected::Other("a boolean"), &self))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<V::Value, E> {
        Err(E::invalid_type(Unexpected::Other("a number"), &self))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<V::Value, E> {
        Err(E::invalid_type(Unexpected::Other("a number"), &self))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<V::Value, E> {
        Err(E::invalid_type(Unexpected::Other("a number"), &self))
    }
}

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Entries<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

/// Accepts a word, or a table of one key.
struct Choice<V> {
    visitor: V,
    shape: &'static str,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Choice<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shape)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<V::Value, E> {
        let chosen: Result<_, E> = self.visitor.visit_enum(Word(word.into_deserializer()));
        chosen.map_err(|_| E::custom(format_args!("word not understood, expected {}", self.shape)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let shape = self.shape;
        self.visitor.visit_enum(Entry { map, shape })
    }
}

/// A word that names a variant. If the variant is a table, it has no keys.
struct Word<'a, E>(StrDeserializer<'a, E>);

impl<'de, E: Error> EnumAccess<'de> for Word<'_, E> {
    type Error = E;
    type Variant = NoKeys<E>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, NoKeys<E>), E> {
        Ok((seed.deserialize(self.0)?, NoKeys(PhantomData)))
    }
}

struct NoKeys<E>(PhantomData<E>);

impl<'de, E: Error> VariantAccess<'de> for NoKeys<E> {
    type Error = E;

    fn unit_variant(self) -> Result<(), E> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, _: S) -> Result<S::Value, E> {
        Err(E::custom("a word alone"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, E> {
        Err(E::custom("a word alone"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_map(MapDeserializer::<_, E>::new(iter::empty::<((), ())>()))
    }
}

/// The only entry of a table. Its key names a variant.
struct Entry<A> {
    map: A,
    shape: &'static str,
}

impl<A> Entry<A> {
    fn unexpected<E: Error>(&self) -> E {
        E::custom(format_args!("expected {}", self.shape))
    }
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Entry<A> {
    type Error = A::Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        mut self,
        seed: S,
    ) -> Result<(S::Value, Self), A::Error> {
        match self.map.next_key_seed(seed)? {
            Some(variant) => Ok((variant, self)),
            None => Err(self.unexpected()),
        }
    }
}

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Entry<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        Err(self.unexpected())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        mut self,
        seed: S,
    ) -> Result<S::Value, A::Error> {
        let value = self.map.next_value_seed(seed)?;
        match self.map.next_key::<IgnoredAny>()? {
            None => Ok(value),
            Some(_) => Err(self.unexpected()),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, A::Error> {
        Err(self.unexpected())
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let shape = self.shape;
        self.newtype_variant_seed(Entries { visitor, shape })
    }
}

/// Reads and writes a type as the fields of a private one say (`#[serde(remote = "…")]`), and reads it through
/// [`Table`]: serde's derive on the type itself would accept lists.
macro_rules! as_table {
    ($type:ty, $keys:ty, $shape:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                <$keys>::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let shape = $shape;
                <$keys>::deserialize($crate::table::Table {
                    deserializer,
                    shape,
                })
            }
        }
    };
}

pub(crate) use as_table;
