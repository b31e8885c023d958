//! Responses.
#![expect(
    unsafe_code,
    reason = "a message is written in place, once; see `with_message`"
)]

use alloc::boxed::Box;

use super::options::encode;
use super::{Code, ContentFormat, PAYLOAD_MARKER};
use crate::allocate;
use crate::bytes::copy;

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    code: Code,
    /// As in a CoAP message: options, and behind a marker the payload.
    message: Box<[u8]>,
}

impl Response {
    /// A response that is a code alone.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self {
            code,
            message: Box::default(),
        }
    }

    /// 2.05 with text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::content(ContentFormat::TEXT, text.as_bytes())
    }

    /// 2.05 with a payload.
    #[must_use]
    pub fn content(format: ContentFormat, payload: &[u8]) -> Self {
        Self::new(Code::CONTENT).with_payload(format, payload)
    }

    /// 2.04
    #[must_use]
    pub fn changed() -> Self {
        Self::new(Code::CHANGED)
    }

    /// 4.00
    #[must_use]
    pub fn bad_request() -> Self {
        Self::new(Code::BAD_REQUEST)
    }

    /// 4.04
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Code::NOT_FOUND)
    }

    /// 4.05
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(Code::METHOD_NOT_ALLOWED)
    }

    /// 5.03
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(Code::SERVICE_UNAVAILABLE)
    }

    /// This response with a payload.
    #[must_use]
    pub fn with_payload(self, format: ContentFormat, payload: &[u8]) -> Self {
        // As few bytes as it needs: RFC 7252, 3.2.
        match format.0.to_be_bytes() {
            [0, 0] => self.with_message(&[0xc0], payload),
            [0, low] => self.with_message(&[0xc1, low], payload),
            [high, low] => self.with_message(&[0xc2, high, low], payload),
        }
    }

    /// This response with options, in the order of their numbers, and a
    /// payload. An option that is out of order, or longer than 64 KiB, is left
    /// away.
    #[must_use]
    pub fn with_options(self, options: &[(u16, &[u8])], payload: &[u8]) -> Self {
        self.with_message(&encode(options), payload)
    }

    fn with_message(self, options: &[u8], payload: &[u8]) -> Self {
        let marker = usize::from(!payload.is_empty());
        let mut message = allocate(options.len() + marker + payload.len());
        let start = message.as_mut_ptr().cast();
        // SAFETY: the parts are together as long as the message.
        let end = unsafe { append(start, options) };
        if marker > 0 {
            // SAFETY: as said.
            let end = unsafe { append(end, &[PAYLOAD_MARKER]) };
            // SAFETY: as said.
            unsafe { append(end, payload) };
        }
        // SAFETY: all of it was written.
        let message = unsafe { message.assume_init() };
        Self { message, ..self }
    }

    /// Code, and options and payload as in a CoAP message.
    #[must_use]
    pub fn into_parts(self) -> (Code, Box<[u8]>) {
        (self.code, self.message)
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }
}

/// Writes bytes to a place; returns the place behind them.
///
/// # Safety
///
/// There must be room for them.
#[inline(always)]
unsafe fn append(place: *mut u8, bytes: &[u8]) -> *mut u8 {
    // SAFETY: the caller's promise; what is written to is not borrowed.
    unsafe { copy(bytes.as_ptr(), place, bytes.len()) };
    // SAFETY: the caller's promise.
    unsafe { place.add(bytes.len()) }
}
