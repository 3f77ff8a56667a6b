//! Marks what could name a host or a person, for a rendering that hides it.
//!
//! A marked field is a newtype struct of that name to its serializer. JSON shows nothing of it.

use serde::{Serialize, Serializer};

/// An IP address, or several; with a port or without.
pub(in crate::check) const ADDRESS: &str = "address";
/// A host as it was written: a name or an address.
pub(in crate::check) const HOST: &str = "host";
/// Words of somebody else, which can contain names and addresses.
pub(in crate::check) const FOREIGN: &str = "foreign";

pub(in crate::check) fn address<T: Serialize, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(ADDRESS, value)
}

pub(in crate::check) fn host<T: Serialize, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(HOST, value)
}

pub(in crate::check) fn foreign<T: Serialize, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(FOREIGN, value)
}
