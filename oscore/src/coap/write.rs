//! Writes a message into a slice, checking order and space.

use super::message::PAYLOAD_MARKER;
use super::option::encode_uint;
use super::{BlockOption, Code, Error, Header, number};

/// Writes options and payload of a message: either of a whole one
/// ([`Writer::message`]), or of the inner part that OSCORE encrypts
/// ([`Writer::inner`]).
///
/// Options have to be written in ascending order, the payload last.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    used: usize,
    last: u16,
    payload: bool,
}

impl<'b> Writer<'b> {
    /// Starts a message with its header and token.
    ///
    /// # Errors
    /// A token above 8 bytes, or a buffer that is too short.
    pub fn message(buffer: &'b mut [u8], header: Header<'_>, code: Code) -> Result<Self, Error> {
        let token_length = u8::try_from(header.token.len())
            .ok()
            .filter(|n| *n <= 8)
            .ok_or(Error::TokenLength)?;
        let mut writer = Self::bare(buffer);
        writer.put(&[(1 << 6) | (header.kind.bits() << 4) | token_length, code.0])?;
        writer.put(&header.mid.to_be_bytes())?;
        writer.put(header.token)?;
        Ok(writer)
    }

    /// Starts an OSCORE plaintext with its code.
    ///
    /// # Errors
    /// [`Error::BufferFull`] for an empty buffer.
    pub fn inner(buffer: &'b mut [u8], code: Code) -> Result<Self, Error> {
        let mut writer = Self::bare(buffer);
        writer.put(&[code.0])?;
        Ok(writer)
    }

    fn bare(buffer: &'b mut [u8]) -> Self {
        Self {
            buffer,
            used: 0,
            last: 0,
            payload: false,
        }
    }

    /// Adds an option.
    ///
    /// # Errors
    /// When it is out of order, after the payload, or does not fit.
    pub fn option(&mut self, number: u16, value: &[u8]) -> Result<(), Error> {
        if self.payload {
            return Err(Error::AfterPayload);
        }
        let delta = number.checked_sub(self.last).ok_or(Error::OptionOrder)?;
        let length = u16::try_from(value.len()).map_err(|_| Error::BufferFull)?;
        let (delta_nibble, delta_bytes, delta_start) = extended(delta);
        let (length_nibble, length_bytes, length_start) = extended(length);
        let before = self.used;
        let done = self
            .put(&[(delta_nibble << 4) | length_nibble])
            .and_then(|()| self.put(delta_bytes.get(delta_start..).unwrap_or_default()))
            .and_then(|()| self.put(length_bytes.get(length_start..).unwrap_or_default()))
            .and_then(|()| self.put(value));
        match done {
            Ok(()) => self.last = number,
            // An option that did not fit leaves nothing behind.
            Err(_) => self.used = before,
        }
        done
    }

    /// Adds an unsigned integer option in its shortest form.
    ///
    /// # Errors
    /// As [`Writer::option`].
    pub fn uint(&mut self, number: u16, value: u32) -> Result<(), Error> {
        let (bytes, start) = encode_uint(value);
        self.option(number, bytes.get(start..).unwrap_or_default())
    }

    /// Adds a Block1 or Block2 option.
    ///
    /// # Errors
    /// As [`Writer::option`], and [`Error::BlockSize`].
    pub fn block(&mut self, number: u16, block: BlockOption) -> Result<(), Error> {
        self.uint(number, block.encode()?)
    }

    /// Adds one Uri-Path option for each segment of `path`, separated by `/`;
    /// a leading slash is allowed, empty segments are left out.
    ///
    /// # Errors
    /// As [`Writer::option`].
    pub fn uri_path(&mut self, path: &str) -> Result<(), Error> {
        for segment in path.split('/').filter(|s| !s.is_empty()) {
            self.option(number::URI_PATH, segment.as_bytes())?;
        }
        Ok(())
    }

    /// Adds the payload. An empty one adds nothing.
    ///
    /// # Errors
    /// When there already is one, or it does not fit.
    pub fn payload(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.payload_with(bytes.len(), |space| space.copy_from_slice(bytes))
    }

    /// Adds a payload of `length` bytes that `fill` writes in place.
    ///
    /// # Errors
    /// When there already is one, or it does not fit.
    pub fn payload_with(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<(), Error> {
        if self.payload {
            return Err(Error::AfterPayload);
        }
        if length == 0 {
            return Ok(());
        }
        let start = self.used.checked_add(1).ok_or(Error::BufferFull)?;
        let end = start.checked_add(length).ok_or(Error::BufferFull)?;
        let space = self.buffer.get_mut(start..end).ok_or(Error::BufferFull)?;
        fill(space);
        self.put(&[PAYLOAD_MARKER])?;
        self.used = end;
        self.payload = true;
        Ok(())
    }

    /// Adds bytes as they are, well-formed or not, and ends the message: for tests
    /// of whoever receives it (feature `raw`).
    ///
    /// # Errors
    /// As [`Writer::payload`].
    #[cfg(feature = "raw")]
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.payload {
            return Err(Error::AfterPayload);
        }
        self.put(bytes)?;
        self.payload = true;
        Ok(())
    }

    /// Length of what has been written.
    pub fn finish(self) -> usize {
        self.used
    }

    /// What has been written so far.
    pub fn as_bytes(&self) -> &[u8] {
        self.buffer.get(..self.used).unwrap_or_default()
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let end = self
            .used
            .checked_add(bytes.len())
            .ok_or(Error::BufferFull)?;
        self.buffer
            .get_mut(self.used..end)
            .ok_or(Error::BufferFull)?
            .copy_from_slice(bytes);
        self.used = end;
        Ok(())
    }
}

/// The 4-bit field for `value` and its extension `bytes[start..]`.
fn extended(value: u16) -> (u8, [u8; 2], usize) {
    match value {
        0..=12 => (value.to_be_bytes()[1], [0; 2], 2),
        13..=268 => (13, value.saturating_sub(13).to_be_bytes(), 1),
        269.. => (14, value.saturating_sub(269).to_be_bytes(), 0),
    }
}
