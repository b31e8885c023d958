//! EDHOC (RFC 9528) by `lakers`: method 3 (static Diffie-Hellman keys on both
//! sides), cipher suite 2, credentials by value or by key identifier.
//!
//! A peer is known when its credential is one of a configured list; sent by value
//! or named by its identifier, it is the configured bytes that go into the key
//! schedule. What lakers cannot stand is kept away from it in `guard`.

mod guard;
#[cfg(test)]
mod tests;

use crate::context::{Parameters, SecurityContext};
use crate::credential::{Credential, Identity};
use crate::{Error, MAX_EDHOC};
use guard::Guarded;
use heapless::Vec;
pub use lakers::ConnId;
use lakers::{
    Completed, CredentialTransfer, CryptoTrait, EDHOC_METHOD, EDHOCError, EdhocBuffer, IdCred,
    InitiatorStart, ResponderStart, WaitM2, WaitM3,
};
use rand_core::CryptoRngCore;
use zeroize::{Zeroize, Zeroizing};

/// An EDHOC message.
pub type MessageBuffer = Vec<u8, MAX_EDHOC>;

/// The side that starts, after message_1.
pub struct Initiator {
    state: WaitM2,
    private: Zeroizing<[u8; 32]>,
    credential: Credential,
    peer: Credential,
    c_i: ConnId,
}

/// What an [`Initiator`] has at the end.
#[derive(Debug)]
pub struct Finished {
    /// Connection identifier of the responder, which goes in front of message_3.
    pub c_r: ConnId,
    /// The message to send.
    pub message_3: MessageBuffer,
    /// The context for requests.
    pub context: SecurityContext,
}

impl Initiator {
    /// Starts a key exchange with the holder of `peer`; returns message_1.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub fn start(
        identity: &Identity,
        peer: &Credential,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Self, MessageBuffer), Error> {
        let c_i = compact_id(rng.next_u32());
        let mut crypto = Guarded::new(rng);
        let (x, g_x) = crypto.p256_generate_key_pair();
        let mut start = InitiatorStart {
            suites_i: EdhocBuffer::new_from_slice(&[2]).map_err(|_| Error::Internal)?,
            method: EDHOC_METHOD,
            x,
            g_x,
        };
        let prepared = lakers::i_prepare_message_1(&start, &mut crypto, c_i, &None);
        start.x.zeroize();
        let (state, message_1) = prepared.map_err(refusal)?;
        let initiator = Self {
            state,
            private: Zeroizing::new(*identity.private_key()),
            credential: identity.credential().clone(),
            peer: peer.clone(),
            c_i,
        };
        Ok((initiator, buffer(message_1.as_slice())?))
    }

    /// Takes message_2 and makes message_3, with the own credential by value.
    ///
    /// # Errors
    /// When the responder does not hold the expected credential, or refuses.
    pub fn finish(self, message_2: &[u8], rng: &mut impl CryptoRngCore) -> Result<Finished, Error> {
        let (message_2, ciphertext) = guard::message_2(message_2)?;
        let plaintext_length = ciphertext.len();
        let mut crypto = Guarded::for_message_2(rng, ciphertext);
        let (mut processing, c_r, id_cred, external) =
            lakers::i_parse_message_2(&self.state, &mut crypto, &message_2)
                .map_err(|error| crypto.error.unwrap_or(refusal(error)))?;
        if !names(&id_cred, &self.peer) {
            return Err(Error::UnknownPeer);
        }
        guard::transcript_fits(
            c_r.as_cbor().len(),
            id_cred.as_full_value().len(),
            self.peer.as_bytes().len(),
            external.as_ref(),
            plaintext_length,
        )?;
        let verified = lakers::i_verify_message_2(
            &processing,
            &mut crypto,
            for_lakers(&self.peer)?,
            &self.private,
        );
        processing.x.zeroize();
        processing.prk_2e.zeroize();
        let mut verified = verified.map_err(refusal)?;
        let prepared = lakers::i_prepare_message_3(
            &verified,
            &mut crypto,
            for_lakers(&self.credential)?,
            CredentialTransfer::ByValue,
            &None,
        );
        verified.prk_3e2m.zeroize();
        verified.prk_4e3m.zeroize();
        let (mut waiting, message_3, mut prk_out) = prepared.map_err(refusal)?;
        prk_out.zeroize();
        let completed = lakers::i_complete_without_message_4(&waiting).map_err(refusal);
        waiting.prk_4e3m.zeroize();
        waiting.prk_out.zeroize();
        waiting.prk_exporter.zeroize();
        // The initiator receives with C_I and sends with C_R (appendix A.1).
        let context = derive(completed?, &mut crypto, &c_r, &self.c_i)?;
        Ok(Finished {
            c_r,
            message_3: buffer(message_3.as_slice())?,
            context,
        })
    }
}

impl Drop for Initiator {
    fn drop(&mut self) {
        self.state.x.zeroize();
    }
}

impl core::fmt::Debug for Initiator {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Initiator")
            .field("credential", &self.credential)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// The side that answers, after message_2. It can be asked to finish more than
/// once: a forged message_3 does not end the key exchange.
pub struct Responder {
    state: WaitM3,
    c_i: ConnId,
    c_r: ConnId,
}

impl Responder {
    /// Answers message_1 with message_2. `choose` picks the connection identifier
    /// of this side: unique among the ones in use, and not the one it is given.
    ///
    /// # Errors
    /// When the message is malformed or asks for what is not supported.
    pub fn start(
        identity: &Identity,
        message_1: &[u8],
        choose: impl FnOnce(&ConnId) -> Option<ConnId>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Self, MessageBuffer), Error> {
        let message_1 = guard::message_1(message_1)?;
        let mut crypto = Guarded::new(rng);
        let (y, g_y) = crypto.p256_generate_key_pair();
        let mut start = ResponderStart {
            method: EDHOC_METHOD,
            y,
            g_y,
        };
        let processed = lakers::r_process_message_1(&start, &mut crypto, &message_1);
        start.y.zeroize();
        let (mut processing, c_i, _) = processed.map_err(refusal)?;
        let c_r = choose(&c_i)
            .filter(|c_r| c_r.as_slice() != c_i.as_slice())
            .ok_or(Error::Identifiers)?;
        let transfer = match identity.credential().kid() {
            [] => CredentialTransfer::ByValue,
            _ => CredentialTransfer::ByReference,
        };
        let credential = for_lakers(identity.credential())?;
        let prepared = lakers::r_prepare_message_2(
            &processing,
            &mut crypto,
            credential,
            identity.private_key(),
            c_r,
            transfer,
            &None,
        );
        processing.y.zeroize();
        let (state, message_2) = prepared.map_err(refusal)?;
        Ok((Self { state, c_i, c_r }, buffer(message_2.as_slice())?))
    }

    /// Connection identifier of this side.
    pub fn c_r(&self) -> &ConnId {
        &self.c_r
    }

    /// Takes message_3: who the peer is, as an index into `peers`, and the context
    /// for its requests. Where several have the identifier that it names, the one
    /// whose key it has proven to hold.
    ///
    /// # Errors
    /// When the message is malformed, the peer is not in the list, or does not
    /// prove that it holds its key.
    pub fn finish(
        &self,
        message_3: &[u8],
        peers: &[Credential],
        rng: &mut impl CryptoRngCore,
    ) -> Result<(usize, SecurityContext), Error> {
        let message_3 = guard::message_3(message_3)?;
        let mut crypto = Guarded::new(rng);
        let mut state = WaitM3 {
            y: self.state.y,
            prk_3e2m: self.state.prk_3e2m,
            th_3: self.state.th_3,
        };
        let parsed = lakers::r_parse_message_3(&mut state, &mut crypto, &message_3);
        wipe(&mut state);
        let (mut processing, id_cred, external) = parsed.map_err(refusal)?;
        let mut verify = || {
            let mut outcome = Err(Error::UnknownPeer);
            for (index, peer) in peers.iter().enumerate() {
                if !names(&id_cred, peer) {
                    continue;
                }
                guard::transcript_fits(
                    0,
                    id_cred.as_full_value().len(),
                    peer.as_bytes().len(),
                    external.as_ref(),
                    processing.plaintext_3.len,
                )?;
                let credential = for_lakers(peer)?;
                match lakers::r_verify_message_3(&mut processing, &mut crypto, credential) {
                    Ok((processed, prk_out)) => return Ok((index, processed, prk_out)),
                    Err(error) => outcome = Err(refusal(error)),
                }
            }
            outcome
        };
        let verified = verify();
        processing.y.zeroize();
        processing.prk_3e2m.zeroize();
        let (peer, mut processed, mut prk_out) = verified?;
        prk_out.zeroize();
        let completed = lakers::r_complete_without_message_4(&processed).map_err(refusal);
        processed.prk_4e3m.zeroize();
        processed.prk_out.zeroize();
        processed.prk_exporter.zeroize();
        // The responder receives with C_R and sends with C_I (appendix A.1).
        let context = derive(completed?, &mut crypto, &self.c_i, &self.c_r)?;
        Ok((peer, context))
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        wipe(&mut self.state);
    }
}

impl core::fmt::Debug for Responder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Responder")
            .field("c_r", &self.c_r)
            .finish_non_exhaustive()
    }
}

/// The 48 connection identifiers that take one byte on the wire.
pub(crate) const COMPACT_IDS: u32 = 48;

/// One of the [`COMPACT_IDS`].
pub(crate) fn compact_id(number: u32) -> ConnId {
    let number = u8::try_from(number % COMPACT_IDS).unwrap_or_default();
    // 0x00 to 0x17 are the integers from 0, 0x20 to 0x37 the ones from -1 down.
    let byte = match number {
        0..24 => number,
        _ => number.wrapping_sub(24) | 0x20,
    };
    ConnId::from_slice(&[byte]).unwrap_or_default()
}

/// Splits C_R from the front of a payload: its bytes, and message_3.
pub(crate) fn split_c_r(payload: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    guard::connection_id(payload)
}

/// Splits message_3 from the front of the payload of a combined request
/// (RFC 9668 section 3.2): message_3, and the OSCORE ciphertext.
pub(crate) fn split_message_3(payload: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    guard::item(payload)
}

/// The content of an EDHOC error message (RFC 9528 section 6). It says no more
/// than it must: which suite is supported, or nothing.
pub(crate) fn error_message(error: Error) -> &'static [u8] {
    match error {
        Error::EdhocSuite => &[2, 2],
        _ => &[1, 0x60],
    }
}

fn derive<R: CryptoRngCore>(
    mut completed: Completed,
    crypto: &mut Guarded<'_, R>,
    sender: &ConnId,
    recipient: &ConnId,
) -> Result<SecurityContext, Error> {
    let empty = [0; lakers::MAX_KDF_CONTEXT_LEN];
    let mut secret = lakers::edhoc_exporter(&completed, crypto, 0, &empty, 0, 16);
    let mut salt = lakers::edhoc_exporter(&completed, crypto, 1, &empty, 0, 8);
    completed.prk_out.zeroize();
    completed.prk_exporter.zeroize();
    let context = SecurityContext::derive(&Parameters {
        master_secret: secret.get(..16).unwrap_or_default(),
        master_salt: salt.get(..8).unwrap_or_default(),
        sender_id: sender.as_slice(),
        recipient_id: recipient.as_slice(),
        id_context: None,
    });
    secret.zeroize();
    salt.zeroize();
    context
}

/// Whether the identifier that was sent is this credential: by value all of its
/// bytes, or its key identifier.
fn names(id_cred: &IdCred, credential: &Credential) -> bool {
    match id_cred.as_full_value() {
        [0xa1, 0x0e, value @ ..] => value == credential.as_bytes(),
        [0xa1, 0x04, 0x40..=0x57, kid @ ..] => !kid.is_empty() && kid == credential.kid(),
        _ => false,
    }
}

fn for_lakers(credential: &Credential) -> Result<lakers::Credential, Error> {
    let full = |_| Error::Internal;
    let bytes = EdhocBuffer::new_from_slice(credential.as_bytes()).map_err(full)?;
    let converted = lakers::Credential::new_ccs(bytes, *credential.x());
    Ok(match credential.kid() {
        [] => converted,
        kid => converted.with_kid(EdhocBuffer::new_from_slice(kid).map_err(full)?),
    })
}

fn buffer(bytes: &[u8]) -> Result<MessageBuffer, Error> {
    MessageBuffer::from_slice(bytes).map_err(|_| Error::Internal)
}

fn wipe(state: &mut WaitM3) {
    state.y.zeroize();
    state.prk_3e2m.zeroize();
    state.th_3.zeroize();
}

fn refusal(error: EDHOCError) -> Error {
    match error {
        EDHOCError::MacVerificationFailed => Error::EdhocAuthentication,
        EDHOCError::UnexpectedCredential | EDHOCError::MissingIdentity => Error::UnknownPeer,
        EDHOCError::UnsupportedMethod => Error::EdhocMethod,
        EDHOCError::UnsupportedCipherSuite => Error::EdhocSuite,
        EDHOCError::EADUnprocessable => Error::EdhocExternal,
        _ => Error::EdhocMessage,
    }
}
