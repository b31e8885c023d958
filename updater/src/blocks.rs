//! Block-wise transfer (RFC 7959) as arithmetic: how a body is cut into blocks,
//! and how blocks become a body again. No I/O, no message format.

use std::ops::Range;

/// Longest body that is accepted from a device, in bytes.
pub const MAX_BODY: usize = 1024 * 1024;

/// The highest block number (RFC 7959, 2.2: twenty bits).
const MAX_NUM: usize = (1 << 20) - 1;

/// A block size: a power of two from 16 to 1024 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockSize(u8);

impl BlockSize {
    /// 16 bytes.
    pub const MIN: Self = Self(0);
    /// 1024 bytes.
    pub const MAX: Self = Self(6);

    /// From the size in bytes; `None` where it is not a power of two from 16 to
    /// 1024.
    #[must_use]
    pub fn from_bytes(bytes: usize) -> Option<Self> {
        (0..=6).map(Self).find(|size| size.bytes() == bytes)
    }

    /// From the exponent of the Block options; `None` above 6.
    #[must_use]
    pub fn from_szx(szx: u8) -> Option<Self> {
        (szx <= 6).then_some(Self(szx))
    }

    /// The exponent of the Block options, 0 to 6.
    #[must_use]
    pub fn szx(self) -> u8 {
        self.0
    }

    /// The size in bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        16 << self.0
    }
}

/// Why blocks do not make a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// More than 2^20 blocks.
    #[error("the body is too long for blocks of this size")]
    TooManyBlocks,
    /// The device sent another block than the one that was asked for.
    #[error("the device sent a block that was not asked for")]
    WrongBlock,
    /// A block that is not the last has not the size that it states.
    #[error("the device sent a block of the wrong length")]
    WrongLength,
    /// The representation changed from one block to the next.
    #[error("the answer changed while it was read")]
    Changed,
    /// The body is longer than [`MAX_BODY`].
    #[error("the answer is longer than {MAX_BODY} bytes")]
    TooLong,
}

/// One block of a body to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Block number.
    pub num: u32,
    /// Whether more blocks follow.
    pub more: bool,
    /// Block size.
    pub size: BlockSize,
    /// The bytes of the body that it carries.
    pub range: Range<usize>,
}

/// A body on its way up. The offset is at all times a multiple of the size.
#[derive(Clone, Debug)]
pub struct Upload {
    total: usize,
    offset: usize,
    size: BlockSize,
}

impl Upload {
    /// A body of `total` bytes from its start.
    #[must_use]
    pub fn new(total: usize, size: BlockSize) -> Self {
        Self {
            total,
            offset: 0,
            size,
        }
    }

    /// A body of `total` bytes of which the other side has `received`. The first
    /// block is the one that holds the first missing byte, so it may overlap
    /// what is there; if nothing is missing, it is the last block, which lets
    /// the other side finish.
    #[must_use]
    pub fn resume(total: usize, received: usize, size: BlockSize) -> Self {
        let first = received.min(total.saturating_sub(1));
        Self {
            total,
            offset: first - first % size.bytes(),
            size,
        }
    }

    /// The next block.
    ///
    /// # Errors
    ///
    /// [`BlockError::TooManyBlocks`].
    pub fn block(&self) -> Result<Block, BlockError> {
        let num = self.offset / self.size.bytes();
        if num > MAX_NUM {
            return Err(BlockError::TooManyBlocks);
        }
        let end = self
            .total
            .min(self.offset.saturating_add(self.size.bytes()));
        Ok(Block {
            num: u32::try_from(num).map_err(|_| BlockError::TooManyBlocks)?,
            more: end < self.total,
            size: self.size,
            range: self.offset..end,
        })
    }

    /// The block was taken; goes on with the smaller size that the other side
    /// may have asked for (RFC 7959, 2.5).
    pub fn accepted(&mut self, wanted: Option<BlockSize>) {
        self.offset = self
            .total
            .min(self.offset.saturating_add(self.size.bytes()));
        self.shrink(wanted);
    }

    /// The block was refused as too large (4.13 with a smaller size, RFC 7959,
    /// 2.9.3). Returns whether the same bytes can be sent in smaller blocks.
    pub fn too_large(&mut self, wanted: Option<BlockSize>) -> bool {
        self.shrink(wanted)
    }

    fn shrink(&mut self, wanted: Option<BlockSize>) -> bool {
        match wanted {
            Some(wanted) if wanted < self.size => {
                self.size = wanted;
                true
            }
            _ => false,
        }
    }
}

/// A body on its way down.
#[derive(Clone, Debug, Default)]
pub struct Download {
    body: Vec<u8>,
    etag: Option<Vec<u8>>,
}

impl Download {
    /// Takes a response. `block` is its Block2 option as number, more flag and
    /// size; without one the payload is the whole body. Returns the number and
    /// size to ask for next, or `None` when the body is complete.
    ///
    /// # Errors
    ///
    /// [`BlockError`] where the block does not continue the body.
    pub fn take(
        &mut self,
        block: Option<(u32, bool, BlockSize)>,
        etag: Option<&[u8]>,
        payload: &[u8],
    ) -> Result<Option<(u32, BlockSize)>, BlockError> {
        if self.body.len().saturating_add(payload.len()) > MAX_BODY {
            return Err(BlockError::TooLong);
        }
        let Some((num, more, size)) = block else {
            if !self.body.is_empty() {
                return Err(BlockError::WrongBlock);
            }
            self.body.extend_from_slice(payload);
            return Ok(None);
        };
        let offset = usize::try_from(num)
            .ok()
            .and_then(|num| num.checked_mul(size.bytes()));
        if offset != Some(self.body.len()) {
            return Err(BlockError::WrongBlock);
        }
        if payload.len() > size.bytes() || (more && payload.len() != size.bytes()) {
            return Err(BlockError::WrongLength);
        }
        if self.body.is_empty() {
            self.etag = etag.map(<[u8]>::to_vec);
        } else if self.etag.as_deref() != etag {
            return Err(BlockError::Changed);
        }
        self.body.extend_from_slice(payload);
        if !more {
            return Ok(None);
        }
        let next = num.checked_add(1).ok_or(BlockError::TooManyBlocks)?;
        Ok(Some((next, size)))
    }

    /// The body as far as it came.
    #[must_use]
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}
