//! Marks what could name a host or a person, for a rendering that hides it.
//!
//! A marked field is a newtype struct of that name to its serializer. JSON shows nothing of it.

use serde::{Serialize, Serializer};

/// An IP address, or several; with a port or without.
pub const ADDRESS: &str = "address";
/// A host as it was written: a name or an address.
pub const HOST: &str = "host";
/// Words of somebody else, which can contain names and addresses.
pub const FOREIGN: &str = "foreign";

pub(crate) fn address<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(ADDRESS, value)
}

pub(crate) fn host<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(HOST, value)
}

pub(crate) fn foreign<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(FOREIGN, value)
}
