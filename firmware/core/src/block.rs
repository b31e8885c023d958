//! Block-wise transfer (RFC 7959), as far as it is the same for all
//! resources: pieces of request bodies, and responses sent piece by piece.

use alloc::vec::Vec;
use core::ops::Range;

use sealift_oscore::coap::BlockOption;
use sealift_wire::Refusal;

/// A piece of a request body: one block, or the whole where there is no
/// Block1 option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// Where it starts in the body.
    pub(crate) offset: usize,
    pub(crate) bytes: &'a [u8],
    /// Whether more of the body follows.
    pub(crate) more: bool,
}

impl<'a> Piece<'a> {
    /// The piece that `block` says `bytes` are.
    pub(crate) fn new(block: Option<BlockOption>, bytes: &'a [u8]) -> Result<Self, Refusal> {
        let Some(block) = block else {
            return Ok(Self {
                offset: 0,
                bytes,
                more: false,
            });
        };
        let size = block.size();
        let filled = bytes.len() == size;
        if bytes.len() > size || (block.more && !filled) {
            return Err(Refusal::BadRequest);
        }
        Ok(Self {
            offset: block.offset(),
            bytes,
            more: block.more,
        })
    }

    /// What is left of it for a receiver that has the first `have` bytes of
    /// the body: pieces may overlap, so that a sender can start over or go on
    /// with another block size, but may not leave a gap.
    pub(crate) fn after(self, have: usize) -> Result<Self, Refusal> {
        let known = have
            .checked_sub(self.offset)
            .ok_or(Refusal::BlockOutOfOrder)?;
        Ok(Self {
            offset: have,
            bytes: self.bytes.get(known..).unwrap_or_default(),
            more: self.more,
        })
    }
}

/// How long a body is kept for somebody who does not go on, in milliseconds:
/// `EXCHANGE_LIFETIME` (RFC 7252, 4.8.2). Nobody repeats a block after that.
const KEPT_MS: u64 = 247_000;

/// A request body that is collected in RAM. `K` tells one body from another.
#[derive(Debug)]
pub(crate) struct Body<K> {
    key: K,
    bytes: Vec<u8>,
    /// When its latest piece came.
    seen: u64,
}

/// A place for one body that is being collected; a new one takes the place of
/// an unfinished one. A body that is whole in one piece needs no place.
pub(crate) type Collecting<K> = Option<Body<K>>;

/// Whether nobody goes on with the body that is being collected.
pub(crate) fn is_abandoned<K>(collecting: &Collecting<K>, now: u64) -> bool {
    let body = collecting.as_ref();
    body.is_some_and(|body| now.saturating_sub(body.seen) >= KEPT_MS)
}

/// Adds a piece, which came at `now`, to the body `key`. Returns the body when it is
/// whole.
pub(crate) fn collect<K: PartialEq>(
    collecting: &mut Collecting<K>,
    key: K,
    piece: Piece<'_>,
    limit: usize,
    now: u64,
) -> Result<Option<Vec<u8>>, Refusal> {
    if piece.offset == 0 && !piece.more {
        // The sender has started over, and is done.
        if collecting.as_ref().is_some_and(|body| body.key == key) {
            *collecting = None;
        }
        return match piece.bytes.len() <= limit {
            true => Ok(Some(piece.bytes.to_vec())),
            false => Err(Refusal::TooLarge),
        };
    }
    let mut body = match collecting.take() {
        Some(body) if body.key == key && piece.offset != 0 => body,
        _ if piece.offset == 0 => Body {
            key,
            bytes: Vec::new(),
            seen: now,
        },
        other => {
            *collecting = other;
            return Err(Refusal::BlockOutOfOrder);
        }
    };
    let rest = match piece.after(body.bytes.len()) {
        Ok(rest) => rest.bytes,
        Err(refusal) => {
            *collecting = Some(body);
            return Err(refusal);
        }
    };
    if body.bytes.len().saturating_add(rest.len()) > limit {
        return Err(Refusal::TooLarge);
    }
    // Not twice as much as before: a body may be a large part of what there is.
    if body.bytes.try_reserve_exact(rest.len()).is_err() {
        log::error!("no memory for a body of {} bytes", body.bytes.len());
        return Err(Refusal::Internal);
    }
    body.bytes.extend_from_slice(rest);
    body.seen = now;
    if piece.more {
        *collecting = Some(body);
        return Ok(None);
    }
    Ok(Some(body.bytes))
}

/// Where in a response body of `length` bytes the part is that is asked for,
/// and its Block2 option if the body does not fit into one message. `room` is
/// what a message has for it.
pub(crate) fn slice(
    length: usize,
    asked: Option<BlockOption>,
    room: usize,
) -> Result<(Option<BlockOption>, Range<usize>), Refusal> {
    let mut block = asked.unwrap_or(BlockOption {
        num: 0,
        more: false,
        szx: 6,
    });
    if block.num == 0 && length > room {
        // A server may answer with smaller blocks (RFC 7959, 2.4).
        while block.size() > room {
            block.szx = block.szx.checked_sub(1).ok_or(Refusal::BadAnswer)?;
        }
    }
    let start = block.offset();
    if start != 0 && start >= length {
        return Err(Refusal::BadRequest);
    }
    let end = start.saturating_add(block.size()).min(length);
    let more = end < length;
    if start == 0 && !more {
        return Ok((None, 0..length));
    }
    Ok((Some(BlockOption { more, ..block }), start..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(num: u32, more: bool, szx: u8) -> Option<BlockOption> {
        Some(BlockOption { num, more, szx })
    }

    #[test]
    fn a_piece_must_fill_its_block_unless_it_is_the_last() {
        assert!(Piece::new(block(0, true, 0), &[0; 16]).is_ok());
        assert!(Piece::new(block(0, false, 0), &[0; 3]).is_ok());
        assert_eq!(
            Piece::new(block(0, true, 0), &[0; 15]),
            Err(Refusal::BadRequest)
        );
        assert_eq!(
            Piece::new(block(0, false, 0), &[0; 17]),
            Err(Refusal::BadRequest)
        );
    }

    #[test]
    fn pieces_may_overlap_but_not_leave_a_gap() {
        let piece = Piece::new(block(1, true, 0), &[7; 16]).unwrap();
        assert_eq!(piece.after(16).unwrap().bytes.len(), 16);
        assert_eq!(piece.after(20).unwrap().bytes.len(), 12);
        assert_eq!(piece.after(40).unwrap().bytes.len(), 0);
        assert_eq!(piece.after(15), Err(Refusal::BlockOutOfOrder));
    }

    #[test]
    fn a_body_is_collected_for_one_key_up_to_its_limit() {
        let mut collecting = None;
        let piece = |num, more| Piece::new(block(num, more, 0), &[1; 16]).unwrap();
        assert_eq!(
            collect(&mut collecting, 'a', piece(1, true), 64, 0),
            Err(Refusal::BlockOutOfOrder)
        );
        assert_eq!(
            collect(&mut collecting, 'a', piece(0, true), 64, 0),
            Ok(None)
        );
        assert_eq!(
            collect(&mut collecting, 'b', piece(1, true), 64, 0),
            Err(Refusal::BlockOutOfOrder)
        );
        assert_eq!(
            collect(&mut collecting, 'a', piece(2, true), 64, 0),
            Err(Refusal::BlockOutOfOrder)
        );
        assert_eq!(
            collect(&mut collecting, 'a', piece(1, false), 64, 0),
            Ok(Some(alloc::vec![1; 32]))
        );
        assert_eq!(
            collect(&mut collecting, 'a', piece(0, true), 20, 0),
            Ok(None)
        );
        assert_eq!(
            collect(&mut collecting, 'a', piece(1, true), 20, 0),
            Err(Refusal::TooLarge)
        );
    }

    #[test]
    fn a_body_in_one_piece_leaves_the_others_alone() {
        let mut collecting = None;
        let piece = |num, more| Piece::new(block(num, more, 0), &[1; 16]).unwrap();
        assert_eq!(
            collect(&mut collecting, 'a', piece(0, true), 64, 0),
            Ok(None)
        );
        let whole = collect(&mut collecting, 'b', piece(0, false), 64, 0);
        assert_eq!(whole, Ok(Some(alloc::vec![1; 16])));
        assert_eq!(
            collect(&mut collecting, 'b', piece(0, false), 15, 0),
            Err(Refusal::TooLarge)
        );
        assert_eq!(
            collect(&mut collecting, 'a', piece(1, true), 64, 0),
            Ok(None)
        );
        // But its own is over.
        assert!(collect(&mut collecting, 'a', piece(0, false), 64, 0).is_ok());
        assert_eq!(
            collect(&mut collecting, 'a', piece(2, false), 64, 0),
            Err(Refusal::BlockOutOfOrder)
        );
    }

    #[test]
    fn a_response_is_cut_into_the_blocks_asked_for() {
        assert_eq!(slice(40, None, 1100), Ok((None, 0..40)));
        assert_eq!(slice(0, block(0, false, 2), 1100), Ok((None, 0..0)));
        assert_eq!(
            slice(40, block(0, false, 0), 1100),
            Ok((block(0, true, 0), 0..16))
        );
        assert_eq!(
            slice(40, block(2, false, 0), 1100),
            Ok((block(2, false, 0), 32..40))
        );
        assert_eq!(
            slice(32, block(2, false, 0), 1100),
            Err(Refusal::BadRequest)
        );
        assert_eq!(
            slice(40, block(0xf_ffff, false, 6), 1100),
            Err(Refusal::BadRequest)
        );
        // Options may leave less room than a block that was asked for.
        assert_eq!(
            slice(900, block(0, false, 6), 800),
            Ok((block(0, true, 5), 0..512))
        );
        assert_eq!(slice(800, None, 800), Ok((None, 0..800)));
        assert_eq!(slice(9, None, 8), Err(Refusal::BadAnswer));
    }

    #[test]
    fn a_body_that_nobody_goes_on_with_is_abandoned() {
        let mut collecting = None;
        let piece = |num| Piece::new(block(num, true, 0), &[1; 16]).unwrap();
        assert!(!is_abandoned(&collecting, KEPT_MS));
        collect(&mut collecting, 'a', piece(0), 64, 5).unwrap();
        assert!(!is_abandoned(&collecting, 4 + KEPT_MS));
        assert!(is_abandoned(&collecting, 5 + KEPT_MS));
        collect(&mut collecting, 'a', piece(1), 64, 6).unwrap();
        assert!(!is_abandoned(&collecting, 5 + KEPT_MS));
    }
}
