//! The settings that an artifact carries, without those that say nothing.
//!
//! Section `.wasmtime.engine` is (Wasmtime 48, `engine/serialization.rs`): a
//! version, that of Wasmtime with its length before it, and in postcard the
//! target, the settings of Cranelift, those of its backend, what Wasmtime
//! calls tunables, and the Wasm features.
//!
//! A loader compares version, target, tunables and features with its own.
//! Cranelift's settings, three quarters of a kilobyte of names, it has none
//! of: it looks at each that is there, whether it could live with it. What it
//! asks for are constants of Wasmtime's compiler, and of the backend width and
//! order of bytes, which the target says too. All others it does not care for.
//! So both lists become empty, as postcard writes it: a zero each.
//!
//! A device checks as much as before, but for a translator that changed one of
//! those constants. That one needs another engine profile, which is in the
//! manifest and in the seal.

use crate::error::{Error, Result};

/// A section, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Settings<'a> {
    /// Versions and target.
    start: &'a [u8],
    /// How many settings of Cranelift and its backend there are.
    flags: usize,
    /// Tunables and features.
    rest: &'a [u8],
}

/// The section without the settings of Cranelift.
///
/// # Errors
///
/// [`Error::SelfCheck`] where it is not such a section.
pub(crate) fn without(section: &[u8]) -> Result<Vec<u8>> {
    let Settings { start, rest, .. } = parse(section)?;
    Ok([start, &[0, 0], rest].concat())
}

/// Whether `after` is `before` without the settings of Cranelift.
pub(crate) fn only_flags_are_gone(before: &[u8], after: &[u8]) -> bool {
    let (Ok(before), Ok(after)) = (parse(before), parse(after)) else {
        return false;
    };
    after.flags == 0 && after.start == before.start && after.rest == before.rest
}

fn parse(section: &[u8]) -> Result<Settings<'_>> {
    read(section)
        .ok_or_else(|| Error::SelfCheck("the artifact has settings of an unknown form".into()))
}

fn read(section: &[u8]) -> Option<Settings<'_>> {
    let mut reader = Reader(section);
    let _version = reader.take(1)?;
    let len = *reader.take(1)?.first()?;
    let _wasmtime = reader.take(len.into())?;
    let _target = reader.bytes()?;
    let start = section
        .split_at_checked(section.len().checked_sub(reader.0.len())?)?
        .0;
    let mut flags = 0;
    for _list in 0..2 {
        for _setting in 0..reader.number()? {
            let _name = reader.bytes()?;
            // One of several words, a number in one byte, or a yes or no.
            match reader.number()? {
                0 => reader.bytes()?,
                1 | 2 => reader.take(1)?,
                _ => return None,
            };
            flags += 1;
        }
    }
    Some(Settings {
        start,
        flags,
        rest: reader.0,
    })
}

/// Reads postcard, as far as it is needed here.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Seven bits a byte, the lowest first; none here has more than fourteen.
    fn number(&mut self) -> Option<usize> {
        let low = *self.take(1)?.first()?;
        if low < 0x80 {
            return Some(low.into());
        }
        let high = *self.take(1)?.first()?;
        (high < 0x80).then(|| usize::from(low & 0x7f) | (usize::from(high) << 7))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?;
        self.take(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Wasmtime writes it, with fewer settings.
    fn section(shared: &[u8], isa: &[u8]) -> Vec<u8> {
        let start = b"\x00\x0248\x08pulley32";
        [start, shared, isa, b"tunables and features"].concat()
    }

    const SHARED: &[u8] = b"\x03\x01a\x00\x05speed\x01b\x01\x07\x01c\x02\x01";
    const ISA: &[u8] = b"\x01\x05width\x00\x0232";

    #[test]
    fn settings_of_every_kind_go_and_the_rest_stays() {
        let full = section(SHARED, ISA);
        let bare = section(&[0], &[0]);
        assert_eq!(parse(&full).expect("a section").flags, 4);
        assert_eq!(without(&full).expect("a section"), bare);
        assert_eq!(without(&bare).expect("a section"), bare);
        assert!(only_flags_are_gone(&full, &bare));
        assert!(!only_flags_are_gone(&full, &full));
        for place in 0..bare.len() {
            let mut other = bare.clone();
            other[place] ^= 1;
            assert!(!only_flags_are_gone(&full, &other), "{place}");
        }
    }

    #[test]
    fn what_is_cut_or_of_another_form_is_an_error() {
        let full = section(SHARED, ISA);
        let rest = b"tunables and features".len();
        for len in 0..full.len() - rest {
            assert!(without(&full[..len]).is_err(), "{len}");
        }
        assert!(without(&section(b"\x01\x01a\x03\x00", ISA)).is_err());
        assert!(without(&section(b"\xff\xff\x01", ISA)).is_err());
    }
}
