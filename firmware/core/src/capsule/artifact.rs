//! The bytes of an artifact, where Wasmtime can use them in place.

use alloc::vec::Vec;
use core::fmt;

/// Wasmtime reads tables of an artifact in place; they are aligned relative to
/// its start.
const ALIGN: usize = 16;

/// How much is asked for at a time.
const PIECE: usize = 4096;

/// The bytes of an artifact: at one address, aligned, and unchanged as long as
/// they live.
pub struct ArtifactBytes(Place);

enum Place {
    /// On the heap, `start` bytes into an allocation that is never touched
    /// again. A `Vec`, because moving one does not touch what it owns.
    Heap {
        buffer: Vec<u8>,
        start: usize,
        len: usize,
    },
    /// In memory-mapped flash, or in a test.
    Static(&'static [u8]),
}

/// Why the bytes could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError<E> {
    /// The heap has no such room.
    NoMemory,
    /// The source failed.
    Source(E),
}

impl ArtifactBytes {
    /// Reads `len` bytes: `read` fills each piece from its offset.
    ///
    /// # Errors
    ///
    /// The first error of `read`, or that the heap has no such room.
    pub fn read<E>(
        len: u32,
        mut read: impl FnMut(u32, &mut [u8]) -> Result<(), E>,
    ) -> Result<Self, ReadError<E>> {
        let (mut buffer, start, len) = room(len).ok_or(ReadError::NoMemory)?;
        // Within the capacity, so the address stays.
        buffer.resize(start.saturating_add(len), 0);
        let mut offset = 0_u32;
        for piece in buffer
            .get_mut(start..)
            .unwrap_or_default()
            .chunks_mut(PIECE)
        {
            read(offset, piece).map_err(ReadError::Source)?;
            offset = u32::try_from(piece.len()).map_or(offset, |len| offset.saturating_add(len));
        }
        Ok(Self(Place::Heap { buffer, start, len }))
    }

    /// A copy of `bytes`; `None` where the heap has no such room.
    #[must_use]
    pub fn copy(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let len = u32::try_from(bytes.len()).ok()?;
        Self::read(len, |_, piece| {
            let (head, tail) = rest.split_at_checked(piece.len()).ok_or(())?;
            piece.copy_from_slice(head);
            rest = tail;
            Ok::<(), ()>(())
        })
        .ok()
    }

    /// Bytes that are always there, used in place; `None` where they are not
    /// aligned to 16 bytes.
    #[must_use]
    pub fn in_place(bytes: &'static [u8]) -> Option<Self> {
        let aligned = bytes.as_ptr().addr().is_multiple_of(ALIGN);
        aligned.then_some(Self(Place::Static(bytes)))
    }
}

/// An empty buffer for `len` bytes, how far into it they start, and `len`.
fn room(len: u32) -> Option<(Vec<u8>, usize, usize)> {
    let len = usize::try_from(len).ok()?;
    let mut buffer: Vec<u8> = Vec::new();
    buffer.try_reserve_exact(len.checked_add(ALIGN)?).ok()?;
    let start = buffer.as_ptr().align_offset(ALIGN);
    (start < ALIGN).then_some((buffer, start, len))
}

impl AsRef<[u8]> for ArtifactBytes {
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Place::Heap { buffer, start, len } => {
                let bytes = buffer.get(*start..).and_then(|bytes| bytes.get(..*len));
                bytes.unwrap_or_default()
            }
            Place::Static(bytes) => bytes,
        }
    }
}

impl fmt::Debug for ArtifactBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArtifactBytes({} bytes)", self.as_ref().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_aligned_and_stay_where_they_are() {
        for len in [0_usize, 1, 15, 16, 17, 4096, 10_000] {
            let source: Vec<u8> = (0..len).map(|n| n.to_le_bytes()[0]).collect();
            let bytes = ArtifactBytes::copy(&source).unwrap();
            let address = bytes.as_ref().as_ptr().addr();
            assert!(address.is_multiple_of(ALIGN));
            assert_eq!(bytes.as_ref(), source);
            let moved = alloc::boxed::Box::new(bytes);
            assert_eq!(moved.as_ref().as_ref().as_ptr().addr(), address);
        }
    }

    #[test]
    fn pieces_are_read_once_and_in_order() {
        let mut next = 0;
        let bytes = ArtifactBytes::read(10_000, |offset, piece| {
            assert_eq!(offset, next);
            next += u32::try_from(piece.len()).unwrap();
            Ok::<(), ()>(())
        });
        assert_eq!(bytes.unwrap().as_ref().len(), 10_000);
        assert_eq!(next, 10_000);
    }

    #[test]
    fn an_error_of_the_source_is_handed_on() {
        let result = ArtifactBytes::read(10_000, |offset, _| match offset {
            0 => Ok(()),
            _ => Err("flash"),
        });
        assert_eq!(result.unwrap_err(), ReadError::Source("flash"));
    }

    #[test]
    fn unaligned_flash_is_not_used_in_place() {
        #[repr(align(16))]
        struct Aligned([u8; 32]);
        static FLASH: Aligned = Aligned([7; 32]);
        assert!(ArtifactBytes::in_place(&FLASH.0).is_some());
        assert!(ArtifactBytes::in_place(&FLASH.0[1..]).is_none());
    }
}
