//! A peer of the device, and what it is answered.

use std::net::SocketAddr;

use sealift_oscore::coap::{BlockOption, Code, Header, Kind, Message, Writer};
use sealift_oscore::{ClientContext, Identity, MAX_DATAGRAM};
use sealift_wire::Refusal;

/// A peer with a security context.
pub(crate) struct Session {
    pub(crate) context: ClientContext,
    pub(crate) from: SocketAddr,
    pub(crate) mid: u16,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: Code,
    pub(crate) payload: Vec<u8>,
    pub(crate) block1: Option<BlockOption>,
    pub(crate) block2: Option<BlockOption>,
    /// All options.
    pub(crate) options: Vec<(u16, Vec<u8>)>,
}

impl Answer {
    /// The value of an option.
    pub(crate) fn option(&self, number: u16) -> Option<&[u8]> {
        let mut options = self.options.iter();
        Some(&options.find(|(known, _)| *known == number)?.1)
    }

    pub(crate) fn is(&self, refusal: Refusal) -> bool {
        self.code.0 == refusal.code() && self.payload == refusal.to_string().into_bytes()
    }
}

impl Session {
    /// A protected datagram.
    pub(crate) fn protect(
        &mut self,
        code: Code,
        build: impl FnOnce(&mut Writer<'_>) -> Result<(), sealift_oscore::coap::Error>,
    ) -> (Vec<u8>, sealift_oscore::protect::Sent) {
        self.mid += 1;
        let header = Header {
            kind: Kind::Confirmable,
            mid: self.mid,
            token: &self.mid.to_be_bytes(),
        };
        let mut datagram = [0; MAX_DATAGRAM];
        let (length, sent) = self
            .context
            .protect(header, code, build, &mut datagram)
            .unwrap();
        (datagram[..length].to_vec(), sent)
    }

    /// The answer in a protected datagram; `None` where it is not protected.
    pub(crate) fn unprotect(
        &self,
        sent: &sealift_oscore::protect::Sent,
        response: &[u8],
    ) -> Option<Answer> {
        let message = Message::parse(response).ok()?;
        let mut scratch = [0; MAX_DATAGRAM];
        let inner = self.context.unprotect(sent, &message, &mut scratch).ok()?;
        Some(Answer {
            code: inner.code,
            payload: inner.payload.to_vec(),
            block1: inner.block1().unwrap(),
            block2: inner.block2().unwrap(),
            options: inner
                .options
                .clone()
                .map(|option| (option.number, option.value.to_vec()))
                .collect(),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.from
    }
}

/// The same identity again.
pub(crate) fn clone_of(identity: &Identity) -> Identity {
    Identity::new(identity.private_key(), identity.credential().clone()).unwrap()
}
