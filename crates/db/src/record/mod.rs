//! A record's parts as bytes: ids with their lookup table, metadata, versions. (Vectors need no form of their own.)

pub(crate) mod ids;
pub(crate) mod payload;
pub(crate) mod versions;
