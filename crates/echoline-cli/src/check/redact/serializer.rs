//! Writes a report as a JSON value, with tokens in the place of what the report marks as naming a
//! host or a person.

use echoline_check::evidence::mark;
use serde::ser::{
    self, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};
use serde::{Serialize, Serializer};
use serde_json::{Error, Map, Value};

use super::Redactor;

/// What a text inside a mark is.
#[derive(Clone, Copy)]
enum Kind {
    /// Words of ours: they stay as they are.
    Own,
    Address,
    Host,
    Foreign,
}

/// Writes one value.
pub(super) struct Redacting<'a> {
    redactor: &'a mut Redactor,
    kind: Kind,
}

impl<'a> Redacting<'a> {
    pub(super) fn new(redactor: &'a mut Redactor) -> Self {
        Self { redactor, kind: Kind::Own }
    }

    /// For a value inside this one.
    fn inner(&mut self) -> Redacting<'_> {
        Redacting { redactor: self.redactor, kind: self.kind }
    }

    fn list(self, variant: Option<&'static str>) -> List<'a> {
        List { of: self, variant, items: Vec::new() }
    }

    fn fields(self, variant: Option<&'static str>) -> Fields<'a> {
        Fields { of: self, variant, key: String::new(), fields: Map::new() }
    }
}

/// A list under way; of a variant with a name, a field of that name.
pub(super) struct List<'a> {
    of: Redacting<'a>,
    variant: Option<&'static str>,
    items: Vec<Value>,
}

/// An object under way.
pub(super) struct Fields<'a> {
    of: Redacting<'a>,
    variant: Option<&'static str>,
    key: String,
    fields: Map<String, Value>,
}

fn named(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        None => value,
        Some(name) => Value::Object(Map::from_iter([(name.to_owned(), value)])),
    }
}

/// Numbers and the like name nobody.
macro_rules! as_they_are {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method(self, value: $type) -> Result<Value, Error> {
            serde_json::to_value(value)
        })*
    };
}

impl<'a> Serializer for Redacting<'a> {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Fields<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    as_they_are! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_char: char,
        serialize_bytes: &[u8],
    }

    fn serialize_str(self, text: &str) -> Result<Value, Error> {
        Ok(Value::String(match self.kind {
            Kind::Own => text.to_owned(),
            Kind::Address => self.redactor.without_addresses(text),
            Kind::Host => self.redactor.host(text),
            Kind::Foreign => self.redactor.foreign(text),
        }))
    }

    fn serialize_none(self) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Value, Error> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        let kind = match name {
            mark::ADDRESS => Kind::Address,
            mark::HOST => Kind::Host,
            mark::FOREIGN => Kind::Foreign,
            _ => self.kind,
        };
        value.serialize(Redacting { kind, ..self })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        Ok(named(Some(variant), value.serialize(self)?))
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<List<'a>, Error> {
        Ok(self.list(None))
    }

    fn serialize_tuple(self, _length: usize) -> Result<List<'a>, Error> {
        Ok(self.list(None))
    }

    fn serialize_tuple_struct(self, _name: &'static str, _length: usize) -> Result<List<'a>, Error> {
        Ok(self.list(None))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<List<'a>, Error> {
        Ok(self.list(Some(variant)))
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Fields<'a>, Error> {
        Ok(self.fields(None))
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Fields<'a>, Error> {
        Ok(self.fields(None))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Fields<'a>, Error> {
        Ok(self.fields(Some(variant)))
    }
}

impl List<'_> {
    fn add<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Error> {
        self.items.push(item.serialize(self.of.inner())?);
        Ok(())
    }

    fn whole(self) -> Value {
        named(self.variant, Value::Array(self.items))
    }
}

impl Fields<'_> {
    fn add<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Error> {
        self.fields.insert(key.to_owned(), value.serialize(self.of.inner())?);
        Ok(())
    }

    fn whole(self) -> Value {
        named(self.variant, Value::Object(self.fields))
    }
}

/// What the traits of serde call by several names.
macro_rules! items {
    ($($of:ident: $add:ident,)*) => {
        $(impl $of for List<'_> {
            type Ok = Value;
            type Error = Error;

            fn $add<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Error> {
                self.add(item)
            }

            fn end(self) -> Result<Value, Error> {
                Ok(self.whole())
            }
        })*
    };
}

items! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
}

macro_rules! structs {
    ($($of:ident,)*) => {
        $(impl $of for Fields<'_> {
            type Ok = Value;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.add(key, value)
            }

            fn end(self) -> Result<Value, Error> {
                Ok(self.whole())
            }
        })*
    };
}

structs! { SerializeStruct, SerializeStructVariant, }

impl SerializeMap for Fields<'_> {
    type Ok = Value;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        match serde_json::to_value(key)? {
            Value::String(key) => self.key = key,
            _ => return Err(ser::Error::custom("a key is a string")),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = std::mem::take(&mut self.key);
        self.add(&key, value)
    }

    fn end(self) -> Result<Value, Error> {
        Ok(self.whole())
    }
}
