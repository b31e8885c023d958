//! Why a message was not parsed or not written.

/// Why a message was not parsed or not written: one variant for each check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Error {
    /// Shorter than the header says it is.
    Truncated = 1,
    /// The version field is not 1.
    Version = 2,
    /// The token is longer than 8 bytes.
    TokenLength = 3,
    /// An option delta of 15 without being the payload marker.
    OptionDelta = 4,
    /// An option length of 15.
    OptionLength = 5,
    /// An option runs past the end of the message.
    OptionTruncated = 6,
    /// The option number is above 65535.
    OptionNumber = 7,
    /// A payload marker with nothing after it.
    EmptyPayload = 8,
    /// An empty message (0.00) that carries a token, options or a payload.
    EmptyMessage = 9,
    /// A code of a reserved class, or one that is no request where one is needed.
    Code = 10,
    /// The buffer to write into is too short.
    BufferFull = 11,
    /// Options have to be written in the order of their numbers.
    OptionOrder = 12,
    /// Something was written after the payload.
    AfterPayload = 13,
    /// An unsigned integer option is longer than 4 bytes.
    UintLength = 14,
    /// A block option is longer than 3 bytes.
    BlockLength = 15,
    /// The reserved block size exponent 7, or a block number above 20 bits.
    BlockSize = 16,
    /// A text option is not UTF-8.
    NotText = 17,
    /// An option that may be there once was there more than once.
    Repeated = 18,
}

impl Error {
    /// A stable number for this error.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the message is shorter than its header says",
            Self::Version => "the CoAP version is not 1",
            Self::TokenLength => "the token is longer than 8 bytes",
            Self::OptionDelta => "an option has the reserved delta 15",
            Self::OptionLength => "an option has the reserved length 15",
            Self::OptionTruncated => "an option runs past the end of the message",
            Self::OptionNumber => "an option number is above 65535",
            Self::EmptyPayload => "a payload marker is followed by no payload",
            Self::EmptyMessage => "an empty message carries content",
            Self::Code => "the code is reserved or not one for this place",
            Self::BufferFull => "the message does not fit the buffer",
            Self::OptionOrder => "options are not in the order of their numbers",
            Self::AfterPayload => "the payload has already been written",
            Self::UintLength => "an integer option is longer than 4 bytes",
            Self::BlockLength => "a block option is longer than 3 bytes",
            Self::BlockSize => "a block option has a reserved size or too large a number",
            Self::NotText => "a text option is not UTF-8",
            Self::Repeated => "an option is repeated that may be there once",
        })
    }
}

impl core::error::Error for Error {}
