//! Writes CBOR items in their shortest encoding.

use alloc::vec::Vec;

use crate::cbor::{Major, NULL};

/// CBOR under construction.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    /// Writes the head of an item: type and argument.
    pub(crate) fn head(&mut self, major: Major, argument: u64) {
        let major = (major as u8) << 5;
        let bytes = argument.to_be_bytes();
        let (info, skip) = match argument {
            0..24 => {
                let [.., last] = bytes;
                self.0.push(major | last);
                return;
            }
            24..0x100 => (24, 7),
            0x100..0x1_0000 => (25, 6),
            0x1_0000..0x1_0000_0000 => (26, 4),
            _ => (27, 0),
        };
        self.0.push(major | info);
        self.0.extend(bytes.into_iter().skip(skip));
    }

    pub(crate) fn unsigned(&mut self, value: u64) {
        self.head(Major::Unsigned, value);
    }

    pub(crate) fn integer(&mut self, value: i64) {
        if value < 0 {
            // CBOR encodes -1 - n, which is n inverted.
            self.head(Major::Negative, (!value).unsigned_abs());
        } else {
            self.unsigned(value.unsigned_abs());
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.head(Major::Bytes, bytes.len() as u64);
        self.raw(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.head(Major::Text, text.len() as u64);
        self.raw(text.as_bytes());
    }

    pub(crate) fn null(&mut self) {
        self.0.push(NULL);
    }

    /// Writes what is encoded already.
    pub(crate) fn raw(&mut self, encoded: &[u8]) {
        self.0.extend_from_slice(encoded);
    }
}
