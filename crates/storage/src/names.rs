//! File names: all of them come from our counters, none from a caller.

use std::fmt;

pub(crate) const FORMAT: &str = "FORMAT";
pub(crate) const LOCK: &str = "LOCK";

/// Counters stay below, so that adding to one never overflows. A name or manifest beyond is not one that we wrote.
pub(crate) const NUMBER_MAX: u64 = 1 << 62;

/// Numbers of the log and of its frames stay below, and those of files in any store that was ever written: one that is read
/// can always be counted on from, without asking again.
pub(crate) const LOG_NUMBER_MAX: u64 = NUMBER_MAX / 2;

/// A name of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Format,
    Lock,
    /// By number, ten decimal digits.
    Manifest(u64),
    /// By file id, sixteen hexadecimal digits.
    Segment(u64),
    /// The log, by generation, ten decimal digits.
    Log(u64),
    /// A segment in the making.
    TmpSegment(u64),
    /// A log in the making.
    TmpLog(u64),
    /// A manifest, or the FORMAT file as number 0, in the making.
    TmpManifest(u64),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Format => f.write_str(FORMAT),
            Name::Lock => f.write_str(LOCK),
            Name::Manifest(number) => write!(f, "MANIFEST-{number:010}"),
            Name::Segment(id) => write!(f, "seg-{id:016x}.seg"),
            Name::Log(generation) => write!(f, "wal-{generation:010}.log"),
            Name::TmpLog(generation) => write!(f, "tmp-wal-{generation:010}"),
            Name::TmpSegment(id) => write!(f, "tmp-seg-{id:016x}"),
            Name::TmpManifest(number) => write!(f, "tmp-manifest-{number:010}"),
        }
    }
}

impl Name {
    /// `None` for a name that is not exactly one of ours.
    pub(crate) fn parse(name: &str) -> Option<Name> {
        let hex = |s: &str| u64::from_str_radix(s, 16).ok();
        let parsed = if name == FORMAT {
            Name::Format
        } else if name == LOCK {
            Name::Lock
        } else if let Some(number) = name.strip_prefix("MANIFEST-") {
            Name::Manifest(number.parse().ok()?)
        } else if let Some(number) = name.strip_prefix("tmp-manifest-") {
            Name::TmpManifest(number.parse().ok()?)
        } else if let Some(id) = name.strip_prefix("tmp-seg-") {
            Name::TmpSegment(hex(id)?)
        } else if let Some(generation) = name.strip_prefix("tmp-wal-") {
            Name::TmpLog(generation.parse().ok()?)
        } else if let Some(rest) = name.strip_prefix("wal-") {
            Name::Log(rest.strip_suffix(".log")?.parse().ok()?)
        } else {
            Name::Segment(hex(name.strip_prefix("seg-")?.strip_suffix(".seg")?)?)
        };
        let number = match parsed {
            Name::Format | Name::Lock => 0,
            Name::Manifest(number) | Name::TmpManifest(number) => number,
            Name::Log(generation) | Name::TmpLog(generation) => generation,
            Name::Segment(id) | Name::TmpSegment(id) => id,
        };
        // Parsing forgives signs, case and missing zeros; the comparison does not.
        (number < NUMBER_MAX && parsed.to_string() == name).then_some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exactly_ours() {
        for name in [
            Name::Format,
            Name::Lock,
            Name::Manifest(42),
            Name::Segment(NUMBER_MAX - 1),
            Name::Log(7),
            Name::TmpSegment(1),
            Name::TmpLog(8),
            Name::TmpManifest(0),
        ] {
            assert_eq!(Name::parse(&name.to_string()), Some(name));
        }
        for foreign in [
            "",
            "MANIFEST-42",
            "MANIFEST-+000000042",
            "seg-A3.seg",
            "seg-ffffffffffffffff.seg",
            "seg-00000000000000A3.seg",
            "tmp-x",
            "wal-1.log",
            "wal-0000000001",
            "FORMAT~",
        ] {
            assert_eq!(Name::parse(foreign), None, "{foreign}");
        }
    }
}
