//! Option numbers, unsigned integers and block options.

use super::Error;

/// Option numbers (IANA registry of CoAP option numbers).
#[expect(missing_docs, reason = "the names are the ones of the IANA registry")]
pub mod number {
    use coap_numbers::option;

    pub const IF_MATCH: u16 = option::IF_MATCH;
    pub const URI_HOST: u16 = option::URI_HOST;
    pub const ETAG: u16 = option::ETAG;
    pub const OBSERVE: u16 = option::OBSERVE;
    pub const URI_PORT: u16 = option::URI_PORT;
    pub const OSCORE: u16 = option::OSCORE;
    pub const URI_PATH: u16 = option::URI_PATH;
    pub const CONTENT_FORMAT: u16 = option::CONTENT_FORMAT;
    pub const MAX_AGE: u16 = option::MAX_AGE;
    pub const URI_QUERY: u16 = option::URI_QUERY;
    pub const ACCEPT: u16 = option::ACCEPT;
    pub const EDHOC: u16 = option::EDHOC;
    pub const BLOCK2: u16 = option::BLOCK2;
    pub const BLOCK1: u16 = option::BLOCK1;
    pub const SIZE2: u16 = option::SIZE2;
    pub const PROXY_URI: u16 = option::PROXY_URI;
    pub const PROXY_SCHEME: u16 = option::PROXY_SCHEME;
    pub const SIZE1: u16 = option::SIZE1;
    pub const ECHO: u16 = option::ECHO;
    pub const REQUEST_TAG: u16 = option::REQUEST_TAG;
}

/// Decodes an unsigned integer option (RFC 7252 section 3.2); leading zeros are
/// accepted, as the RFC asks of a recipient.
///
/// # Errors
/// [`Error::UintLength`] when it is longer than 4 bytes.
pub fn decode_uint(value: &[u8]) -> Result<u32, Error> {
    if value.len() > 4 {
        return Err(Error::UintLength);
    }
    Ok(value
        .iter()
        .fold(0, |sum, byte| (sum << 8) | u32::from(*byte)))
}

/// The shortest encoding of `value`: `bytes[start..]` of what is returned.
pub(crate) fn encode_uint(value: u32) -> ([u8; 4], usize) {
    let leading = usize::try_from(value.leading_zeros() / 8).unwrap_or(4);
    (value.to_be_bytes(), leading)
}

/// A Block1 or Block2 option (RFC 7959 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockOption {
    /// Number of the block, 20 bits.
    pub num: u32,
    /// Whether more blocks follow.
    pub more: bool,
    /// Size exponent 0 to 6: blocks of 2^(4 + szx) bytes, 16 to 1024.
    pub szx: u8,
}

impl BlockOption {
    /// Bytes in a block that is not the last.
    pub const fn size(self) -> usize {
        16_usize << (self.szx & 7)
    }

    /// Offset of this block in the body, in bytes.
    pub const fn offset(self) -> usize {
        // 20 bits of number and 10 of size: at most 2^30.
        (self.num as usize).saturating_mul(self.size())
    }

    /// Decodes the value of the option.
    ///
    /// # Errors
    /// [`Error::BlockLength`] above 3 bytes, [`Error::BlockSize`] for exponent 7.
    pub fn decode(value: &[u8]) -> Result<Self, Error> {
        if value.len() > 3 {
            return Err(Error::BlockLength);
        }
        let raw = decode_uint(value)?;
        let szx = u8::try_from(raw & 7).map_err(|_| Error::BlockSize)?;
        if szx == 7 {
            return Err(Error::BlockSize);
        }
        Ok(Self {
            num: raw >> 4,
            more: raw & 8 != 0,
            szx,
        })
    }

    /// The value as an unsigned integer, for [`super::Writer::uint`].
    ///
    /// # Errors
    /// [`Error::BlockSize`] when the number or the exponent is out of range.
    pub fn encode(self) -> Result<u32, Error> {
        if self.szx > 6 || self.num >= 1 << 20 {
            return Err(Error::BlockSize);
        }
        Ok(self.num << 4 | u32::from(self.more) << 3 | u32::from(self.szx))
    }
}
