//! From a response to what goes into one message, and the rest of it, which is
//! fetched block by block (RFC 7959).

use alloc::vec::Vec;
use core::ops::Range;

use sealift_oscore::coap::{BlockOption, Code, Error, Writer, number};
use sealift_oscore::server::SessionId;
use sealift_oscore::{MAX_DATAGRAM, MAX_OVERHEAD};
use sha2::{Digest, Sha256};

use crate::block;
use crate::request::Exchange;
use crate::response::Response;
use crate::waiting::Asked;

/// Bytes that the options of a block-wise answer take at the most: Block1,
/// Block2, and an ETag of [`ETAG`] bytes.
const BLOCK_OPTIONS: usize = 5 + 5 + 1 + ETAG;
/// Length of the ETags that the device makes, in bytes.
const ETAG: usize = 8;

/// A response and the part of it that goes into one message.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response,
    block1: Option<BlockOption>,
    block2: Option<BlockOption>,
    range: Range<usize>,
}

impl Answer {
    /// A response that fits into one message.
    pub(crate) fn whole(response: Response) -> Self {
        Self {
            range: 0..response.payload.len(),
            response,
            block1: None,
            block2: None,
        }
    }

    /// 2.31: the block was taken, the next one please.
    pub(crate) fn go_on(block1: Option<BlockOption>) -> Self {
        Self {
            block1,
            ..Self::whole(Response::new(Code::CONTINUE))
        }
    }

    /// Writes options and payload.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        let part = self.response.payload.get(self.range.clone());
        self.response
            .write(writer, self.block1, self.block2, part.unwrap_or_default())
    }
}

/// For each session, the latest response that did not fit into one message.
#[derive(Debug, Default)]
pub(crate) struct Outbox(Vec<(Exchange, Response)>);

impl Outbox {
    /// The response of which a later block is asked for.
    pub(crate) fn continued(&self, exchange: &Exchange) -> Option<Response> {
        let mut kept = self.0.iter();
        let (_, response) = kept.find(|(of, _)| of == exchange)?;
        Some(response.clone())
    }

    /// Cuts the block that was asked for out of a response, and keeps the
    /// response if there is more of it, for as long as `alive` says that the
    /// session is there.
    pub(crate) fn answer(
        &mut self,
        asked: &Asked,
        mut response: Response,
        alive: impl Fn(SessionId) -> bool,
    ) -> Answer {
        let overhead = response.options_len().saturating_add(BLOCK_OPTIONS);
        let room = MAX_DATAGRAM
            .saturating_sub(MAX_OVERHEAD)
            // The inner code and the payload marker.
            .saturating_sub(2)
            .saturating_sub(overhead);
        let (block2, range) = match block::slice(response.payload.len(), asked.block2, room) {
            Ok(cut) => cut,
            Err(refusal) => return Answer::whole(Response::refusal(refusal)),
        };
        if block2.is_some() && !response.has(number::ETAG) {
            // So that blocks of two states are not taken for one (2.4).
            let digest = Sha256::digest(&response.payload);
            response = response.option(number::ETAG, digest.get(..ETAG).unwrap_or_default());
        }
        if block2.is_some_and(|block| block.num == 0) {
            let exchange = asked.exchange.clone();
            // One for each session that there is, so there are never more.
            self.0
                .retain(|(of, _)| of.session != exchange.session && alive(of.session));
            self.0.push((exchange, response.clone()));
        }
        Answer {
            response,
            // The last word on the body, whatever the request said would
            // follow (RFC 7959, 2.3).
            block1: asked.block1.map(|block| BlockOption {
                more: false,
                ..block
            }),
            block2,
            range,
        }
    }
}
