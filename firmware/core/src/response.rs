//! A response before it is encrypted, and its way into blocks.

use alloc::string::ToString;
use alloc::vec::Vec;

use sealift_oscore::coap::{BlockOption, Code, Error, Options, Writer, number};
use sealift_wire::Refusal;

/// CoAP content formats (RFC 7252, 12.3).
pub(crate) const LINK_FORMAT: u32 = 40;
pub(crate) const OCTETS: u32 = 42;
pub(crate) const CBOR: u32 = 60;

/// A whole response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) code: Code,
    options: Vec<(u16, Vec<u8>)>,
    pub(crate) payload: Vec<u8>,
}

impl Response {
    /// A response without payload.
    pub(crate) fn new(code: Code) -> Self {
        Self {
            code,
            options: Vec::new(),
            payload: Vec::new(),
        }
    }

    /// A response with a payload of this content format.
    pub(crate) fn with(code: Code, format: u32, payload: Vec<u8>) -> Self {
        Self {
            payload,
            ..Self::new(code).uint(number::CONTENT_FORMAT, format)
        }
    }

    /// What a capsule answered: a code, and options and payload as CoAP
    /// encodes them.
    pub(crate) fn of_capsule(code: Code, message: &[u8]) -> Result<Self, Refusal> {
        let (options, payload) = Options::parse(message).map_err(|_| Refusal::BadAnswer)?;
        Ok(Self {
            code,
            options: options
                // Block-wise transfer is the device's business.
                .filter(|option| !matches!(option.number, number::BLOCK1 | number::BLOCK2))
                .map(|option| (option.number, option.value.to_vec()))
                .collect(),
            payload: payload.to_vec(),
        })
    }

    /// The same with one more option.
    pub(crate) fn option(mut self, number: u16, value: &[u8]) -> Self {
        let at = self.options.partition_point(|(known, _)| *known <= number);
        self.options.insert(at, (number, value.to_vec()));
        self
    }

    /// The same with an option that is a number (RFC 7252, 3.2).
    pub(crate) fn uint(self, number: u16, value: u32) -> Self {
        let bytes = value.to_be_bytes();
        let start = bytes.iter().take_while(|byte| **byte == 0).count();
        self.option(number, bytes.get(start..).unwrap_or_default())
    }

    /// Whether it has an option.
    pub(crate) fn has(&self, number: u16) -> bool {
        self.options.iter().any(|(known, _)| *known == number)
    }

    /// Bytes that its options take at the most.
    pub(crate) fn options_len(&self) -> usize {
        let lengths = self.options.iter().map(|(_, value)| value.len());
        // Two bytes of header, and two more for each of delta and length.
        lengths.fold(0, |sum, length| {
            sum.saturating_add(length).saturating_add(5)
        })
    }

    /// The code and the sentence of a refusal.
    pub(crate) fn refusal(refusal: Refusal) -> Self {
        Self {
            payload: refusal.to_string().into_bytes(),
            ..Self::new(Code(refusal.code()))
        }
    }

    /// Writes the options, `block1` and `block2` among them, and `part` of
    /// the payload.
    pub(crate) fn write(
        &self,
        writer: &mut Writer<'_>,
        block1: Option<BlockOption>,
        block2: Option<BlockOption>,
        part: &[u8],
    ) -> Result<(), Error> {
        let mut blocks = [(number::BLOCK2, block2), (number::BLOCK1, block1)]
            .into_iter()
            .filter_map(|(number, block)| Some((number, block?)))
            .peekable();
        for (number, value) in &self.options {
            while let Some((block_number, block)) = blocks.next_if(|(n, _)| n < number) {
                writer.block(block_number, block)?;
            }
            writer.option(*number, value)?;
        }
        for (number, block) in blocks {
            writer.block(number, block)?;
        }
        writer.payload(part)
    }
}

#[cfg(test)]
mod tests {
    use sealift_oscore::coap::Inner;

    use super::*;

    #[test]
    fn options_stay_in_order_around_the_block_options() {
        // Content-Format 0, then Size1 (60).
        let response =
            Response::of_capsule(Code::CONTENT, &[0xc0, 0xd1, 35, 5, 0xff, b'x']).unwrap();
        let block = BlockOption {
            num: 0,
            more: true,
            szx: 6,
        };
        let mut buffer = [0; 64];
        let mut writer = Writer::inner(&mut buffer, response.code).unwrap();
        response
            .write(&mut writer, Some(block), Some(block), &response.payload)
            .unwrap();
        let length = writer.finish();
        let inner = Inner::parse(&buffer[..length]).unwrap();
        let numbers: Vec<u16> = inner.options.clone().map(|o| o.number).collect();
        assert_eq!(
            numbers,
            [
                number::CONTENT_FORMAT,
                number::BLOCK2,
                number::BLOCK1,
                number::SIZE1
            ]
        );
        assert_eq!(inner.payload, b"x");
    }

    #[test]
    fn a_malformed_answer_of_a_capsule_is_refused() {
        for bad in [&[0xf0][..], &[0x01], &[0xff]] {
            assert_eq!(
                Response::of_capsule(Code::CONTENT, bad),
                Err(Refusal::BadAnswer)
            );
        }
    }
}
