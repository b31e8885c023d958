//! A reader for deterministic CBOR and nothing else.
//!
//! minicbor accepts numbers that are longer than they need to be, and tells
//! nobody how long they were, so two byte strings could be read as the same
//! envelope. This reader has just the item types of the profile and refuses
//! every encoding that RFC 8949, section 4.2.1 does not allow.
//!
//! An item that is cut off is [`Error::Truncated`] only if more bytes could
//! still make it acceptable; that is what lets [`scan_head`](crate::scan_head)
//! refuse a hopeless prefix at once.

use crate::Error;

/// Major types (RFC 8949, section 3.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Major {
    Unsigned = 0,
    Negative = 1,
    Bytes = 2,
    Text = 3,
    Array = 4,
    Map = 5,
    #[cfg(feature = "encode")]
    Tag = 6,
}

/// `null`, as one byte.
pub(crate) const NULL: u8 = 0xf6;
/// `{}`, as one byte.
pub(crate) const EMPTY_MAP: u8 = 0xa0;

/// A position in a byte string. Reading moves it forward.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    input: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(input: &'a [u8]) -> Self {
        Self { input, position: 0 }
    }

    /// The number of bytes read.
    pub(crate) const fn position(&self) -> usize {
        self.position
    }

    fn rest(&self) -> &'a [u8] {
        self.input.get(self.position..).unwrap_or_default()
    }

    /// The next byte, without reading it.
    pub(crate) fn peek(&self) -> Result<u8, Error> {
        self.rest().first().copied().ok_or(Error::Truncated)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let taken = self.rest().get(..count).ok_or(Error::Truncated)?;
        self.position = self.position.saturating_add(count);
        Ok(taken)
    }

    /// What was read since `start`.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.input.get(start..self.position).unwrap_or_default()
    }

    /// All items are read: nothing may follow.
    pub(crate) fn finish(self) -> Result<(), Error> {
        if self.rest().is_empty() {
            Ok(())
        } else {
            Err(Error::TrailingBytes)
        }
    }

    /// Reads exactly these bytes, or `otherwise`.
    pub(crate) fn literal(&mut self, expected: &[u8], otherwise: Error) -> Result<(), Error> {
        if self
            .rest()
            .iter()
            .zip(expected)
            .any(|(found, expected)| found != expected)
        {
            return Err(otherwise);
        }
        self.take(expected.len()).map(|_| ())
    }

    /// Reads the head of an item of type `major` with an argument of at most
    /// `max`; `above` if it is larger.
    pub(crate) fn head(&mut self, major: Major, max: u64, above: Error) -> Result<u64, Error> {
        let first = self.peek()?;
        if first >> 5 != major as u8 {
            return Err(Error::UnexpectedType);
        }
        let (width, least) = match first & 0x1f {
            direct @ 0..=23 => {
                let value = u64::from(direct);
                if value > max {
                    return Err(above);
                }
                self.take(1)?;
                return Ok(value);
            }
            24 => (1, 24),
            25 => (2, 0x100),
            26 => (4, 0x1_0000),
            27 => (8, 0x1_0000_0000),
            31 => return Err(Error::Indefinite),
            _ => return Err(Error::Reserved),
        };
        // Bytes that are not there yet may be anything: the smallest and the
        // largest value that is still possible decide.
        let mut available = self.rest().iter().skip(1);
        let (mut smallest, mut largest, mut complete) = (0_u64, 0_u64, true);
        for _ in 0..width {
            let (low, high) = match available.next() {
                Some(byte) => (*byte, *byte),
                None => {
                    complete = false;
                    (0, 0xff)
                }
            };
            smallest = smallest << 8 | u64::from(low);
            largest = largest << 8 | u64::from(high);
        }
        if largest < least {
            return Err(Error::NonMinimal);
        }
        if smallest.max(least) > max {
            return Err(above);
        }
        if !complete {
            return Err(Error::Truncated);
        }
        self.take(width)?;
        self.take(1)?;
        Ok(smallest)
    }

    /// Reads an unsigned integer of at most `max`; `above` if it is larger.
    pub(crate) fn unsigned(&mut self, max: u64, above: Error) -> Result<u64, Error> {
        self.head(Major::Unsigned, max, above)
    }

    /// Reads an integer that fits 64 bits with a sign.
    pub(crate) fn integer(&mut self) -> Result<i64, Error> {
        const LARGEST: u64 = i64::MAX.unsigned_abs();
        let negative = self.peek()? >> 5 == Major::Negative as u8;
        let major = if negative {
            Major::Negative
        } else {
            Major::Unsigned
        };
        let value = self.head(major, LARGEST, Error::OutOfRange)?;
        let value = i64::try_from(value).map_err(|_| Error::OutOfRange)?;
        // Of a negative integer CBOR encodes -1 - n, which is n inverted.
        Ok(if negative { !value } else { value })
    }

    fn string(&mut self, major: Major, max: usize, above: Error) -> Result<&'a [u8], Error> {
        let length = self.head(major, max as u64, above)?;
        self.take(usize::try_from(length).map_err(|_| above)?)
    }

    /// Reads a byte string of at most `max` bytes; `above` if it is longer.
    pub(crate) fn bytes(&mut self, max: usize, above: Error) -> Result<&'a [u8], Error> {
        self.string(Major::Bytes, max, above)
    }

    /// Reads a byte string that ends at `end` or before; `beyond` if not.
    pub(crate) fn bytes_until(&mut self, end: usize, beyond: Error) -> Result<&'a [u8], Error> {
        let width = match self.peek()? & 0x1f {
            24 => 2,
            25 => 3,
            26 => 5,
            27 => 9,
            _ => 1,
        };
        let room = self
            .position
            .checked_add(width)
            .and_then(|start| end.checked_sub(start))
            .ok_or(beyond)?;
        self.bytes(room, beyond)
    }

    /// Reads a byte string of exactly `N` bytes; `otherwise` if it is not.
    pub(crate) fn array_of<const N: usize>(&mut self, otherwise: Error) -> Result<[u8; N], Error> {
        let bytes = self.bytes(N, otherwise)?;
        bytes.try_into().map_err(|_| otherwise)
    }

    /// Reads a byte string with CBOR in it, whatever its length.
    pub(crate) fn embedded(&mut self) -> Result<Reader<'a>, Error> {
        self.bytes(usize::MAX, Error::Truncated).map(Reader::new)
    }

    /// Reads a text string of at most `max` bytes; `above` if it is longer.
    pub(crate) fn text(&mut self, max: usize, above: Error) -> Result<&'a str, Error> {
        let bytes = self.string(Major::Text, max, above)?;
        core::str::from_utf8(bytes).map_err(|_| Error::Utf8)
    }

    /// Reads the head of an array of `length` elements.
    pub(crate) fn array(&mut self, length: u64) -> Result<(), Error> {
        if self.head(Major::Array, length, Error::ArrayLength)? == length {
            Ok(())
        } else {
            Err(Error::ArrayLength)
        }
    }

    /// Reads the head of a map.
    pub(crate) fn map(&mut self) -> Result<Keys, Error> {
        let remaining = self.head(Major::Map, u64::MAX, Error::OutOfRange)?;
        Ok(Keys {
            remaining,
            last: None,
        })
    }
}

/// The keys of a map whose values are read in between.
pub(crate) struct Keys {
    remaining: u64,
    last: Option<u64>,
}

impl Keys {
    fn next(&mut self, reader: &mut Reader<'_>) -> Result<u64, Error> {
        self.remaining = self.remaining.checked_sub(1).ok_or(Error::MissingKey)?;
        let key = reader.unsigned(u64::MAX, Error::UnknownKey)?;
        if self.last.is_some_and(|last| key <= last) {
            return Err(Error::KeyOrder);
        }
        self.last = Some(key);
        Ok(key)
    }

    /// Reads the next key, which has to be this one.
    pub(crate) fn required(&mut self, reader: &mut Reader<'_>, key: u64) -> Result<(), Error> {
        let found = self.next(reader)?;
        if found == key {
            Ok(())
        } else if found > key {
            Err(Error::MissingKey)
        } else {
            Err(Error::UnknownKey)
        }
    }

    /// Reads the next key if it is this one.
    pub(crate) fn optional(&mut self, reader: &mut Reader<'_>, key: u64) -> Result<bool, Error> {
        if self.remaining == 0 || reader.peek()? >> 5 != Major::Unsigned as u8 {
            return Ok(false);
        }
        let mut ahead = reader.clone();
        if ahead.unsigned(u64::MAX, Error::UnknownKey)? != key {
            return Ok(false);
        }
        self.next(reader).map(|_| true)
    }

    /// Counts an entry whose key is not an integer, which the caller reads.
    /// Returns whether there is one.
    #[cfg(feature = "encode")]
    pub(crate) fn other(&mut self) -> bool {
        let left = self.remaining.checked_sub(1);
        self.remaining = left.unwrap_or(0);
        left.is_some()
    }

    /// All known keys are read: there may be no other.
    pub(crate) fn end(mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if self.remaining == 0 {
            return Ok(());
        }
        self.next(reader)?;
        Err(Error::UnknownKey)
    }
}
