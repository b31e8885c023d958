//! What a capsule answers, and whether it is an answer.

use alloc::vec::Vec;

use sealift_oscore::coap::{Code, Options};

use super::MAX_MESSAGE;
use super::abi::CoapErr;
use super::fault::BadAnswer;

/// Options that a capsule's response may have: ETag, Location-Path,
/// Content-Format, Max-Age, Location-Query, Block2, Size2, Size1. The others
/// are requests', proxies' or the security layer's.
const ALLOWED: [u16; 8] = [4, 8, 12, 14, 20, 23, 28, 60];

/// The answer of a capsule to a request: a response code, and well-formed
/// options and payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The response code.
    pub code: u8,
    /// Options, and behind a payload marker the payload (RFC 7252, 3).
    pub message: Vec<u8>,
}

impl Answer {
    pub(super) fn new(code: u8, message: Vec<u8>) -> Result<Self, BadAnswer> {
        if message.len() > MAX_MESSAGE {
            return Err(BadAnswer::TooLong(message.len()));
        }
        // 2.31 is of block-wise transfer, which a capsule has no part in.
        if !Code(code).is_response() || Code(code) == Code::CONTINUE {
            return Err(BadAnswer::Code(code));
        }
        let (mut options, _) = Options::parse(&message).map_err(|_| BadAnswer::Malformed)?;
        if let Some(option) = options.find(|option| !ALLOWED.contains(&option.number)) {
            return Err(BadAnswer::Option(option.number));
        }
        Ok(Self { code, message })
    }

    pub(super) fn error(error: CoapErr) -> Self {
        let code = match error {
            CoapErr::NotFound => Code::NOT_FOUND,
            CoapErr::InternalServerError => Code::INTERNAL_SERVER_ERROR,
            CoapErr::HandlerNotBuilt => Code::SERVICE_UNAVAILABLE,
        };
        Self {
            code: code.0,
            message: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_codes_and_no_others() {
        for code in 0..=u8::MAX {
            let good = matches!(code >> 5, 2 | 4 | 5) && code != 2 << 5 | 31;
            assert_eq!(Answer::new(code, Vec::new()).is_ok(), good, "{code}");
        }
    }

    #[test]
    fn options_have_to_parse_and_to_be_a_responses() {
        let of = |message: &[u8]| Answer::new(0x45, message.to_vec()).map(|_| ());
        assert_eq!(of(&[0xc0, 0xff, b'x']), Ok(()));
        assert_eq!(of(&[0xc3, 0]), Err(BadAnswer::Malformed));
        assert_eq!(of(&[0xff]), Err(BadAnswer::Malformed));
        // OSCORE
        assert_eq!(of(&[0x90]), Err(BadAnswer::Option(9)));
        // Content-Format, then Proxy-Uri
        assert_eq!(of(&[0xc0, 0xd0, 10]), Err(BadAnswer::Option(35)));
    }

    #[test]
    fn an_answer_fits_into_the_buffer() {
        let mut message = alloc::vec![b'x'; MAX_MESSAGE];
        message[0] = 0xff;
        assert!(Answer::new(0x45, message.clone()).is_ok());
        message.push(b'x');
        assert_eq!(
            Answer::new(0x45, message),
            Err(BadAnswer::TooLong(MAX_MESSAGE + 1))
        );
    }
}
