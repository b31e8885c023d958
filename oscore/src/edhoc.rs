//! EDHOC (RFC 9528): method 3 (static-static), suite 2.
use crate::context::SecurityContext;
use crate::credential::{Credential, Identity};
use crate::{Error, MAX_EDHOC};
use heapless::Vec;
use lakers::ConnId;
use rand_core::CryptoRngCore;

/// An EDHOC message.
pub type MessageBuffer = Vec<u8, MAX_EDHOC>;

/// The side that starts.
#[derive(Debug)]
pub struct Initiator {}
pub(crate) struct Finished {
    pub(crate) c_r: ConnId,
    pub(crate) message_3: MessageBuffer,
    pub(crate) context: SecurityContext,
}
impl Initiator {
    pub(crate) fn start(
        _identity: &Identity,
        _peer: &Credential,
        _rng: &mut impl CryptoRngCore,
    ) -> Result<(Self, MessageBuffer), Error> {
        Err(Error::Internal)
    }
    pub(crate) fn finish(
        self,
        _payload: &[u8],
        _rng: &mut impl CryptoRngCore,
    ) -> Result<Finished, Error> {
        Err(Error::Internal)
    }
}
