//! A codec that takes only what it would write back.
//!
//! The types' own codec is lenient: it passes over unknown members, takes null for nothing and an empty list for none.
//! Under [`Strict`] it refuses all of that, so that what it read says everything that the document said. What an error
//! says does not matter: whoever meets one reads the document the long way.

use std::marker::PhantomData;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};

/// Wraps whatever a codec reads from: a deserializer, the members of an object, the items of a list, a seed.
pub(super) struct Strict<T>(pub(super) T);

/// Reads a type strictly.
pub(super) fn seed<T>() -> Strict<PhantomData<T>> {
    Strict(PhantomData)
}

/// What is given up.
pub(super) fn refused<E: Error>() -> E {
    E::custom("not in the form that is read straight")
}

macro_rules! passed_on {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method(visitor)
        })*
    };
}

macro_rules! refused {
    ($($method:ident($($argument:ident: $of:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $of,)* _: V) -> Result<V::Value, D::Error> {
            Err(refused())
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    passed_on! {
        deserialize_bool deserialize_i64 deserialize_u8 deserialize_u64
        deserialize_str deserialize_string deserialize_identifier
    }

    refused! {
        deserialize_any() deserialize_ignored_any() deserialize_i8() deserialize_i16() deserialize_i32()
        deserialize_u16() deserialize_u32() deserialize_f32() deserialize_f64() deserialize_char()
        deserialize_bytes() deserialize_byte_buf() deserialize_unit() deserialize_map()
        deserialize_unit_struct(_name: &'static str) deserialize_tuple(_len: usize)
        deserialize_tuple_struct(_name: &'static str, _len: usize)
    }

    /// What may be missing is there, and null is not it.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_some(self)
    }

    /// JSON that is taken as it stands; the types have no other of this kind.
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_seq(Listed(visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, Members(visitor))
    }

    /// A word.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_str(Word(visitor))
    }
}

/// What has members is an object: the codec would take a list of their values, too.
struct Members<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Members<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Strict(members))
    }
}

/// What has items is a list.
struct Listed<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Listed<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.expecting(f)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Items { items, some: false })
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Strict(seed))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(from))
    }
}

/// Items of a list that has some: none is written as no list.
struct Items<A> {
    items: A,
    some: bool,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let item = self.items.next_element_seed(Strict(seed))?;
        if item.is_none() && !self.some {
            return Err(refused());
        }
        self.some = true;
        Ok(item)
    }
}

/// One of a list of words, as text: JSON has another way to say it, which nobody writes back.
struct Word<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Word<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.expecting(f)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<V::Value, E> {
        let word: StrDeserializer<'_, E> = word.into_deserializer();
        self.0.visit_enum(word)
    }
}
